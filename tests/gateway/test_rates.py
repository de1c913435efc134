"""What a worker lets through in a minute: several of them on one database, and what each of them holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.limited import until
from voxgate.auth.credentials import Grant
from voxgate.core.errors import RateLimited, StoreUnavailable
from voxgate.core.settings import LimitSettings
from voxgate.core.upstreams import RouteSettings
from voxgate.gateway import rates as module
from voxgate.gateway.rates import RateLimit, Rates, duration, rate_limits
from voxgate.store import Draw, Level, Store
from voxgate.testing.clock import Clock

pytestmark = pytest.mark.anyio
FEW = RateLimit("a:requests", "requests", 6, "this API key")
MANY = RateLimit("a:requests", "requests", 600, "this API key")
TOKENS = RateLimit("a:tokens", "tokens", 1000, "this API key")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "now_utc", made.now)
    monkeypatch.setattr(module, "_REFUSING_SECONDS", 0.0)  # that is real time
    return made


class CountingStore(Store):
    """Counts how often it is asked; `away` while the database is."""

    asked = 0
    away = False

    def draw_rates(self, draws: Sequence[Draw], now: float) -> list[tuple[float, Level]]:
        if self.away:
            raise StoreUnavailable("away")
        self.asked += 1
        return super().draw_rates(draws, now)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    with CountingStore(f"sqlite:///{tmp_path}/voxgate.db") as opened:
        yield opened


@pytest.fixture
async def workers(store: CountingStore) -> AsyncIterator[list[Rates]]:
    made = [Rates(store), Rates(store)]
    yield made
    for each in made:
        await asyncio.to_thread(each.stop)


async def passed(worker: Rates, limit: RateLimit, times: int, tokens: float = 0) -> int:
    """How many of so many at once get through."""
    tries = [worker.take((limit,), tokens) for _ in range(times)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    wrong = [each for each in outcomes if isinstance(each, Exception) and not isinstance(each, RateLimited)]
    assert not wrong
    return sum(not isinstance(each, Exception) for each in outcomes)


@pytest.mark.parametrize("limit", [FEW, MANY])
async def test_together_the_workers_let_through_what_the_limit_says(
    workers: list[Rates], clock: Clock, limit: RateLimit
) -> None:
    """To the last one, however many come at once; and a third of a minute later a third of it again."""
    most = limit.per_minute
    tries = most // 2 + 6
    assert sum(await asyncio.gather(*(passed(worker, limit, tries) for worker in workers))) <= most
    assert sum([await passed(worker, limit, 12) for worker in workers]) <= 24
    assert sum(await asyncio.gather(*(passed(worker, limit, 1) for worker in workers))) == 0
    clock.advance(20)
    assert sum([await passed(worker, limit, most // 6 + 6) for worker in (*workers, *workers)]) == most / 3


async def test_a_worker_asks_the_database_for_a_seconds_worth_at_once(
    workers: list[Rates], store: CountingStore, clock: Clock
) -> None:
    assert await passed(workers[0], MANY, 100) == 100
    assert store.asked == 10


async def test_who_is_refused_hears_when_to_come_again_and_then_gets_through(
    workers: list[Rates], clock: Clock
) -> None:
    worker = workers[0]
    assert await passed(worker, FEW, 6) == 6
    with pytest.raises(RateLimited) as refused:
        await worker.take((FEW,))
    assert refused.value.wait_seconds == pytest.approx(10)
    assert str(refused.value) == (
        "Rate limit reached for this API key on requests per min (RPM): Limit 6, Used 6, Requested 1. "
        "Please try again in 10s."
    )
    clock.advance(9.9)
    with pytest.raises(RateLimited):
        await worker.take((FEW,))
    clock.advance(0.101)
    await worker.take((FEW,))


async def test_a_crowd_that_is_refused_does_not_ask_the_database_each_time(
    workers: list[Rates], store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REFUSING_SECONDS", 600.0)
    one = RateLimit("a:requests", "requests", 1, "this API key")
    assert await passed(workers[0], one, 1) == 1
    assert await passed(workers[0], one, 1) == 0
    asked = store.asked
    assert await passed(workers[0], one, 500) == 0
    assert store.asked == asked


async def test_tokens_are_corrected_by_what_was_used(workers: list[Rates], clock: Clock) -> None:
    worker = workers[0]
    first = await worker.take((TOKENS,), 600)
    with pytest.raises(RateLimited) as refused:
        await worker.take((TOKENS,), 600)
    assert refused.value.wait_seconds == pytest.approx(12)
    worker.settle(first, 100)
    second = await worker.take((TOKENS,), 600)
    worker.settle(second, 1200)
    with pytest.raises(RateLimited) as refused:
        await worker.take((TOKENS,), 1)
    assert refused.value.wait_seconds == pytest.approx(18.06)  # 300 too many
    clock.advance(18.1)
    await worker.take((TOKENS,), 1)


async def test_what_one_worker_used_too_much_or_not_at_all_the_others_learn(
    workers: list[Rates], clock: Clock
) -> None:
    one, other = workers
    taken = await one.take((TOKENS,), 900)
    assert await passed(other, TOKENS, 1, 900) == 0
    one.settle(taken, 0)
    one.sweep()
    await until(lambda: not one._settling)
    taken = await other.take((TOKENS,), 900)
    other.settle(taken, 2000)
    other.sweep()
    await until(lambda: not other._settling)
    clock.advance(30)
    assert await passed(one, TOKENS, 1, 1) == 0
    clock.advance(31)
    assert await passed(one, TOKENS, 1, 1) == 1


async def test_what_is_left_is_told_rightly_while_a_worker_puts_something_back(
    workers: list[Rates], store: CountingStore, clock: Clock
) -> None:
    worker = workers[0]
    worker.settle(await worker.take((TOKENS,), 900), 12)
    assert [each.remaining for each in worker.states((TOKENS,))] == [988]
    store.away = True
    worker.sweep()
    assert [each.remaining for each in worker.states((TOKENS,))] == [988]
    await until(lambda: not worker._settling)
    assert [each.remaining for each in worker.states((TOKENS,))] == [988]
    store.away = False
    worker.sweep()
    await until(lambda: not worker._settling)
    assert [each.remaining for each in worker.states((TOKENS,))] == [988]


async def test_more_than_the_limit_itself_never_gets_through(workers: list[Rates]) -> None:
    with pytest.raises(RateLimited, match=r"Request too large .* Limit 1000, Requested 1001") as refused:
        await workers[0].take((TOKENS,), 1001)
    assert refused.value.wait_seconds is None


async def test_of_several_limits_all_hold_and_a_refusal_takes_nothing_of_the_others(
    workers: list[Rates], clock: Clock
) -> None:
    worker, route = workers[0], RateLimit("route:x:requests", "requests", 2, "the route x")
    for _ in range(2):
        await worker.take((FEW, route))
    for _ in range(3):
        with pytest.raises(RateLimited, match="the route x"):
            await worker.take((FEW, route))
    assert await passed(worker, FEW, 10) == 4


async def test_while_the_database_is_away_each_worker_counts_for_itself(
    workers: list[Rates], store: CountingStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store.away = True
    assert [await passed(worker, FEW, 10) for worker in workers] == [6, 6]
    assert "counted by each worker alone" in caplog.text
    store.away = False
    clock.advance(20)
    assert sum([await passed(worker, FEW, 10) for worker in workers]) <= 6


async def test_who_hangs_up_while_it_is_drawn_loses_nothing_of_the_rest(
    workers: list[Rates], clock: Clock
) -> None:
    worker = workers[0]
    task = asyncio.create_task(worker.take((FEW,)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not worker._turn.locked())
    assert await passed(worker, FEW, 10) == 5


async def test_what_a_worker_holds_goes_back_when_it_stops(store: CountingStore, clock: Clock) -> None:
    worker = Rates(store)
    await worker.take((MANY,))
    await asyncio.to_thread(worker.stop)
    [(_, level)] = store.draw_rates([Draw("a:requests", 600)], clock.now().timestamp())
    assert level.left == 599


def grant(kind: Any, **more: Any) -> Grant:
    return Grant(kind, "id1", **more)


@pytest.mark.parametrize(
    ("who", "limits", "expected"),
    [
        (grant("api_key"), {}, []),
        (grant("temporary"), {"requests_per_minute_per_api_key": 5}, []),
        (grant("api_key"), {"requests_per_minute_per_api_key": 5}, [("api_key:id1:requests", 5)]),
        (
            grant("api_key", max_requests_per_minute=3, max_tokens_per_minute=70),
            {"requests_per_minute_per_api_key": 5, "tokens_per_minute_per_api_key": 60},
            [("api_key:id1:requests", 3), ("api_key:id1:tokens", 60)],
        ),
        (
            grant("temporary", max_tokens_per_minute=70),
            {"requests_per_minute_per_credential": 5},
            [("credential:id1:requests", 5), ("credential:id1:tokens", 70)],
        ),
    ],
)
def test_the_lower_one_of_a_keys_limit_and_that_of_the_settings_holds(
    who: Grant, limits: dict[str, int], expected: list[tuple[str, int]]
) -> None:
    found = rate_limits(who, LimitSettings(**limits))
    assert [(each.scope, each.per_minute) for each in found] == expected


def test_a_route_has_its_own() -> None:
    route = RouteSettings(model="gpt-*", providers=["a"], max_requests_per_minute=7, max_tokens_per_minute=8)
    found = rate_limits(grant("api_key"), LimitSettings(), route)
    assert [(each.scope, each.per_minute) for each in found] == [
        ("route:gpt-*:requests", 7),
        ("route:gpt-*:tokens", 8),
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0001, "1ms"), (0.12, "120ms"), (1.5, "1.5s"), (20, "20s"), (360, "6m0s")]
)
def test_durations_are_written_as_the_live_service_does(seconds: float, said: str) -> None:
    assert duration(seconds) == said
