"""A folder of sounds: each is a case. What is said in it may be in a .txt file beside it, and all else in a
`metadata.jsonl` (or .csv) that names the files, as data sets of speech are often published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from voxgate.evals.loading.csv_file import read_csv
from voxgate.evals.loading.jsonl_file import read_jsonl
from voxgate.evals.loading.places import Place
from voxgate.evals.loading.rows import id_of_file
from voxgate.evals.loading.sounds import CONTENT_TYPES, clip_of
from voxgate.evals.model import Case, Input

METADATA: Final = ("metadata.jsonl", "metadata.csv")


def has_sounds(folder: Path) -> bool:
    return any(True for _ in _sounds(folder))


def read_folder(folder: Path) -> Iterator[Case]:
    """In the order of their paths. With a metadata file the cases are those that it names."""
    for name in METADATA:
        if (folder / name).is_file():
            read = read_csv if name.endswith(".csv") else read_jsonl
            yield from (_with_words(case) for case in read(folder / name))
            return
    for path in _sounds(folder):
        relative = path.relative_to(folder)
        clip = clip_of(path.name, Place(path))
        yield _with_words(Case(id_of_file(relative), Input("audio", clips=(clip,))))


def _sounds(folder: Path) -> Iterator[Path]:
    found = (path for path in folder.rglob("*") if path.suffix.lower() in CONTENT_TYPES)
    yield from sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def _with_words(case: Case) -> Case:
    """Those of the .txt file, where the case has none."""
    if case.input.text or not case.input.clips or not case.input.clips[0].path:
        return case
    words = Path(case.input.clips[0].path).with_suffix(".txt")
    if not words.is_file():
        return case
    try:
        text = words.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise Place(words).error(f"it is not UTF-8: {error}.") from error
    return replace(case, input=replace(case.input, text=text or None))
