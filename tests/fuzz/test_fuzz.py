"""A short fuzz of a whole Voxgate: wrong keys, heads, messages and frames. `make fuzz` goes on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.campaign import Broken, check_message
from tests.fuzz.house import House, running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, House]]:
    with asyncio.Runner() as runner:
        opened = running(tmp_path_factory.mktemp("fuzz"))
        yield runner, runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 1 << 64))
def test_no_mutation_is_accepted_and_none_is_a_crash(house: tuple[asyncio.Runner, House], seed: int) -> None:
    runner, standing = house
    runner.run(standing.campaign.round(Random(seed)))
    standing.check()


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("fake-locks", b'{"type":"x","session":{"instructions":"a"},"session":{}}'),
        ("fake-locks", b'{"type":"x","session":{},"session":{"\\u0069nstructions":"a"}}'),
        ("fake-events", b'{"type":"session.update","type":"conversation.item.delete"}'),
        ("fake-events", b'{"type":"session.update","session":{"tools":[{"type":"mcp"}]}}'),
        ("fake-events", b"no event at all"),
        ("fake-models", b'{"type":"x","session":{"model":"other","model":"fake-models"}}'),
    ],
)
def test_the_check_sees_what_must_not_reach_the_provider(model: str, text: bytes) -> None:
    with pytest.raises(Broken):
        check_message(model, text)
