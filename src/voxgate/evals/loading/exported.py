"""A data set as a folder, which can be given away and loaded again: `dataset.json` says what it is,
`cases.jsonl` has its cases, `blobs/` their sounds and event logs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from voxgate.client.datasets import Datasets
from voxgate.evals.loading.jsonl_file import read_jsonl, read_value
from voxgate.evals.loading.places import Place
from voxgate.evals.loading.sounds import CONTENT_TYPES
from voxgate.evals.model import Case, Clip, Json

ABOUT: Final = "dataset.json"
CASES: Final = "cases.jsonl"
_BLOBS: Final = "blobs"
_FORMAT: Final = 1
_KEPT: Final = ("name", "description", "metadata", "project")
_ENDINGS: Final = {kind: ending for ending, kind in reversed(CONTENT_TYPES.items())}


def is_exported(folder: Path) -> bool:
    return (folder / ABOUT).is_file() and (folder / CASES).is_file()


def read_about(folder: Path) -> Json:
    """The data set's name, description, metadata and version."""
    place = Place(folder / ABOUT)
    about = read_value(place.path.read_bytes(), place)
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise place.error(f"it is no data set of the format {_FORMAT} that this Voxgate reads.")
    return about


def read_exported(folder: Path) -> Iterator[Case]:
    read_about(folder)
    return read_jsonl(folder / CASES)


def export_dataset(
    datasets: Datasets, row: Json, version: int, folder: Path, told: Callable[[int], Any] = lambda _: None
) -> int:
    """Into an empty folder, case by case; how many there were. `told` hears of each."""
    (folder / _BLOBS).mkdir(parents=True)
    fetched: set[str] = set()
    count = 0
    with (folder / CASES).open("w", encoding="utf-8") as file:
        for count, body in enumerate(datasets.cases(row["id"], version), 1):
            case = Case.from_json(body)
            for blob, name in _blobs(case):
                if blob not in fetched:
                    _fetch(datasets, row["id"], blob, folder / name)
                    fetched.add(blob)
            file.write(json.dumps(_local(case).to_json(), ensure_ascii=False) + "\n")
            told(count)
    about = {"format": _FORMAT, "version": version, **{name: row[name] for name in _KEPT}}
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return count


def _blobs(case: Case) -> Iterator[tuple[str, str]]:
    """With the name that each has in the folder."""
    yield from ((clip.blob, _clip_name(clip)) for clip in case.input.clips if clip.blob is not None)
    if case.input.recording is not None:
        yield case.input.recording, _recording_name(case.input.recording)


def _clip_name(clip: Clip) -> str:
    return f"{_BLOBS}/{clip.blob}{_ENDINGS.get(clip.content_type, '.wav')}"


def _recording_name(blob: str) -> str:
    return f"{_BLOBS}/{blob}.jsonl"


def _local(case: Case) -> Case:
    clips = tuple(replace(clip, blob=None, path=_clip_name(clip)) for clip in case.input.clips)
    recording = None if case.input.recording is None else _recording_name(case.input.recording)
    return replace(case, input=replace(case.input, clips=clips, recording=recording))


def _fetch(datasets: Datasets, dataset_id: str, blob: str, path: Path) -> None:
    with path.open("wb") as file:
        file.writelines(datasets.blob(dataset_id, blob))
