"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.order import pytest_addoption as pytest_addoption
from tests.order import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.order import pytest_runtest_logreport as pytest_runtest_logreport
from tests.order import pytest_sessionfinish as pytest_sessionfinish
from tests.postgres import Postgres, running_postgres
from tests.running import STARTED, Voxgate, start_voxgate
from tests.s3 import S3Server, running_s3

# How long an example takes says what else the machine does, nothing about the code.
settings.register_profile("voxgate", deadline=None)
settings.load_profile("voxgate")

# Hundreds of processes are started here: where nothing compiled was kept, each would compile everything.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What thousands of tests are made of lives to the end: to look through it for garbage, again and again, takes
# a fifth of the time of tests in this process.
gc.disable()

# Under nohup it is ignored, and what is started here would take no rolling restart.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of design documents and recorded fixtures, where this checkout has it beside itself."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "fixtures").is_dir():
        pytest.skip("needs the folder ../shared with the recorded fixtures, which this checkout has not")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def new_postgres_url(postgres: Postgres) -> str:
    """An empty database of its own."""
    return postgres.make(f"voxgate_{uuid.uuid4().hex}")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def voxgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    """One running Voxgate with the embedded provider, shared by the tests that only make calls."""
    running = start_voxgate(tmp_path_factory.mktemp("voxgate"))
    STARTED.remove(running)  # it outlives the test that was the first to ask for it
    yield running
    assert running.stop() == 0, "".join(running.output)
