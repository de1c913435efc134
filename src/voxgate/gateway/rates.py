"""Requests and tokens per minute, of API keys, temporary credentials and routes, over all workers.

    request → take → answered → settle (what it really used)

A worker takes about a second's worth at once out of the bucket that all share in the database, and lets
requests through from that: so it asks the database about once a second for each limit, and together the
workers never let through more than the limit. What a worker does not need goes back a moment later. A request
that no such limit applies to costs nothing.

While the database is away each worker counts for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

from voxgate.auth.credentials import Grant
from voxgate.core.clock import now_utc
from voxgate.core.errors import RateLimited, RequestsLimited, TokensLimited
from voxgate.core.settings import LimitSettings
from voxgate.core.upstreams import RouteSettings
from voxgate.gateway.leases import key_scope
from voxgate.store import Draw, Level, Store

_WAIT_SECONDS: Final = 2.0
_SHORT_WAIT_SECONDS: Final = 0.2
"""When it did not answer the last time."""
_MINUTE: Final = 60.0
_IDLE_SECONDS: Final = 2.0
"""What nobody has asked for so long goes back to the others."""
_REFUSING_SECONDS: Final = 1.0
"""So long a refusal holds before the database is asked again: others may have put something back."""
_FORGOTTEN_SECONDS: Final = 3600.0
_SWEEPS_PER_CLEANING: Final = 600

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`scope` is what is counted, `of` whose limit it is, in words."""

    scope: str
    kind: Literal["requests", "tokens"]
    per_minute: int
    of: str


def rate_limits(
    grant: Grant, limits: LimitSettings, route: RouteSettings | None = None
) -> tuple[RateLimit, ...]:
    """Those that apply to a request, mostly none. Of a key's own limits and those of the settings the lower
    one holds."""
    if grant.kind == "temporary":
        scope, of = f"credential:{grant.id}", "this temporary credential"
        most = limits.requests_per_minute_per_credential, limits.tokens_per_minute_per_credential
    else:
        scope, of = key_scope(grant), "this API key"
        most = limits.requests_per_minute_per_api_key, limits.tokens_per_minute_per_api_key
    found = [
        *_limits(scope, of, _lower(grant.max_requests_per_minute, most[0]), "requests"),
        *_limits(scope, of, _lower(grant.max_tokens_per_minute, most[1]), "tokens"),
    ]
    if route is not None:
        scope, of = f"route:{route.model}", f"the route {route.model}"
        found += _limits(scope, of, route.max_requests_per_minute, "requests")
        found += _limits(scope, of, route.max_tokens_per_minute, "tokens")
    return tuple(found)


def _limits(
    scope: str, of: str, per_minute: int | None, kind: Literal["requests", "tokens"]
) -> list[RateLimit]:
    return [] if per_minute is None else [RateLimit(f"{scope}:{kind}", kind, per_minute, of)]


def _lower(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


@dataclass(slots=True)
class _Bucket:
    """This worker's part of a limit."""

    limit: RateLimit
    known: Level
    """What was left for all when the database was asked the last time."""
    held: float = 0.0
    """Taken and not yet used; below 0: used and not yet taken."""
    touched: float = 0.0
    refusing: tuple[float, float] = 0.0, 0.0
    """Until when (monotonic), and what is too much until then."""

    def left(self, now: float) -> float:
        """For all, as far as is known here."""
        return self.known.later(now, self.limit.per_minute).left + self.held

    def move(self, owed: float) -> None:
        """What is held goes back to what all have, or comes from there: nothing is used by it."""
        self.held += owed
        self.known = Level(self.known.left - owed, self.known.at)

    @property
    def share(self) -> float:
        """A second's worth."""
        return max(1.0, self.limit.per_minute / _MINUTE)


_Wanted = tuple[_Bucket, float]
"""And how much of it."""


@dataclass(frozen=True, slots=True)
class RateState:
    """Of one limit just now, for the headers of an answer; `reset_seconds` until it is full again."""

    kind: Literal["requests", "tokens"]
    per_minute: int
    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What a request has taken: of each limit, and how many tokens it was thought to need."""

    limits: tuple[RateLimit, ...]
    tokens: float


class Rates:
    """The limits per minute of this worker's requests."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._buckets: dict[str, _Bucket] = {}
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rates")
        self._settling = False
        self._away = False
        self._sweeps = 0

    async def take(self, limits: tuple[RateLimit, ...], tokens: float = 0.0) -> Taken:
        """For a request that may use so many tokens. RateLimited when there are not as many left, or no
        request is."""
        wanted = [(self._bucket(each), 1.0 if each.kind == "requests" else tokens) for each in limits]
        self._check(wanted)
        if _is_there(wanted):
            _use(wanted)
        # Who hangs up meanwhile does not stop it: what comes back has to be noted.
        elif refused := await asyncio.shield(asyncio.ensure_future(self._draw(wanted))):
            raise self._refusal(refused)
        return Taken(limits, tokens)

    def settle(self, taken: Taken, tokens: float) -> None:
        """What the request used in truth; 0 for one that nobody answered."""
        for limit in taken.limits:
            if limit.kind == "tokens":
                self._bucket(limit).held += taken.tokens - tokens

    def states(self, limits: Sequence[RateLimit]) -> list[RateState]:
        """Of each kind the limit that is nearest."""
        found = [self._state(each) for each in limits]
        nearest = (
            min((each for each in found if each.kind == kind), key=lambda each: each.remaining, default=None)
            for kind in ("requests", "tokens")
        )
        return [each for each in nearest if each is not None]

    def _state(self, limit: RateLimit) -> RateState:
        left = max(0.0, min(self._bucket(limit).left(_now()), limit.per_minute))
        return RateState(
            limit.kind, limit.per_minute, int(left), (limit.per_minute - left) * _MINUTE / limit.per_minute
        )

    def _bucket(self, limit: RateLimit) -> _Bucket:
        bucket = self._buckets.get(limit.scope)
        if bucket is None:
            bucket = self._buckets[limit.scope] = _Bucket(limit, Level(limit.per_minute, _now()))
        bucket.limit, bucket.touched = limit, time.monotonic()  # a key's limits may have changed
        return bucket

    def _check(self, wanted: Sequence[_Wanted]) -> None:
        """What needs no asking: more than the limit itself, and what was too much a moment ago."""
        now = time.monotonic()
        refused = [(bucket, need) for bucket, need in wanted if need > bucket.limit.per_minute]
        refused = refused or [
            (bucket, need)
            for bucket, need in wanted
            if bucket.held < need and now < bucket.refusing[0] and need >= bucket.refusing[1]
        ]
        if refused:
            raise self._refusal(refused)

    async def _draw(self, wanted: Sequence[_Wanted]) -> Sequence[_Wanted]:
        """Gets what is missing and uses it. Those of which there was not enough; then nothing is used."""
        async with self._turn:
            # Others may have drawn while this one waited for its turn.
            missing = [(bucket, need) for bucket, need in wanted if bucket.held < need]
            draws = [_draw(bucket, need) for bucket, need in missing]
            drawn = await self._asked(draws, [bucket for bucket, _ in missing]) if draws else []
            for (bucket, _), draw, (given, level) in zip(missing, draws, drawn, strict=True):
                bucket.known = level
                bucket.held += given + draw.owed
            refused = [(bucket, need) for bucket, need in wanted if bucket.held < need]
            if not refused:
                _use(wanted)
        for bucket, need in refused:
            seconds = min(_wait_seconds(bucket, need), _REFUSING_SECONDS)
            bucket.refusing = time.monotonic() + seconds, need
        return refused

    async def _asked(self, draws: Sequence[Draw], buckets: Sequence[_Bucket]) -> list[tuple[float, Level]]:
        now = _now()
        work = self._thread.submit(self._store.draw_rates, draws, now)
        try:
            seconds = _SHORT_WAIT_SECONDS if self._away else _WAIT_SECONDS
            drawn = await asyncio.wait_for(asyncio.wrap_future(work), seconds)
        except Exception as error:  # noqa: BLE001 - a database can fail in many ways: then this worker counts alone
            self._warn(error)
            return [draw.of(bucket.known, now) for draw, bucket in zip(draws, buckets, strict=True)]
        self._away = False
        return drawn

    def _refusal(self, refused: Sequence[_Wanted]) -> RateLimited:
        """By the one that takes longest."""
        bucket, need = max(refused, key=lambda each: _wait_seconds(*each))
        limit = bucket.limit
        used = limit.per_minute - max(0, math.floor(bucket.left(_now())))
        unit = "RPM" if limit.kind == "requests" else "TPM"
        name = f"{limit.of} on {limit.kind} per min ({unit})"
        kind = RequestsLimited if limit.kind == "requests" else TokensLimited
        if need > limit.per_minute:
            said = f"Request too large for {name}: Limit {limit.per_minute}, Requested {need:.0f}. "
            error = kind(said + "The input or output tokens must be reduced in order to run successfully.")
        else:
            wait = max(_wait_seconds(bucket, need), 0.001)
            said = f"Rate limit reached for {name}: Limit {limit.per_minute}, Used {used}, "
            said += f"Requested {need:.0f}. Please try again in {duration(wait)}."
            error = kind(said, wait_seconds=wait)
        return error

    # With the other workers

    def sweep(self) -> None:
        """Once a second: puts back what is not needed and writes down what was used beyond what was taken.
        Never waits."""
        now = time.monotonic()
        self._sweeps += 1
        is_cleaning = self._sweeps % _SWEEPS_PER_CLEANING == 0
        settled = [bucket for bucket in self._buckets.values() if _is_to_settle(bucket, now)]
        for scope in [each for each, bucket in self._buckets.items() if _is_over(bucket, now)]:
            del self._buckets[scope]
        if self._turn.locked() or self._settling or not (settled or is_cleaning):
            return
        draws = [_draw(bucket, 0.0) for bucket in settled]
        for bucket, draw in zip(settled, draws, strict=True):
            bucket.move(draw.owed)
        self._settling = True
        loop = asyncio.get_running_loop()

        def run() -> None:
            try:
                levels = [level for _, level in self._store.draw_rates(draws, _now())]
                if is_cleaning:
                    self._store.forget_rates(_now() - _FORGOTTEN_SECONDS)
            except Exception as error:  # noqa: BLE001 - the database is away: it is written when it is back
                self._tell(loop, settled, draws, error)
            else:
                self._tell(loop, settled, draws, levels)

        with contextlib.suppress(RuntimeError):  # the worker stops
            self._thread.submit(run)

    def _tell(
        self,
        loop: asyncio.AbstractEventLoop,
        settled: Sequence[_Bucket],
        draws: Sequence[Draw],
        outcome: Exception | list[Level],
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the worker has stopped
            loop.call_soon_threadsafe(self._settled, settled, draws, outcome)

    def _settled(
        self, settled: Sequence[_Bucket], draws: Sequence[Draw], outcome: Exception | list[Level]
    ) -> None:
        self._settling = False
        if isinstance(outcome, Exception):
            self._warn(outcome)
            for bucket, draw in zip(settled, draws, strict=True):
                bucket.move(-draw.owed)
            return
        self._away = False
        for bucket, level in zip(settled, outcome, strict=True):
            bucket.known, bucket.refusing = level, (0.0, 0.0)

    def stop(self) -> None:
        """Puts back what is left, unless the database is away."""
        self._thread.shutdown(cancel_futures=self._away)
        draws = [_draw(bucket, 0.0) for bucket in self._buckets.values() if bucket.held]
        if draws and not self._away:
            try:
                self._store.draw_rates(draws, _now())
            except Exception as error:  # noqa: BLE001 - whatever it is: there is no later
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        """Once, until it works again."""
        if not self._away:
            self._away = True
            logger.warning(
                "requests per minute are counted by each worker alone now: %s",
                str(error) or type(error).__name__,
            )


def _use(wanted: Sequence[_Wanted]) -> None:
    for bucket, need in wanted:
        bucket.held -= need


def _is_there(wanted: Sequence[_Wanted]) -> bool:
    return all(bucket.held >= need for bucket, need in wanted)


def _draw(bucket: _Bucket, need: float) -> Draw:
    """All that was held goes back, so that the database has the whole account."""
    most = max(need, bucket.share) if need else 0.0
    return Draw(bucket.limit.scope, bucket.limit.per_minute, need, most, -bucket.held)


def _is_to_settle(bucket: _Bucket, now: float) -> bool:
    idle = now - bucket.touched > _IDLE_SECONDS
    return bucket.held < 0 or bucket.held > bucket.share or (bucket.held > 0 and idle)


def _is_over(bucket: _Bucket, now: float) -> bool:
    return not bucket.held and now - bucket.touched > _MINUTE


def _wait_seconds(bucket: _Bucket, need: float) -> float:
    """Until there is so much, if nobody else comes."""
    return max(0.0, (need - bucket.left(_now())) * _MINUTE / bucket.limit.per_minute)


def _now() -> float:
    return now_utc().timestamp()


def duration(seconds: float) -> str:
    """As the live service writes it: `120ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < _MINUTE:
        return f"{math.ceil(seconds * 1000) / 1000:g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s"
