"""Leases: how many calls run under one limit, counted by processes that share only the database."""

from __future__ import annotations

import pytest

from tests.store.lockstep import in_lockstep
from voxgate.core import clock
from voxgate.store import Store

TAKE = """
import sys
from voxgate.store import Store
with Store(sys.argv[1]) as store:
    print("ready", flush=True)
    for line in sys.stdin:
        print(int(store.take_lease((f"key {int(line)}", sys.argv[2]), 1, 60)), flush=True)
"""


def test_no_more_leases_of_a_scope_are_out_than_may_be(store: Store) -> None:
    assert [store.take_lease(("a", f"sess_{n}"), 2, 60) for n in range(3)] == [True, True, False]
    assert store.take_lease(("b", "sess_3"), 2, 60)
    store.give_back_leases([("a", "sess_0"), ("b", "sess_1")])
    assert [store.take_lease(("a", f"sess_{n}"), 2, 60) for n in (4, 5)] == [True, False]


def test_who_holds_a_lease_may_take_it_again(store: Store) -> None:
    assert store.take_lease(("a", "sess_1"), 1, 60)
    assert store.take_lease(("a", "sess_1"), 1, 60)
    assert not store.take_lease(("a", "sess_2"), 1, 60)


def test_the_leases_of_a_worker_that_died_expire_and_those_refreshed_do_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.unix_seconds()
    assert store.take_lease(("a", "of the dead"), 2, 20)
    assert store.take_lease(("a", "of the living"), 2, 20)
    monkeypatch.setattr(clock, "unix_seconds", lambda: now + 15)
    store.refresh_leases([("a", "of the living")], 20)
    assert not store.take_lease(("a", "new"), 2, 20)
    monkeypatch.setattr(clock, "unix_seconds", lambda: now + 21)
    assert store.take_lease(("a", "new"), 2, 20)
    assert not store.take_lease(("a", "newer"), 2, 20)


def test_a_refresh_puts_back_what_is_missing_and_forgets_what_expired(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.unix_seconds()
    assert store.take_lease(("a", "old"), 5, 1)
    monkeypatch.setattr(clock, "unix_seconds", lambda: now + 2)
    store.refresh_leases([("a", f"sess_{n}") for n in range(2_000)], 20)
    monkeypatch.setattr(clock, "unix_seconds", lambda: now)
    assert not store.take_lease(("a", "new"), 2_000, 20)
    assert store.take_lease(("a", "new"), 2_001, 20)
    store.give_back_leases([("a", f"sess_{n}") for n in range(2_000)])
    assert not store.take_lease(("a", "newer"), 1, 20)
    assert store.take_lease(("a", "newer"), 2, 20)


def test_two_processes_never_both_get_the_last_lease(url: str, store: Store) -> None:
    taken = list(in_lockstep(TAKE, (url, "first"), (url, "second"), 150))
    assert [sum(both) for both in taken] == [1] * 150
