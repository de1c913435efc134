"""What other processes ask of a worker."""

from __future__ import annotations

import threading

import pytest

from tests.gateway.conftest import ON_UVLOOP
from tests.gateway.limited import until
from voxgate.core.errors import StoreUnavailable
from voxgate.gateway.signals import Signal, SignalFollower

pytestmark = [pytest.mark.anyio, ON_UVLOOP]


class MovingStore:
    """Is away for the first looks, and then has one signal."""

    def __init__(self, away: int) -> None:
        self.looks = 0
        self.askers: set[int] = set()
        self._away = away

    def signals_after(self, last: int) -> list[Signal]:
        self.looks += 1
        self.askers.add(threading.get_ident())
        if self.looks <= self._away:
            raise StoreUnavailable("The database is away.")
        return [(8, "end", "sess_1")] if last < 8 else []


async def test_a_database_that_comes_back_is_followed_from_where_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, ended = MovingStore(away=2), list[tuple[str, int]]()
    actions = {"end": lambda target: ended.append((target, threading.get_ident()))}
    follower = SignalFollower(store, 7, set(), actions)  # type: ignore[arg-type]
    try:
        await until(lambda: store.looks > 4)
    finally:
        await follower.stop()
    assert ended == [("sess_1", threading.get_ident())], "once, and on the event loop"
    assert threading.get_ident() not in store.askers, "calls do not wait while the database is asked"
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told == ["what others ask of the workers cannot be read now: The database is away."]
    assert not [thread for thread in threading.enumerate() if thread.name == "follow-signals"]
