"""The tests of the example in examples/testing, run as their reader runs them."""

from __future__ import annotations

import os
import sys

import pytest

from tests.clients.programs import EXAMPLES, environment, run

pytestmark = pytest.mark.anyio


async def test_the_examples_own_tests_pass_without_a_server() -> None:
    flags = ("-q", "-c", os.devnull, "-p", "no:cacheprovider", "test_agent.py")
    finished = await run(sys.executable, "-m", "pytest", *flags, cwd=EXAMPLES / "testing", env=environment())
    assert finished.status == 0, finished.output
    assert "2 passed" in finished.output
