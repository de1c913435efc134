"""Fixtures for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of design documents and recorded fixtures, where this checkout has it beside itself."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "fixtures").is_dir():
        pytest.skip("needs the folder ../shared with the recorded fixtures, which this checkout has not")
    return folder


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
