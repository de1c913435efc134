"""The sessions that are to be transcribed, as files of one folder, so that neither a crash nor a stop loses
one or pays for the same words twice.

    transcribe/<session>.todo      a line with what somebody asked for, if so; then a line for each answer
    transcribe/<session>.failed    it cannot be done; inside is why

Who has the lock of a mark does the work.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from voxgate.core.projects import TranscriptionSettings

_TODO: Final = ".todo"

logger = logging.getLogger(__name__)


class Mark:
    """One of them, locked until `close`. `wanted` is None for what the session's project wants."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.wanted: TranscriptionSettings | None = None
        self.facts: list[dict[str, Any]] = []
        """The answers so far."""
        self._path = path
        self._descriptor = descriptor
        text = path.read_bytes()
        whole = text.rfind(b"\n") + 1
        os.ftruncate(descriptor, whole)  # a kill may have cut the last line off: it is asked for again
        for line in text[:whole].splitlines():
            self._take(line)

    def add(self, fact: dict[str, Any]) -> None:
        """What the disk does not take is asked for again after a crash."""
        self.facts.append(fact)
        try:
            os.write(self._descriptor, orjson.dumps(fact) + b"\n")
        except OSError as error:
            logger.warning("%s: %s", self._path, error)

    def close(self) -> None:
        """It stays to be done."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def done(self) -> None:
        self._path.unlink(missing_ok=True)
        self.close()

    def fail(self, reason: str) -> None:
        self._path.with_suffix(".failed").write_text(reason + "\n")
        self.done()

    def _take(self, line: bytes) -> None:
        found = orjson.loads(line)
        if "wanted" in found:
            self.wanted = TranscriptionSettings.model_validate(found["wanted"])
        else:
            self.facts.append(found)


class Marks:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, session_id: str, wanted: TranscriptionSettings | None = None) -> None:
        """A session that has a mark keeps it. OSError when the disk does not take it."""
        line = orjson.dumps({"wanted": wanted.model_dump()}) + b"\n" if wanted is not None else b""
        with contextlib.suppress(FileExistsError), self._path(session_id).open("xb") as file:
            file.write(line)

    def waiting(self) -> Iterable[str]:
        """Oldest first, since ids ascend with time."""
        return sorted(path.name.removesuffix(_TODO) for path in self._folder.glob(f"*{_TODO}"))

    def take(self, session_id: str) -> Mark | None:
        """None if it is gone, or somebody has it."""
        path = self._path(session_id)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Mark(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return None

    def remove(self, session_id: str) -> None:
        self._path(session_id).unlink(missing_ok=True)

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}{_TODO}"
