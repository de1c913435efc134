"""Names of packages that load when they are asked are all there, and each loads no more than it is for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from voxgate import store, traces


def test_every_name_is_where_it_is_said_to_be() -> None:
    for package in (store, traces):
        assert all(getattr(package, name) is not None for name in package._PUBLIC)


def test_a_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Shop'"):
        _ = store.Shop  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'Shop'"):
        _ = traces.Shop  # type: ignore[attr-defined]


def test_what_reads_recordings_loads_no_database_and_no_prices() -> None:
    told = (
        "import sys, voxgate.api.archive_process, voxgate.store.blobs; "
        "print([name for name in ('pydantic', 'sqlalchemy', 'voxgate.core.prices') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
