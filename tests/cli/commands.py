"""The commands as a user types them, against a Voxgate that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field

from typer.testing import CliRunner

from tests.running import Voxgate
from voxgate.cli.main import app
from voxgate.core.errors import VoxgateError


@dataclass(frozen=True)
class Outcome:
    status: int
    output: str
    errors: str

    @property
    def line(self) -> str:
        """The only one that was printed, of a command that went well."""
        assert self.status == 0, self
        [line] = self.output.splitlines()
        return line


def run_here(voxgate: Voxgate, *arguments: str) -> Outcome:
    """The same in this process, for commands that take most of their time to start."""
    environ = {"VOXGATE_URL": voxgate.url, "VOXGATE_API_KEY": voxgate.key, "COLUMNS": "200"}
    done = CliRunner().invoke(app, arguments, env=environ)
    if isinstance(done.exception, VoxgateError):
        return Outcome(2, done.stdout, done.stderr + done.exception.message)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Outcome(done.exit_code, done.stdout, done.stderr)


@dataclass(frozen=True)
class Command:
    """`here`: in this process, see above; one test of each kind of command starts it as a user does."""

    voxgate: Voxgate
    environ: dict[str, str] = field(default_factory=dict)
    here: bool = False

    def __call__(self, *arguments: str) -> Outcome:
        if self.here:
            return run_here(self.voxgate, *arguments)
        own = {name: value for name, value in os.environ.items() if not name.startswith("VOXGATE_")}
        reach = {"VOXGATE_URL": self.voxgate.url, "VOXGATE_API_KEY": self.voxgate.key, "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, "-m", "voxgate", *arguments],
            env=own | reach | self.environ,
            cwd=self.voxgate.data_dir,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)
