"""Takes the sound out of what is stored of a call that is over: its words, times and lengths stay. Event log
in, event log out, with notes of its size where sound was, as if it had never been recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from voxgate.core.errors import NotFound
from voxgate.realtime.screening import Screen
from voxgate.recording.later import LATER
from voxgate.recording.reading import COMPACT_LOG, LOG, read_lines
from voxgate.recording.tracks import DamagedRecording, open_track
from voxgate.store import Blobs
from voxgate.traces import TrackLayout
from voxgate.traces.tracks import TRACKS

_SCREEN: Final = Screen(audio=False, text=True)
_LINES_PER_STEP: Final = 64
_BLOCK_BYTES: Final = 1 << 20

logger = logging.getLogger(__name__)


def remove_sound(blobs: Blobs, prefix: str, scratch: Path, at: str) -> Iterator[None]:
    """Bit by bit; `at` is the moment that the log is to name. Afterwards there is the raw event log, and
    nothing else. It may be done again."""
    if any(blobs.size(f"{prefix}/{name}") is not None for name in (LOG, COMPACT_LOG)):
        yield from rewrite_log(blobs, prefix, lambda line: without_sound(line, at), scratch)
    delete_all_but_log(blobs, prefix)


def delete_all_but_log(blobs: Blobs, prefix: str) -> None:
    """Tracks, what was made of them, and a wire log that was put aside."""
    for key in blobs.list(f"{prefix}/"):
        if key != f"{prefix}/{LOG}":
            blobs.delete_prefix(key)


def rewrite_log(blobs: Blobs, prefix: str, change: Callable[[bytes], bytes], scratch: Path) -> Iterator[None]:
    """Every line of the log changed, and the log stored raw; `scratch` is a file for the time in between."""
    with scratch.open("wb") as target:
        for number, line in enumerate(_readable(blobs, prefix)):
            target.write(change(line))
            if not number % _LINES_PER_STEP:
                yield
    blobs.put_file(f"{prefix}/{LOG}", scratch)


def restore_raw(blobs: Blobs, prefix: str, layout: TrackLayout, folder: Path) -> Iterator[None]:
    """A recording that was put away, as it was before that. A raw one stays as it is."""
    if blobs.size(f"{prefix}/{LOG}") is not None:
        return
    made = [*_raw_tracks(blobs, prefix, layout, folder)]
    yield
    with (folder / LOG).open("wb") as target:
        for number, line in enumerate(read_lines(blobs, prefix)):
            target.write(line)
            if not number % _LINES_PER_STEP:
                yield
    for name in [*made, LOG]:  # the log last: until then the one that was put away counts
        blobs.put_file(f"{prefix}/{name}", folder / name)
    for name in [COMPACT_LOG, LATER, *(f"{track}.flac" for track in TRACKS)]:
        blobs.delete_prefix(f"{prefix}/{name}")


def _raw_tracks(blobs: Blobs, prefix: str, layout: TrackLayout, folder: Path) -> Iterator[str]:
    for name in layout.present:
        with (
            closing(open_track(blobs, prefix, name, layout.rate(name))) as track,
            (folder / f"{name}.pcm").open("wb") as target,
        ):
            for at in range(0, track.size, _BLOCK_BYTES):
                target.write(track.read(at, at + _BLOCK_BYTES))
        yield f"{name}.pcm"


def _readable(blobs: Blobs, prefix: str) -> Iterator[bytes]:
    try:
        yield from read_lines(blobs, prefix)
    except (DamagedRecording, NotFound) as error:
        logger.error("%s: what comes behind cannot be read and is not kept: %s", prefix, error)


def without_sound(line: bytes, at: str) -> bytes:
    """Nothing of a line that is none."""
    try:
        entry: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return b""
    if not isinstance(entry, dict):
        return b""
    if "raw" in entry:
        entry["raw"] = ""
    message = entry.get("msg")
    if isinstance(message, dict):
        entry["msg"] = _fact(message, at) if entry.get("dir") == "gateway" else _SCREEN.event(message)
    return orjson.dumps(entry) + b"\n"


def _fact(fact: dict[str, Any], at: str) -> dict[str, Any]:
    if fact.get("type") != "gateway.opened":
        return _SCREEN.event(fact)
    recorded = fact.get("recorded")
    shown = {**(recorded if isinstance(recorded, dict) else {}), "audio": False}
    return {**fact, "recorded": shown, "audio_deleted_at": at}
