"""A fresh world for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.api.world import ADMIN_KEY, World
from tests.databases import new_database
from voxgate.auth.keys import KeyRing
from voxgate.auth.tokens import TokenBox
from voxgate.store import FolderBlobs, Store


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Store(new_database(tmp_path)) as store:
        keys = KeyRing(store, ADMIN_KEY)
        made = World(store, FolderBlobs(tmp_path / "blobs"), keys, TokenBox({"k": os.urandom(32)}))
        yield made
        made.app.state.control.archive.close()


@pytest.fixture
def client(world: World) -> TestClient:
    return world.client()
