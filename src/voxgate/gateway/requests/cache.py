"""The cache of answers: looked through before a provider is asked, filled when one has answered whole. Both
in threads: a lookup that takes long is a miss, and a store that is away makes misses and no errors.

    plan → find → hit:  the answer as it was
                → miss: the provider is asked, its answer is gathered → keep
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from voxgate.auth.caching import scope_secret
from voxgate.auth.credentials import DEFAULT_PROJECT, Grant
from voxgate.core.caching import CacheMode, CacheSettings
from voxgate.core.errors import StoreUnavailable
from voxgate.core.projects import ProjectSettings
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.requests.cacheable import CACHE_HEADER, Wish, is_whole, refusal, ttl_of, wish_of
from voxgate.gateway.requests.cached import Asked, CachedAnswer, Plan, kept_headers, pack, unpack
from voxgate.store import Cache

_WAIT_SECONDS: Final = 0.25
"""What a request may lose by a lookup."""
_REST_SECONDS: Final = 3.0
"""So long nobody asks a store for which somebody has waited in vain."""
_THREADS: Final = 4
_MOST_WAITING_BYTES: Final = 64 << 20
"""Of answers that are not stored yet; what comes on top of that is not kept."""
_HEAD_BYTES: Final = 256 << 10
"""What sealing may add to an answer: its head."""
_SKEW_SECONDS: Final = 60.0
"""By which the clocks of machines may differ."""

_HEADER: Final = CACHE_HEADER.encode()
_Place = tuple[str, int]
"""The name of an answer and the seconds that it is good for."""
logger = logging.getLogger(__name__)


class AnswerCache:
    """One per worker. Everything but what names a thread runs on the event loop."""

    def __init__(
        self,
        store: Cache,
        settings: CacheSettings,
        projects: Mapping[str, ProjectSettings],
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._settings = settings
        self._projects = projects
        self._now = now
        self._readers = ThreadPoolExecutor(_THREADS, thread_name_prefix="cache")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="cache-writer")
        self._waiting: dict[_Place, Future[bytes | None]] = {}
        """On their way to the store: whoever asks meanwhile finds them here."""
        self._waiting_bytes = 0
        self._away_until = 0.0
        self._is_away = False
        self._lookups = metrics.counter(
            "voxgate_cache_lookups_total", "Requests that could be answered from the cache.", "result"
        )
        self._answers = metrics.counter(
            "voxgate_cache_answers_total", "Answers that could go into the cache.", "result"
        )

    def concerns(self, grant: Grant, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether there may be a plan. Most requests end here, so it costs them next to nothing."""
        return any(name == _HEADER for name, _ in headers) or self._mode(grant) == "auto"

    def plan(self, asked: Asked) -> Plan | None:
        """None where nobody wants a cache. InvalidRequest for a wish that is none."""
        wish, mode = wish_of(asked.headers), self._mode(asked.grant)
        if wish is None and mode == "auto" and asked.records_words:
            wish = "auto"
        if wish is None or wish == "never":
            return None
        ttl_seconds = ttl_of(asked.headers, self._settings.ttl_seconds, self._settings.longest_ttl_seconds)
        secret = _secret(asked)
        plan = Plan(asked, reason=_why_not(asked, wish, mode, secret))
        if plan.reason is None:
            plan.outcome, plan.secret, plan.ttl_seconds = "miss", secret or b"", ttl_seconds
            plan.is_read, plan.largest_bytes = wish != "refresh", self._settings.largest_answer_bytes
        elif asked.headers.get(CACHE_HEADER) is None:
            return None  # nobody has asked, so nobody is told
        return plan

    def _mode(self, grant: Grant) -> CacheMode:
        project = self._projects.get(grant.project or grant.home or DEFAULT_PROJECT)
        return (project.cache if project else None) or self._settings.mode

    # Out of it

    async def find(self, plan: Plan) -> CachedAnswer | None:
        """In `_WAIT_SECONDS` at most."""
        if plan.outcome != "miss":
            return None
        plan.begin()
        if time.monotonic() < self._away_until:
            self._lookups.add("late")
            return None
        try:
            found = await asyncio.wait_for(
                asyncio.wrap_future(self._readers.submit(self._find, plan)), _WAIT_SECONDS
            )
        except (OSError, StoreUnavailable, TimeoutError) as error:
            self._failed("asked", error)
            self._lookups.add("late")
            return None
        self._lookups.add("hit" if found else "miss")
        if found is not None:
            plan.outcome, plan.session_id = "hit", found.session_id
            plan.age_seconds = max(int(self._now() - found.created_at), 0)
        return found

    def _find(self, plan: Plan) -> CachedAnswer | None:
        """In a thread."""
        keys, name = plan.sign()
        if not plan.is_read:
            return None
        waiting = self._waiting.get((name, plan.ttl_seconds))
        if waiting is not None:
            sealed = waiting.result(_WAIT_SECONDS)
        else:
            sealed = self._store.get(name, plan.ttl_seconds, plan.largest_bytes + _HEAD_BYTES)
        packed = keys.open(name, sealed) if sealed is not None else None
        found = unpack(packed) if packed is not None else None
        if found is None or not -_SKEW_SECONDS < self._now() - found.created_at < plan.ttl_seconds:
            return None
        return found

    # Into it

    def keep(
        self,
        plan: Plan,
        status: int,
        sent: Sequence[tuple[bytes, bytes]],
        told: Mapping[str, str],
        session_id: str | None,
    ) -> None:
        """An answer that has come to its end, if it is whole: the headers that were `sent` on, and those that
        the provider `told`. Never waits."""
        body = plan.take()
        if status != 200:
            self._answers.add("unfit")
        elif body is None:
            self._answers.add("too_large")
        elif self._waiting_bytes + len(body) > _MOST_WAITING_BYTES:
            self._answers.add("failed")
        else:
            answer = CachedAnswer(kept_headers(sent), body, self._now(), session_id)
            self._begin(plan, answer, {name.lower(): value for name, value in told.items()})

    def _begin(self, plan: Plan, answer: CachedAnswer, told: Mapping[str, str]) -> None:
        sealing: Future[bytes | None] = Future()
        place = (plan.name, plan.ttl_seconds) if plan.name is not None else None
        if place is not None:
            self._waiting[place] = sealing
        self._waiting_bytes += len(answer.body)
        work = self._writer.submit(self._put, plan, answer, told, sealing)
        loop = asyncio.get_running_loop()

        def done(work: Future[str]) -> None:
            with contextlib.suppress(RuntimeError):  # the worker has stopped
                loop.call_soon_threadsafe(self._ended, place, sealing, len(answer.body), work)

        work.add_done_callback(done)

    def _put(
        self, plan: Plan, answer: CachedAnswer, told: Mapping[str, str], sealing: Future[bytes | None]
    ) -> str:
        """In the writer's thread; `sealing` is answered whatever happens."""
        sealed: bytes | None = None
        try:
            if is_whole(plan.asked.endpoint, told, answer.body):
                keys, name = plan.sign()
                sealed = keys.seal(name, pack(answer))
        finally:
            sealing.set_result(sealed)
        if sealed is None:
            return "unfit"
        self._store.put(plan.sign()[1], plan.ttl_seconds, sealed)
        return "stored"

    def _ended(
        self, place: _Place | None, sealing: Future[bytes | None], size_bytes: int, work: Future[str]
    ) -> None:
        self._waiting_bytes -= size_bytes
        if place is not None and self._waiting.get(place) is sealing:
            del self._waiting[place]
        error = work.exception()
        if error is None:
            self._is_away = False
            self._answers.add(work.result())
            return
        self._answers.add("failed")
        self._failed("written to", error)

    def _failed(self, what: str, error: BaseException) -> None:
        """Said once, until something is written again."""
        self._away_until = time.monotonic() + _REST_SECONDS
        if not self._is_away:
            self._is_away = True
            logger.warning("the cache cannot be %s now: %s", what, str(error) or type(error).__name__)


def _why_not(asked: Asked, wish: Wish, mode: CacheMode, secret: bytes | None) -> str | None:
    if mode == "off":
        return "the settings do not let it"
    if asked.grant.provider_key is not None:
        return "nothing is kept of requests with a provider's own key"
    if secret is None:
        return "this temporary credential was made without an API key at hand"
    return refusal(asked.endpoint, asked.wanted, wish)


def _secret(asked: Asked) -> bytes | None:
    grant = asked.grant
    if grant.kind == "api_key" and asked.key is not None:
        return scope_secret(asked.key, grant.project)
    return grant.cache_secret
