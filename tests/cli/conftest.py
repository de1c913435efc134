"""No test leaves a Voxgate behind; and commands that need no process of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running import none_left_running
from voxgate.cli.main import main

RunIn = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """After a test that failed; the children end with their parent."""
    with none_left_running():
        yield


@pytest.fixture
def run_in(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[RunIn]:
    """`voxgate …` in a folder, with no settings of the environment but those given: exit code and all that it
    says. In this process, since a start takes longer than most commands: of `serve` only what fails."""
    for name in [name for name in os.environ if name.startswith("VOXGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")

    def run(folder: Path, *arguments: str, **environ: str) -> tuple[int, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["voxgate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    mask = os.umask(0o077)  # which `serve` sets
    os.umask(mask)
    yield run
    os.umask(mask)
