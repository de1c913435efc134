"""`voxgate bench` finds the benchmark of a checkout, and says where it is when there is none."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import voxgate
from tests.conftest import REPOSITORY
from voxgate.cli.bench import find_checkout
from voxgate.cli.main import app
from voxgate.core.errors import SettingsError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As from a wheel: the package is in no checkout. The folder in which the command is given."""
    monkeypatch.setattr(voxgate, "__file__", str(tmp_path / "lib" / "site" / "voxgate" / "__init__.py"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_checkout_is_where_the_package_is_from() -> None:
    assert find_checkout() == REPOSITORY


def test_an_installed_package_uses_the_checkout_it_is_called_in(installed: Path) -> None:
    (installed / "src" / "voxgate").mkdir(parents=True)
    shutil.copytree(REPOSITORY / "bench", installed / "bench", ignore=shutil.ignore_patterns(".*", "node*"))
    assert find_checkout() == installed


def test_without_a_checkout_it_says_where_the_benchmark_is(installed: Path) -> None:
    with pytest.raises(SettingsError, match="folder bench/ of Voxgate's source"):
        find_checkout()


def test_what_is_asked_for_reaches_the_benchmark(installed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (installed / "src" / "voxgate").mkdir(parents=True)
    (installed / "bench").mkdir()
    (installed / "bench" / "__main__.py").write_text("import sys; print(sys.argv[1:]); sys.exit(3)")
    words = ["bench", "--rounds", "2", "--peer", "nginx", "--peer", "voxgate", "--load", "voice TLS"]
    result = CliRunner().invoke(app, [*words, "--no-report", "--quick", "--json", "raw.json"])
    assert result.exit_code == 3
    assert capfd.readouterr().out.strip() == str(
        [*words[1:], "--json", str(installed / "raw.json"), "--quick", "--no-report"]
    )


def test_its_options_are_those_of_the_benchmark() -> None:
    import subprocess

    shown = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    for option in ("--rounds", "--quick", "--peer", "--load", "--no-report", "--json"):
        assert f"{option} " in shown or f"{option}]" in shown, option
