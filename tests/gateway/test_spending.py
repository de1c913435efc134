"""Uses that are taken and given back while the database is slow, and what a worker leaves behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.limited import until
from voxgate.auth.credentials import Grant
from voxgate.core.errors import BudgetSpent, LimitUnknown, NoUseLeft
from voxgate.core.prices import PriceTable
from voxgate.gateway import spending as module
from voxgate.gateway.spending import Spending, used
from voxgate.store import Spent, Store

pytestmark = pytest.mark.anyio
ONCE = Grant("temporary", "once", max_uses=1)
TOKENS = Grant("temporary", "tokens", max_tokens=100)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class SlowStore(Store):
    """Takes uses only when it is let."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.let = threading.Event()
        self.let.set()
        self.asked = 0

    def take_use(self, credential_id: str, most: int | None) -> tuple[bool, Spent]:
        self.let.wait(60)
        taken = super().take_use(credential_id, most)
        self.asked += 1
        return taken


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SlowStore]:
    with SlowStore(f"sqlite:///{tmp_path}/voxgate.db") as opened:
        yield opened


@pytest.fixture
async def spending(store: SlowStore) -> AsyncIterator[Spending]:
    made = Spending(store, PriceTable())
    yield made
    store.let.set()
    await asyncio.to_thread(made.stop)


def uses_of(store: Store, credential_id: str) -> int:
    return store.spent_by([credential_id]).get(credential_id, Spent()).uses


async def test_an_answer_that_comes_too_late_takes_no_use(
    store: SlowStore, spending: Spending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WAIT_SECONDS", 0.1)
    store.let.clear()
    with pytest.raises(LimitUnknown):
        await spending.take("sess_1", ONCE)
    store.let.set()
    await until(lambda: store.asked)
    await until(lambda: not uses_of(store, "once"))
    monkeypatch.undo()
    await spending.take("sess_2", ONCE)
    with pytest.raises(NoUseLeft):
        await spending.take("sess_3", ONCE)


async def test_a_client_that_hangs_up_while_its_use_is_taken_has_taken_none(
    store: SlowStore, spending: Spending
) -> None:
    store.let.clear()
    taking = asyncio.create_task(spending.take("sess_1", ONCE))
    await asyncio.sleep(0)
    await until(spending._thread._work_queue.empty)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    store.let.set()
    await until(lambda: store.asked)
    await until(lambda: not uses_of(store, "once"))


async def test_a_use_that_was_taken_is_given_back_once(store: SlowStore, spending: Spending) -> None:
    await spending.take("sess_1", ONCE)
    spending.give_back("sess_1")
    spending.give_back("sess_1")
    spending.finish("sess_1")
    await until(lambda: not uses_of(store, "once"))
    await spending.take("sess_2", ONCE)
    spending.finish("sess_2")
    spending.give_back("sess_2")
    await asyncio.to_thread(spending.stop)
    assert uses_of(store, "once") == 1


async def test_what_is_not_yet_written_is_written_at_the_end(store: SlowStore, spending: Spending) -> None:
    await spending.take("sess_1", TOKENS)
    spending._accounts["tokens"].add(tokens=40, nano_usd=7)
    await asyncio.to_thread(spending.stop)
    assert store.spent_by(["tokens"])["tokens"] == Spent(uses=1, tokens=40, nano_usd=7)


async def test_a_call_learns_what_others_have_written_when_it_is_opened(
    store: SlowStore, spending: Spending
) -> None:
    await spending.take("sess_1", TOKENS)
    store.settle_spending({"tokens": Spent(tokens=100)})
    with pytest.raises(BudgetSpent):
        await spending.take("sess_2", TOKENS)
    assert spending._accounts["tokens"].spent() is not None, "and so does the call that runs"


async def test_an_account_is_forgotten_when_its_calls_are_over_and_written(
    store: SlowStore, spending: Spending
) -> None:
    await spending.take("sess_1", TOKENS)
    await spending.take("sess_2", TOKENS)
    spending._accounts["tokens"].add(tokens=1)
    spending.finish("sess_1")
    await until(lambda: store.spent_by(["tokens"])["tokens"].tokens == 1)
    assert "tokens" in spending._accounts
    spending.finish("sess_2")
    await until(lambda: not spending._accounts)


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        ({}, None),
        ({"max_uses": 3}, {"uses": 2, "tokens": None, "audio_seconds": None, "cost_usd": None}),
        ({"max_tokens": 9}, {"uses": 2, "tokens": 5, "audio_seconds": 1.5, "cost_usd": 0.25}),
    ],
)
async def test_what_is_not_counted_is_not_shown_as_0(scopes: dict[str, Any], shown: Any) -> None:
    spent = Spent(2, 5, 1500, 250_000_000)
    assert used(scopes, spent) == shown
    if shown and shown["tokens"]:
        assert used(scopes, spent + Spent(unpriced=1)) == {**shown, "cost_usd": None}
        assert used(scopes, None) == {"uses": 0, "tokens": 0, "audio_seconds": 0, "cost_usd": 0}
