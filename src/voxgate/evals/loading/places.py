"""Where in a file something is, for errors that say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxgate.core.errors import InvalidRequest


class LoadError(InvalidRequest):
    """A file that cannot be loaded: which, where, why, and what to do."""

    code = "invalid_file"


@dataclass(frozen=True, slots=True)
class Place:
    path: Path
    line: int | None = None

    def __str__(self) -> str:
        return str(self.path) if self.line is None else f"{self.path}, line {self.line}"

    def error(self, what: str, column: str | None = None) -> LoadError:
        return LoadError(f"{self}{f', column {column}' if column else ''}: {what}")
