"""A fresh store and a fresh place for blobs for each test, of every kind that there is."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.databases import new_database
from tests.postgres import Postgres
from tests.s3 import S3Server
from voxgate.store import Blobs, FolderBlobs, Store, migrate, schema
from voxgate.store.s3 import S3Blobs
from voxgate.store.staged import StagedBlobs

_SHARED = "voxgate_shared"


@pytest.fixture(scope="session")
def emptied(postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Empties the shared database, and says where it is."""
    url = postgres.make(_SHARED)
    migrate(url)
    tables = [table.name for table in schema.metadata.sorted_tables if table.name != "schema_version"]
    with psycopg.connect(url, autocommit=True) as connection:

        def empty() -> str:
            for table in reversed(tables):
                connection.execute(f"DELETE FROM {table}")  # with nothing in it much faster than TRUNCATE
            connection.execute("ALTER SEQUENCE signals_id_seq RESTART")
            return url

        yield empty


@pytest.fixture
def postgres_url(emptied: Callable[[], str]) -> str:
    return emptied()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/voxgate.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    path = make_url(url).database
    if url.startswith("sqlite") and path:
        new_database(Path(path).parent)
    with Store(url) as opened:
        yield opened


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    """As the recorder of one machine sees them."""
    folder = FolderBlobs(tmp_path / "blobs")
    if request.param == "folder":
        yield folder
        return
    staged = StagedBlobs(folder, request.getfixturevalue("bucket"))
    yield staged
    staged.close()


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Blobs:
    """With nothing in it, as any machine sees it."""
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return S3Blobs(s3.bucket, f"store/{uuid.uuid4().hex}", s3.url)
