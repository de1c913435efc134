"""How several recorders share the work: each has the sessions whose ids fall to it, and all recorders of a
folder of wire logs agree on one way to split it.

    recorder.lock        held together by all recorders of one split; its text says into how many shares
    recorder-0.lock      held by the one recorder of the first share

So two recorders never work on the same log: a second one of a share waits, and so does one of another split,
until the last one of the former split has ended.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

_SPLIT_NAME: Final = "recorder.lock"
_TEXT_BYTES: Final = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of all sessions that one recorder works on: number 0, 1, … of so many."""

    number: int = 0
    of: int = 1

    def has(self, session_id: str) -> bool:
        return crc32(session_id.encode()) % self.of == self.number

    @property
    def is_first(self) -> bool:
        """Whose recorder does also what is to be done once."""
        return self.number == 0

    @contextmanager
    def held(self, wire_dir: Path, stop: threading.Event, poll_seconds: float) -> Iterator[bool]:
        """Whether the share is ours; False when told to stop before that."""
        wire_dir.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        own = os.open(wire_dir / f"recorder-{self.number}.lock", flags, 0o666)
        split = os.open(wire_dir / _SPLIT_NAME, flags, 0o666)
        try:
            is_ours = self._take(own, split)
            if not is_ours:
                logger.warning("another recorder works on %s; waiting for its end", wire_dir)
            while not is_ours and not stop.wait(poll_seconds):
                is_ours = self._take(own, split)
            yield is_ours
        finally:
            os.close(split)
            os.close(own)

    def _take(self, own: int, split: int) -> bool:
        """Both or none: who waits keeps nobody else waiting."""
        if not _lock(own, fcntl.LOCK_EX):
            return False
        if self._join(split):
            return True
        fcntl.flock(split, fcntl.LOCK_UN)
        fcntl.flock(own, fcntl.LOCK_UN)
        return False

    def _join(self, split: int) -> bool:
        text = b"%d" % self.of
        if not _lock(split, fcntl.LOCK_SH):
            return False
        if os.pread(split, _TEXT_BYTES, 0) == text:
            return True
        if not _lock(split, fcntl.LOCK_EX):  # the recorders of another split still work
            return False
        os.ftruncate(split, 0)
        os.pwrite(split, text, 0)
        # flock(2) changes a lock in two steps: between them somebody else may have made it another split.
        return _lock(split, fcntl.LOCK_SH) and os.pread(split, _TEXT_BYTES, 0) == text


WHOLE: Final = Share()


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
