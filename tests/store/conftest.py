"""A fresh store and a fresh folder of blobs for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from voxgate.store import FolderBlobs, Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/voxgate.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")
