"""An S3 server that tests start, with ways to let it fail: see `s3_server`, which is moto's in a process."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class S3Server:
    url: str
    bucket: str
    key_id: str
    secret: str

    @property
    def environ(self) -> dict[str, str]:
        """The keys, as every client of S3 reads them."""
        return {"AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.secret}

    def requests(self) -> list[str]:
        """What it was asked so far: method, path, range, and the fault that it was answered with."""
        found: list[str] = json.loads(self._control("GET", "requests"))
        return found

    @contextmanager
    def failing(self, status: int) -> Iterator[None]:
        """Every request is answered by this status."""
        self._control("PUT", "faults", str(status).encode())
        try:
            yield
        finally:
            self._control("DELETE", "faults")

    def _control(self, method: str, what: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.url}/-/{what}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: bytes = answer.read()
            return data


@contextmanager
def running_s3() -> Iterator[S3Server]:
    command = [sys.executable, "-m", "tests.s3_server"]
    with subprocess.Popen(command, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the S3 server did not start"
        yield S3Server(**json.loads(line))
        process.stdin.close()
        process.wait(30)
