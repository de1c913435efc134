"""What calls came to: sums and percentiles over time and by group, in both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from voxgate.core.clock import iso_utc
from voxgate.store import Asked, Store

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR_MS = 3_600_000


def asked(hours: float = 4, **more: Any) -> Asked:
    return Asked(**{"start": NOON, "end": NOON + timedelta(hours=hours), "bucket_ms": HOUR_MS} | more)


def call(store: Store, number: int, hours: float, v2v: float | None = None, **row: Any) -> None:
    data = row.pop("data", {}) | {"metrics": {"v2v_p50": v2v, **row.pop("metrics", {})}}
    started_at = iso_utc(NOON + timedelta(hours=hours))
    base = {"id": f"sess_{number}", "project": "shop", "status": "complete", "started_at": started_at}
    store.save_session({**base, "data": data, **row})


def nearest_rank(values: list[float], percent: int) -> float | None:
    return sorted(values)[-(-len(values) * percent // 100) - 1] if values else None


def test_calls_are_counted_in_buckets_without_gaps(store: Store) -> None:
    call(store, 1, 0.5, duration_ms=1000.0, cost_usd=0.5, turns=2, interruptions=1)
    call(store, 2, 0.9, duration_ms=3000.0, status="failed", data={"errors": [{"code": "x"}, {"code": "y"}]})
    call(store, 3, 3.1, cost_usd=0.25, metrics={"tool_error_rate": 0.5})
    call(store, 4, 4.0)
    call(store, 5, -0.1)
    found = store.session_stats(asked())
    assert [bucket["calls"] for bucket in found["buckets"]] == [2, 0, 0, 1]
    assert found["start"] == found["buckets"][0]["start"] == "2026-11-20T12:00:00.000Z"
    first, total = found["buckets"][0], found["total"]
    assert (first["duration_ms"], first["cost_usd"], first["priced"]) == (4000, 0.5, 1)
    assert (first["failed"], first["errors"], first["with_errors"]) == (1, 2, 1)
    assert (total["calls"], total["cost_usd"], total["with_failed_tools"]) == (3, 0.75, 1)
    assert found["buckets"][1]["v2v"] == {"p50": None, "p95": None}


def test_percentiles_are_those_of_plain_python(store: Store) -> None:
    random = Random(3)
    values: dict[int, list[float]] = {}
    for number in range(60):
        hour = random.randrange(4)
        v2v = random.choice([None, float(random.randrange(3000))])
        call(store, number, hour + random.random() * 0.99, v2v)
        values.setdefault(hour, []).extend([] if v2v is None else [v2v])
    found = store.session_stats(asked())
    for hour, bucket in enumerate(found["buckets"]):
        assert bucket["v2v"] == {f"p{p}": nearest_rank(values.get(hour, []), p) for p in (50, 95)}
    everything = [value for some in values.values() for value in some]
    assert found["total"]["v2v"] == {f"p{p}": nearest_rank(everything, p) for p in (50, 95)}


def test_groups_have_their_own_figures_and_a_session_counts_for_each_of_its_tags(store: Store) -> None:
    call(store, 1, 1, 100.0, model="a", tags=["vip", "new"])
    call(store, 2, 2, 300.0, model="b", tags=["vip"])
    call(store, 3, 2, 500.0, model="b", tags=["vip*"])
    groups: Callable[[str], list[tuple[str, int, float | None]]] = lambda by: [  # noqa: E731
        (group["value"], group["calls"], group["v2v"]["p95"])
        for group in store.session_stats(asked(), by)["groups"]
    ]
    assert groups("model") == [("b", 2, 500.0), ("a", 1, 100.0)]
    assert groups("tag") == [("vip", 2, 300.0), ("new", 1, 100.0), ("vip*", 1, 500.0)]
    assert groups("project") == [("shop", 3, 500.0)]


def test_a_filter_and_a_project_narrow_what_is_counted(store: Store) -> None:
    call(store, 1, 1, model="a")
    call(store, 2, 1, model="b")
    call(store, 3, 1, model="a", project="lab")
    assert store.session_stats(asked(q="model:a"))["total"]["calls"] == 2
    assert store.session_stats(asked(q="model:a", project="shop"), "tag")["total"]["calls"] == 1


@pytest.mark.parametrize(("offset_hours", "calls"), [(0, [1, 2]), (4, [0, 3]), (-2, [2, 1])])
def test_days_are_those_of_the_time_zone(store: Store, offset_hours: int, calls: list[int]) -> None:
    for number, hours in enumerate((9, 13, 24)):  # 21:00, 01:00 and noon of the next day, in UTC
        call(store, number, hours)
    days = asked(hours=26, bucket_ms=24 * HOUR_MS, offset_ms=offset_hours * HOUR_MS)
    assert [bucket["calls"] for bucket in store.session_stats(days)["buckets"]] == calls
