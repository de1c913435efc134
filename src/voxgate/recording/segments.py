"""Which segments of the spool's memory are free, and how many of them are kept ready.

The first byte in a page that takes no memory yet costs the relay more than a message: the system has to find
and clear it, on a virtual machine the host too. So a few segments ahead of those in use are touched by the
writer before they are needed, and those that were needed in the last half minute stay.

    bare ──> ready ──> in use ──> ready ──> leaving ──> bare
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

_SHARE_READY: Final = 16
"""The part of all segments that is touched ahead of those in use: 8 of 128, which are 16 MiB of 256."""
KEEP_SECONDS: Final = 30.0


class Segments:
    """The numbers of `count` segments; all are bare at first. What was needed at once within a period of
    `keep_seconds`, or the one before, is kept until the end of the next."""

    def __init__(self, count: int, keep_seconds: float = KEEP_SECONDS) -> None:
        self.bare = list(reversed(range(count)))
        """They take no memory."""
        self.ready: list[int] = []
        """They do, or will in a moment; the one that was used last is the last."""
        self.leaving: set[int] = set()
        """Their memory is to be given back by the writer."""
        self._count = count
        self._keep_seconds = keep_seconds
        self._most_ready = max(1, count // _SHARE_READY)
        self._most_used = 0
        self._period_ends = time.monotonic() + keep_seconds

    @property
    def in_use(self) -> int:
        return self._count - len(self.bare) - len(self.ready) - len(self.leaving)

    def take(self) -> int | None:
        """One to use now; None if there is none."""
        if self.ready:
            index = self.ready.pop()  # it may still be in the processor's cache
        elif self.bare:
            index = self.bare.pop()
        else:
            return None
        self._most_used = max(self._most_used, self.in_use)
        return index

    def free(self, index: int) -> None:
        self.ready.append(index)

    def to_prepare(self) -> Iterator[int]:
        """Those that the writer is to touch. They count as ready at once: to use one that has not been
        touched yet is slower, not wrong."""
        while self.bare and len(self.ready) < self._most_ready:
            index = self.bare.pop()
            self.ready.insert(0, index)
            yield index

    def to_give_back(self) -> Iterator[int]:
        """At the end of a period, those that nobody has needed in it."""
        now = time.monotonic()
        if now < self._period_ends:
            return
        while len(self.ready) > self._most_ready + self._most_used - self.in_use:
            index = self.ready.pop(0)
            self.leaving.add(index)
            yield index
        self._most_used, self._period_ends = self.in_use, now + self._keep_seconds

    def given_back(self, index: int) -> None:
        self.leaving.discard(index)
        self.bare.append(index)

    @property
    def seconds_to_look(self) -> float | None:
        """After how long more may be given back than now; None if nothing is left that could be."""
        if len(self.ready) <= self._most_ready:
            return None
        return max(0.0, self._period_ends - time.monotonic())
