"""The scoreboard: memory that all workers of one `voxgate serve` share, so that a scrape of any of them tells
of all. Each worker writes its snapshot into its own place, about once a second and at every scrape; who is
scraped reads all places. It is memory and no file, so that a full or a slow disk hides no counter.

A place has two halves: a snapshot is written into the one that nobody reads, then a byte says which counts,
so a worker that is killed while it writes spoils nothing. What a worker has counted stays in its place when
it ends, and the next one there adds to it: counters never go down.
"""

from __future__ import annotations

import logging
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from voxgate.gateway.metrics import Metrics, Snapshot, merge, render

PLACES: Final = 256
"""So many workers at once, with those that drain while others have taken their place."""

_HALF_BYTES: Final = 64 << 10
_HEAD: Final = struct.Struct("<BB")
"""Whether the worker lives, and how often (modulo 256) a snapshot was written: the half is its last bit."""
_LENGTH: Final = struct.Struct("<I")
_PLACE_BYTES: Final = 2 * _HALF_BYTES
_LENGTH_AT: Final = 8
_LOAD: Final = struct.Struct("<I")
"""One more than the calls of a worker that takes connections now; 0 of all others."""
_LOAD_AT: Final = 4
_RIVALS_SECONDS: Final = 1.0
_ATTEMPTS: Final = 20

logger = logging.getLogger(__name__)


class Scoreboard:
    """`number` counts places from 0. Without a descriptor it is of this process alone."""

    def __init__(self, descriptor: int = -1) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, PLACES * _PLACE_BYTES)

    @classmethod
    def create(cls) -> Scoreboard:
        """One to share with child processes. It takes memory only where something is written."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("voxgate-scoreboard")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, PLACES * _PLACE_BYTES)
        return cls(descriptor)

    def set_living(self, number: int, living: bool) -> None:
        """Only the gauges of the living are shown. A worker says that it lives, its parent that it ended."""
        self._memory[number * _PLACE_BYTES] = living

    def is_living(self, number: int) -> bool:
        return bool(self._memory[number * _PLACE_BYTES])

    def set_load(self, number: int, load: int | None) -> None:
        _LOAD.pack_into(self._memory, number * _PLACE_BYTES + _LOAD_AT, 0 if load is None else load + 1)

    def load(self, number: int) -> int | None:
        """None for who takes no connections."""
        told: int = _LOAD.unpack_from(self._memory, number * _PLACE_BYTES + _LOAD_AT)[0]
        return told - 1 if told else None

    def write(self, number: int, data: bytes) -> None:
        """One process at a time writes in a place."""
        start = number * _PLACE_BYTES
        written = (self._memory[start + 1] + 1) % 256
        at = start + (written % 2) * _HALF_BYTES + _LENGTH_AT
        room = _HALF_BYTES - _LENGTH_AT - _LENGTH.size
        if len(data) > room:
            raise ValueError(f"a snapshot of {len(data):,} bytes does not fit into {room:,}")
        _LENGTH.pack_into(self._memory, at, len(data))
        self._memory[at + _LENGTH.size : at + _LENGTH.size + len(data)] = data
        self._memory[start + 1] = written

    def read(self, number: int) -> bytes:
        """What was written last; empty when nothing was."""
        start = number * _PLACE_BYTES
        for _ in range(_ATTEMPTS):
            written = self._memory[start + 1]
            at = start + (written % 2) * _HALF_BYTES + _LENGTH_AT
            length: int = _LENGTH.unpack_from(self._memory, at)[0]
            data = self._memory[at + _LENGTH.size : at + _LENGTH.size + length]
            if self._memory[start + 1] == written:  # else it may have been overwritten meanwhile
                return data
        raise BlockingIOError(f"place {number} of the scoreboard changes too fast")


class Place:
    """One process' place: it tells its own metrics and reads those of all."""

    def __init__(self, board: Scoreboard, number: int, metrics: Metrics) -> None:
        self._board = board
        self._number = number
        self._metrics = metrics
        self._rivals: list[int] = []
        self._rivals_known_until = 0.0
        board.set_load(number, None)  # what stands there is of the one before
        board.set_living(number, True)
        earlier = self._parse(number)
        self._inherited = merge({}, [earlier["now"], earlier["inherited"]])

    def tell_load(self, load: int | None) -> None:
        """How many calls this worker has, or None when it takes no more."""
        self._board.set_load(self._number, load)

    def fewest_load_of_others(self) -> int | None:
        """None when no other worker takes connections."""
        if (now := time.monotonic()) >= self._rivals_known_until:
            self._rivals_known_until = now + _RIVALS_SECONDS
            others = (number for number in range(PLACES) if number != self._number)
            self._rivals = [number for number in others if self._board.is_living(number)]
        loads = (self._board.load(number) for number in self._rivals)
        return min((load for load in loads if load is not None), default=None)

    def publish(self) -> None:
        told = {"now": self._metrics.snapshot(), "inherited": self._inherited}
        try:
            self._board.write(self._number, orjson.dumps(told))
        except ValueError as error:
            logger.warning("the metrics cannot be told to the other workers: %s", error)

    def text(self) -> str:
        """Prometheus' text of all workers. What it shows of this one is written down first, so that no later
        scrape of another worker shows less."""
        self.publish()
        living: dict[str, Snapshot] = {}
        ended: list[Snapshot] = []
        for number, told in self._places():
            ended.append(told["inherited"])
            if self._board.is_living(number):
                living[str(number)] = told["now"]
            else:
                ended.append(told["now"])
        return render(merge(living, ended))

    def _places(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in range(PLACES):
            told = self._parse(number)
            if told["now"]:
                yield number, told

    def _parse(self, number: int) -> dict[str, Any]:
        data = self._board.read(number)
        told: dict[str, Any] = orjson.loads(data) if data else {"now": {}, "inherited": {}}
        return told
