"""The ledger: a table in shared memory with a row for each call. Each process writes its own columns and
reads the others'; what a process that is killed had counted stays.
"""

from __future__ import annotations

import mmap
from enum import IntEnum
from pathlib import Path
from typing import Final

ROWS: Final = 1 << 17


class Column(IntEnum):
    # Written by the callers
    STATE = 0
    UP_SENT = 1
    DOWN_RECEIVED = 2
    DOWN_WRONG = 3
    MARKED = 4
    """Whether a planned fault was about to strike; then what had been sent in each direction."""
    MARK_UP = 5
    MARK_DOWN = 6
    # Written by the provider
    PROVIDER_PID = 7
    UP_RECEIVED = 8
    UP_WRONG = 9
    DOWN_SENT = 10
    PROVIDER_ENDED = 11
    # Written by the conductor
    KILLED = 12
    """Whether the call's provider was killed; then what had been sent in each direction before."""
    KILL_UP = 13
    KILL_DOWN = 14
    WORKER_KILLED = 15
    """Whether a worker was killed that may have had the call; then what had arrived in each direction a
    little earlier, which has to be in the trace."""
    KEPT_UP = 16
    KEPT_DOWN = 17


NOTHING, OPENING, OPEN, ENDED = range(4)
_COLUMNS: Final = len(Column)


class Ledger:
    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._cells = memoryview(self._map).cast("q")

    @classmethod
    def make(cls, path: Path) -> Ledger:
        with path.open("wb") as file:
            file.truncate(ROWS * _COLUMNS * 8)
        return cls(path)

    def get(self, call: int, column: Column) -> int:
        return self._cells[call * _COLUMNS + column]

    def set(self, call: int, column: Column, value: int) -> None:
        self._cells[call * _COLUMNS + column] = value

    def sum(self, column: Column) -> int:
        return sum(self._cells[column::_COLUMNS])

    def rows_used(self) -> int:
        """The callers fill the rows from the first on."""
        row = 0
        while row < ROWS and self.get(row, Column.STATE) != NOTHING:
            row += 1
        return row
