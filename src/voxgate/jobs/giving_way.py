"""The recorder gives way: while a writer cannot bring to the disk what calls say as fast as they say it, the
core belongs to the writer. What it cannot write in time is lost; what the recorder does later is only later.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from voxgate.recording.wirelog import writers_are_behind

_LOOK_SECONDS: Final = 0.05
_MOST_SECONDS: Final = 2.0
_WORK_SECONDS: Final = 0.5
"""Between two times of waiting: a disk that is always slow must not hold up recordings for ever."""


class GivingWay:
    def __init__(self, wire_dir: Path) -> None:
        self._wire_dir = wire_dir
        self._next_look = 0.0

    def wait(self) -> None:
        """Until the writers have caught up, or as long as is bearable. Cheap to call between small pieces of
        work."""
        now = time.monotonic()
        if now < self._next_look:
            return
        deadline = now + _MOST_SECONDS
        while writers_are_behind(self._wire_dir):
            if time.monotonic() >= deadline:
                self._next_look = time.monotonic() + _WORK_SECONDS
                return
            time.sleep(_LOOK_SECONDS)
        self._next_look = time.monotonic() + _LOOK_SECONDS
