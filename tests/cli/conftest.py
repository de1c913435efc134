"""No test leaves a Voxgate behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running import STARTED


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """After a test that failed; the children end with their parent."""
    before = len(STARTED)
    yield
    for each in STARTED[before:]:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait(10)
