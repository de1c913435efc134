"""What programs import from `voxgate` itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

import voxgate


def test_every_public_name_is_there_and_importing_the_package_loads_none_of_them() -> None:
    asked = "import sys, voxgate; print([name for name in sys.modules if name.startswith('voxgate.')])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for name in voxgate._PUBLIC:
        assert getattr(voxgate, name).__name__ == name


def test_a_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Evil'"):
        voxgate.Evil  # noqa: B018
