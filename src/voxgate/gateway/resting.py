"""Which providers rest because they could not be dialled: such a provider is tried after the others of its
route, until it has answered again. Each worker knows its own, in memory.

    answering ──failure──> resting ──its time is up──> due for a trial ──answer──> answering
                              ^                              │
                              └──────────failure─────────────┘  for twice as long, up to 8 times
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar


class Place(Protocol):
    """What may rest."""

    @property
    def provider(self) -> str: ...


P = TypeVar("P", bound=Place)
_MOST_DOUBLINGS: Final = 3
_LONGEST_TRIAL_SECONDS: Final = 30.0


@dataclass(slots=True)
class _Rest:
    """Moments in monotonic seconds."""

    since: float
    until: float
    failures: int = 1
    tried_until: float = 0.0
    """While somebody finds out whether it answers again, the others do not."""


class Rests:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._rests: dict[str, _Rest] = {}

    def __len__(self) -> int:
        return len(self._rests)

    def __contains__(self, provider: str) -> bool:
        return provider in self._rests

    def order(self, upstreams: Sequence[P]) -> list[P]:
        """All of them, those that rest at the end: a call never fails without a try."""
        return sorted(upstreams, key=lambda upstream: upstream.provider in self._rests)

    def is_due(self, provider: str) -> bool:
        """Whether it has rested long enough to see if it answers again."""
        rest = self._rests.get(provider)
        return rest is not None and rest.until <= self._now()

    def begin_trial(self, provider: str) -> bool:
        """Whether it has rested long enough, and nobody else tries it already."""
        rest, now = self._rests.get(provider), self._now()
        if rest is None or now < max(rest.until, rest.tried_until):
            return False
        rest.tried_until = now + _LONGEST_TRIAL_SECONDS
        return True

    def seconds_left(self, provider: str) -> float | None:
        """Until it is due for a trial; None for one that does not rest."""
        rest = self._rests.get(provider)
        return None if rest is None else max(0.0, rest.until - self._now())

    def failed(self, provider: str, began: float, rest_seconds: float) -> float | None:
        """The seconds for which it rests from now on, if this failure of a try that `began` then says
        something new: calls that were all waiting for a dead provider are one failure and not many."""
        now, rest = self._now(), self._rests.get(provider)
        if not rest_seconds or (rest is not None and (now < rest.until or began < rest.since)):
            return None
        failures = 1 if rest is None else rest.failures + 1
        seconds: float = rest_seconds * 2 ** min(failures - 1, _MOST_DOUBLINGS)
        self._rests[provider] = _Rest(now, now + seconds, failures)
        return seconds

    def answered(self, provider: str) -> bool:
        """Whether it rested before."""
        return self._rests.pop(provider, None) is not None
