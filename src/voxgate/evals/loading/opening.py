"""Which module reads a file or folder, by what it is; and the cases of it as data of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from voxgate.client.http import Client
from voxgate.evals.loading.audio_folder import METADATA, has_sounds, read_folder
from voxgate.evals.loading.csv_file import read_csv
from voxgate.evals.loading.exported import is_exported, read_about, read_exported
from voxgate.evals.loading.jsonl_file import read_jsonl
from voxgate.evals.loading.places import LoadError
from voxgate.evals.loading.simulation import read_simulations
from voxgate.evals.loading.sounds import check_files, without_sound
from voxgate.evals.model import Case, Json

_CAN_BE: Final = (
    "a CSV file with a header (.csv), JSON lines (.jsonl), a simulation (.json), or a folder of sounds, of"
    " simulations or of an exported data set"
)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """Read again each time it is asked for, and never held. `notes` is what the reader has to say, after it
    was read."""

    path: Path
    text_only: bool = False
    notes: list[str] = field(default_factory=list)

    def describe(self) -> Json:
        return {"kind": "file", "path": self.path.name, "text_only": self.text_only}

    def pinned(self, client: Client) -> Json | None:
        return None

    def cases(self, client: Client | None = None) -> Iterator[Case]:
        """Only of a file that is right to its end."""
        self.check()
        yield from self._read()

    def check(self) -> int:
        """How many cases there are. LoadError says what is wrong, and where."""
        count = check_files(self._read(), self.path)
        if not count:
            raise LoadError(f"{self.path} has no cases.")
        return count

    def about(self) -> Json:
        """Of an exported data set what it was called and so on."""
        return read_about(self.path) if self.path.is_dir() and is_exported(self.path) else {}

    def _read(self) -> Iterator[Case]:
        for case in _reader_of(self.path, self.notes)():
            yield without_sound(case, self.path) if self.text_only else case


def open_cases(path: str | Path, *, text_only: bool = False) -> CaseFile:
    """LoadError if it is nothing that can be loaded. With `text_only` sounds are left out, and what is said
    in them goes in as text."""
    file = CaseFile(Path(path).absolute(), text_only)
    _reader_of(file.path, file.notes)
    return file


def _reader_of(path: Path, notes: list[str]) -> Callable[[], Iterator[Case]]:
    if path.is_dir():
        return _reader_of_folder(path, notes)
    if not path.is_file():
        raise LoadError(f"There is no file {path}. Cases are loaded from {_CAN_BE}.")
    match path.suffix.lower():
        case ".csv":
            return lambda: read_csv(path)
        case ".jsonl" | ".ndjson":
            return lambda: read_jsonl(path)
        case ".json":
            return lambda: read_simulations(path, notes)
    raise LoadError(f"{path} cannot be loaded. Cases are loaded from {_CAN_BE}.")


def _reader_of_folder(path: Path, notes: list[str]) -> Callable[[], Iterator[Case]]:
    if is_exported(path):
        return lambda: read_exported(path)
    if has_sounds(path) or any((path / name).is_file() for name in METADATA):
        return lambda: read_folder(path)
    if simulations := sorted(path.rglob("sim*.json")):
        return lambda: (case for file in simulations for case in read_simulations(file, notes))
    raise LoadError(f"The folder {path} has no cases. They are loaded from {_CAN_BE}.")
