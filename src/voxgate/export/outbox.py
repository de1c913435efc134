"""The sessions that are still to be sent, as empty files of one folder: names and nothing else, so that the
recorder adds one without waiting for anybody, nothing is in memory, and a crash or a stop loses none.

    outbox/<session id>             waits to be sent
    outbox/refused/<session id>     the endpoint will not have it; inside is what it said
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
_REFUSED: Final = "refused"
MOST_WAITING: Final = 100_000
"""Beyond this the oldest are given up: an endpoint that is gone for ever must not fill the disk."""


class Outbox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._refused = folder / _REFUSED

    def add(self, session_id: str) -> None:
        """OSError when the disk does not take it."""
        if not _NAME.fullmatch(session_id) or session_id == _REFUSED:
            raise ValueError(f"{session_id!r} is no id of a session")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / session_id).touch()

    def waiting(self) -> list[str]:
        """Oldest first, since ids ascend with time."""
        return _names(self._folder)

    def has(self, session_id: str) -> bool:
        return (self._folder / session_id).exists()

    def refused(self) -> list[str]:
        return _names(self._refused)

    def done(self, session_id: str) -> None:
        (self._folder / session_id).unlink(missing_ok=True)

    def refuse(self, session_id: str, reason: str) -> None:
        """Put it aside with the reason."""
        self._refused.mkdir(parents=True, exist_ok=True)
        (self._refused / session_id).write_text(reason + "\n")
        self.done(session_id)

    def take_up_refused(self) -> int:
        """They wait again; how many there were."""
        names = self.refused()
        for name in names:
            self.add(name)
            (self._refused / name).unlink(missing_ok=True)
        return len(names)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_file() and _NAME.fullmatch(entry.name))
    except FileNotFoundError:
        return []
