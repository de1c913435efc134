"""The names of `voxgate.store` are all there, and each loads no more than it is for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from voxgate import store


def test_every_name_is_where_it_is_said_to_be() -> None:
    assert all(getattr(store, name) is not None for name in store._PUBLIC)


def test_a_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Shop'"):
        _ = store.Shop  # type: ignore[attr-defined]


def test_what_reads_recordings_loads_no_database() -> None:
    told = "import sys, voxgate.api.archive_process, voxgate.store.blobs; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
