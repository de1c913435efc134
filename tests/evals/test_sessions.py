"""Recorded calls are waited for, and not for ever."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.client.http import ApiError
from voxgate.evals.protocols import TaskError
from voxgate.evals.sessions import ApiSessions

pytestmark = pytest.mark.anyio


class Answers:
    """A Voxgate that answers these, one after the other, and the last one for ever."""

    def __init__(self, *statuses: str | None) -> None:
        self.statuses = list(statuses)

    def call(self, method: str, path: str) -> Any:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            raise ApiError("There is no such session.", 404)
        return {"id": path.rsplit("/", 1)[1], "status": status}


def sessions(*statuses: str | None, **seconds: float) -> ApiSessions:
    client: Any = Answers(*statuses)
    return ApiSessions(client, **seconds)


async def test_a_call_is_waited_for_until_it_is_over() -> None:
    found = await sessions(None, "live", "live", "complete").finished("sess_1")
    assert (found.id, found.status) == ("sess_1", "complete")


async def test_an_id_that_is_wrong_is_not_waited_for_as_long_as_a_call() -> None:
    with pytest.raises(TaskError, match="sess_1 is not recorded after 0 s"):
        await sessions(None, longest_seconds=1e9, unknown_seconds=0).finished("sess_1")


async def test_a_call_that_hangs_is_given_up() -> None:
    with pytest.raises(TaskError, match="sess_1 has not ended after 0 s"):
        await sessions("live", longest_seconds=0, unknown_seconds=1e9).finished("sess_1")
