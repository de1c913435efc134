"""A glance at a mediated call's sound, which is nearly all of its bytes: whole messages that surely are sound
and that every stage lets pass go on out of the memory that they were received into, without being taken
apart. Everything else is for the mediation to read.

Where every stage can say in advance what becomes of sound, `_splice.c` asks none of them for a message. What
they have said is forgotten as soon as the mediation reads anything, which is when they change their minds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from voxgate.gateway.policies.ruling import Foresight, SoundCount, SoundJudge, Stage
from voxgate.realtime.frames import (
    TEXT,
    FrameDecoder,
    FrameFollower,
    begins_text,
    encode_frame,
    find_text,
)
from voxgate.realtime.peek import SOUND, find_sound
from voxgate.recording.masks import apply_mask

logger = logging.getLogger(__name__)

_MOST_HELD_BYTES: Final = 64 << 10
"""Of a message: what is read at once."""


def judges_up(stages: Iterable[Stage]) -> list[tuple[SoundJudge, Foresight | None]]:
    return [(s.sound_to_provider, s.foresee_to_provider) for s in stages if s.sound_to_provider]


def judges_down(stages: Sequence[Stage]) -> list[tuple[SoundJudge, Foresight | None]]:
    return [(s.sound_to_client, s.foresee_to_client) for s in reversed(stages) if s.sound_to_client]


class Glance:
    """One direction of a call. `judges` are asked one after the other, beginning at the side that the sound
    comes from, and each has its foresight, if any; `write` sends the sound on. `decoder` holds what is not a
    whole message yet; the `follower` counts and limits messages, and needs not be fed those that go on
    here."""

    __slots__ = (
        "_decoder",
        "_follower",
        "_foresights",
        "_judges",
        "_masked",
        "_write",
        "count",
        "held",
        "stopped",
        "table",
    )

    def __init__(
        self,
        judges: Iterable[tuple[SoundJudge, Foresight | None]],
        decoder: FrameDecoder,
        follower: FrameFollower,
        write: Callable[[bytes | memoryview], None],
        *,
        masked: bool,
    ) -> None:
        judging = list(judges)
        self._judges = tuple(judge for judge, _ in judging)
        self._foresights = tuple(foresight for _, foresight in judging)
        self._decoder = decoder
        self._follower = follower
        self._write = write
        self._masked = masked
        self.stopped = False
        self.held = b""
        """The beginning of a message, which nobody has been given yet: it waits for its end."""
        self.table: tuple[bytes | None, ...] | None = None
        """For each of the types in `peek.SOUND` the one that it goes on with, or None where that is not
        known; None as a whole where nothing is."""
        self.count: SoundCount | None = None
        """What has to be told of the bytes of sound that go on by the table, before they do."""

    @property
    def missing_bytes(self) -> int:
        """Of the message that has to be read before the next can be glanced at; 0 if that is not known."""
        return 0 if self.stopped else self._decoder.missing_bytes

    def pass_sound(self, data: bytes | memoryview) -> int:
        """Sends on what may go on; how many of the bytes, from their beginning, that was."""
        at = unsent = 0
        if self.stopped or not self._decoder.idle:
            return 0
        while (frame := find_text(data, at)) is not None:
            mask, begin, end = frame
            if end - begin > self._follower.largest_message:
                break
            text = apply_mask(data[begin:end], mask) if mask else bytes(data[begin:end])
            said = self._judge(text)
            if said is None:
                break
            if said is not text:
                self._write(data[unsent:at])
                self._write(encode_frame(TEXT, said, masked=self._masked, mask_with=apply_mask))
                unsent = end
            self._follower.messages += 1
            at = end
        self._write(data[unsent:at])
        return at

    def _judge(self, text: bytes) -> bytes | None:
        """What goes on in its place; None if that cannot be said at a glance."""
        sound = find_sound(text)
        if sound is None:
            return None
        kind, size = sound
        try:
            for judge in self._judges:
                said = judge(text, kind, size)
                if said is None:
                    return None
                text = said
        except Exception:  # a fault of ours: the stages have to say, and the call ends if they fail too
            logger.exception("sound could not be judged at a glance")
            return None
        return text

    def keeps(self, data: bytes) -> bool:
        """Whether this is the beginning of a message that may pass at a glance when it is whole."""
        if self.stopped or not self._decoder.idle:
            return False
        return begins_text(data, self._follower.largest_message, _MOST_HELD_BYTES)

    def take_held(self) -> bytes:
        """What was kept, which is the caller's now."""
        held, self.held = self.held, b""
        return held

    def foresee(self) -> None:
        """Asks the stages what becomes of sound, for the table."""
        try:
            self.table, self.count = self._foreseen()
        except Exception:  # a fault of ours: each message is judged
            logger.exception("what becomes of sound could not be foreseen")
            self.forget()

    def forget(self) -> None:
        """What the stages had said in advance: they have read something since."""
        self.table = self.count = None

    def _foreseen(self) -> tuple[tuple[bytes | None, ...] | None, SoundCount | None]:
        names: Sequence[bytes | None] = tuple(SOUND)
        count = None
        for foresight in self._foresights:
            said = foresight() if foresight is not None else None
            if said is None or (said.count is not None and count is not None):
                return None, None  # what one has counted could not be taken back if the other refuses
            names = [said.names.get(name) if name is not None else None for name in names]
            count = said.count or count
        if self._masked:  # nothing is masked anew
            names = [name if name == kind else None for name, kind in zip(names, SOUND, strict=True)]
        return tuple(names), count
