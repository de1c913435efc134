"""No test leaves a Voxgate behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running import none_left_running


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """After a test that failed; the children end with their parent."""
    with none_left_running():
        yield
