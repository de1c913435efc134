"""How much sound a client has sent, in ms, whatever its format; messages in, `Sound` out."""

from __future__ import annotations

import re
from typing import Final

from voxgate.evals.playback.script import APPEND, CLEAR, COMMIT, Json, Sound
from voxgate.realtime.peek import base64_bytes
from voxgate.traces.events import obj, string
from voxgate.traces.formats import PCM_24K, AudioFormat, format_in

_NOT_RECORDED: Final = re.compile(r"\[not recorded: (\d{1,12}) bytes\]")
"""In the place of sound that was not to be recorded (`realtime.screening`)."""


class SoundCount:
    def __init__(self) -> None:
        self._format = PCM_24K
        self._epoch = 0
        self._ms = 0.0

    @property
    def total(self) -> Sound:
        return Sound(self._epoch, self._ms)

    def client(self, name: str, msg: Json, sound: bytes | None = None) -> None:
        """`sound`: what the message carries, where somebody has decoded it."""
        if name == APPEND:
            size = len(sound) if sound is not None else size_of(string(msg, "audio") or "")
            self._ms += _ms_of(size, self._format)
        elif name in (COMMIT, CLEAR):
            self._epoch, self._ms = self._epoch + 1, 0.0
        else:
            self._take_format(msg)

    def server(self, name: str, msg: Json) -> None:
        if name.endswith(("session.created", "session.updated")):
            self._take_format(msg)

    def _take_format(self, msg: Json) -> None:
        self._format = format_in(obj(msg, "session"), "input") or self._format


def size_of(sound: str) -> int:
    """Of sound as base64, or of the note in its place."""
    if (noted := _NOT_RECORDED.fullmatch(sound)) is not None:
        return int(noted[1])
    data = sound.encode(errors="replace")
    return base64_bytes(data, 0, len(data))


def is_missing(sound: str) -> bool:
    """Whether there is only a note in its place."""
    return _NOT_RECORDED.fullmatch(sound) is not None


def _ms_of(size_bytes: int, form: AudioFormat) -> float:
    return size_bytes / form.sample_bytes / form.rate * 1000
