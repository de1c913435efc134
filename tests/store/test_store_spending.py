"""What credentials have used, counted by processes that share only the database."""

from __future__ import annotations

from tests.store.lockstep import in_lockstep
from voxgate.core.ids import first_id
from voxgate.store import Hold, Spent, Store

TAKE = """
import sys
from voxgate.store import Hold, Spent, Store
with Store(sys.argv[1]) as store:
    print("ready", flush=True)
    for line in sys.stdin:
        name = f"cred {int(line)}"
        taken, _ = store.take_use(name, 1)
        store.settle_spending({"shared": Spent(tokens=3, nano_usd=7), name: Spent()})
        print(int(taken), flush=True)
"""


def test_a_use_is_taken_as_often_as_there_are(store: Store) -> None:
    assert [store.take_use("a", 2)[0] for _ in range(3)] == [True, True, False]
    assert store.take_use("b", 1) == (True, Spent(uses=1))
    assert [store.take_use("c", None)[0] for _ in range(3)] == [True] * 3
    store.settle_spending({"a": Spent(uses=-1)})
    assert [store.take_use("a", 2)[0] for _ in range(2)] == [True, False]


def test_what_is_spent_adds_up(store: Store) -> None:
    assert store.spent_by(["a"]) == {}
    assert store.settle_spending({"a": Spent(tokens=5, audio_ms=20, nano_usd=7)}) == {"a": Spent(0, 5, 20, 7)}
    store.settle_spending({"a": Spent(tokens=-2, unpriced=1), "b": Spent(audio_ms=1)})
    both = {"a": Spent(0, 3, 20, 7, 1), "b": Spent(audio_ms=1)}
    assert store.spent_by(["a", "b", "c"]) == both
    assert store.settle_spending({"a": Spent(), "b": Spent()}) == both
    assert store.take_use("a", 1) == (True, Spent(1, 3, 20, 7, 1))


def test_what_was_given_back_leaves_no_row(store: Store) -> None:
    assert store.take_use("a", 5) == (True, Spent(uses=1))
    store.settle_spending({"b": Spent(tokens=1)})
    assert store.settle_spending({"a": Spent(uses=-1), "b": Spent()}) == {"a": Spent(), "b": Spent(tokens=1)}
    assert store.spent_by(["a", "b"]) == {"b": Spent(tokens=1)}
    assert store.take_use("a", 1) == (True, Spent(uses=1))


def test_what_strangers_used_is_forgotten_when_their_credentials_are_long_over(store: Store) -> None:
    moments = {"cred_old": 1_000, "cred_new": 3_000}
    ids = {name: first_id("cred", moment) + name[-1] for name, moment in moments.items()}
    known = first_id("cred", 1_500)
    store.add_credential({"id": known, "model": None, "created_at": 1_500, "expires_at": 1_600})
    store.settle_spending({each: Spent(uses=1) for each in (*ids.values(), known)})
    assert store.forget_usage_of_strangers(first_id("cred", 2_000)) == 1
    assert set(store.spent_by([*ids.values(), known])) == {ids["cred_new"], known}
    assert store.forget_usage_of_strangers(first_id("cred", 4_000)) == 1


def test_two_processes_never_get_the_last_use_both_and_lose_no_token(url: str, store: Store) -> None:
    taken = list(in_lockstep(TAKE, (url,), (url,), 150))
    assert [sum(both) for both in taken] == [1] * 150
    assert store.spent_by(["shared"])["shared"] == Spent(tokens=900, nano_usd=2100)


def hold(tokens: int, nano_usd: int = 0, *, stated: bool = True, most: int | None = 100) -> Hold:
    return Hold(tokens, nano_usd, most, 1000 if nano_usd else None, stated)


def test_what_requests_may_still_use_is_held_from_the_budget(store: Store) -> None:
    held = Spent(held_tokens=60)
    assert store.take_use_and_hold("a", None, hold(60)) == (held, Spent(uses=1, held_tokens=60))
    assert store.take_use_and_hold("a", None, hold(41)) == (None, Spent(uses=1, held_tokens=60))
    assert store.take_use_and_hold("a", None, hold(40))[0] == Spent(held_tokens=40)
    store.settle_spending({"a": Spent(tokens=10, held_tokens=-60)})
    assert store.take_use_and_hold("a", None, hold(51))[0] is None
    assert store.take_use_and_hold("a", None, hold(50))[0] == Spent(held_tokens=50)


def test_dollars_are_held_too_and_uses_are_kept_to(store: Store) -> None:
    assert store.take_use_and_hold("a", 2, hold(0, 600, most=None))[0] == Spent(held_nano_usd=600)
    assert store.take_use_and_hold("a", 2, hold(0, 401, most=None))[0] is None
    assert store.take_use_and_hold("a", 2, hold(0, 400, most=None))[0] == Spent(held_nano_usd=400)
    store.settle_spending({"a": Spent(held_nano_usd=-1000)})
    assert store.take_use_and_hold("a", 2, hold(0, 1, most=None))[0] is None


def test_who_does_not_say_how_much_it_may_use_holds_the_rest_if_nobody_else_holds_any(store: Store) -> None:
    assert store.take_use_and_hold("a", None, hold(500, stated=False))[0] == Spent(held_tokens=100)
    assert store.take_use_and_hold("a", None, hold(500, stated=False))[0] is None
    store.settle_spending({"a": Spent(tokens=150, held_tokens=-100)})
    assert store.take_use_and_hold("a", None, hold(1, stated=False))[0] is None


HOLD = """
import sys
from voxgate.store import Hold, Store
with Store(sys.argv[1]) as store:
    print("ready", flush=True)
    for line in sys.stdin:
        held, _ = store.take_use_and_hold("shared", None, Hold(1, 0, 60, None, True))
        print(int(held is not None), flush=True)
"""


def test_two_processes_never_hold_more_than_the_budget(url: str, store: Store) -> None:
    taken = list(in_lockstep(HOLD, (url,), (url,), 50))
    assert sum(one + other for one, other in taken) == 60
