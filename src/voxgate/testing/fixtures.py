"""Fixtures for the tests of voice applications with pytest: `pytest_plugins = ["voxgate.testing.fixtures"]`
in a `conftest.py`.

    def test_the_agent_looks_the_order_up(voxgate_replay):
        replay = voxgate_replay("recordings/order.jsonl")
        run_my_agent(base_url=replay.base_url, api_key=replay.key)
        replay.assert_played()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from voxgate.testing.replays import Replay, replaying_in_thread


@pytest.fixture
def voxgate_replay() -> Iterator[Callable[..., Replay]]:
    """Starts a replay of an event log; takes what `replaying` takes. They end with the test."""
    with ExitStack() as stack:

        def start(recording: Any, **options: Any) -> Replay:
            return stack.enter_context(replaying_in_thread(recording, **options))

        yield start
