"""Cases of files into a data set of the server: their sounds and event logs first, then all cases at once, so
that nothing is half there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from voxgate.client.datasets import Datasets
from voxgate.evals.loading.sounds import files_of
from voxgate.evals.model import Case, Json

_UPLOADS: Final = 4
"""At the same time."""
_AHEAD: Final = 32
"""Cases whose files are on their way."""
_EVENT_LOG: Final = "application/jsonl"


def import_cases(
    datasets: Datasets,
    dataset_id: str,
    cases: Iterable[Case],
    told: Callable[[int], Any] = lambda _: None,
) -> Json:
    """`{"version", "cases"}`. `told` hears how many cases have all that they need. The same file is sent once
    for each case that names it one after the other; the server keeps it once in any case."""
    with _Uploads(datasets, dataset_id) as uploads:
        answer: Json = datasets.save(dataset_id, _stored(uploads, cases, told))
    return answer


def _stored(uploads: _Uploads, cases: Iterable[Case], told: Callable[[int], Any]) -> Iterator[Json]:
    source, count = iter(cases), 0
    while some := list(itertools.islice(source, _AHEAD)):
        files = {path: uploads.begin(path, kind) for case in some for path, kind in _kinds(case)}
        for case in some:
            yield _with_blobs(case, files).to_json()
            count += 1
            told(count)


def _kinds(case: Case) -> Iterator[tuple[Path, str]]:
    own = {Path(clip.path): clip.content_type for clip in case.input.clips if clip.path is not None}
    for path in files_of(case):
        yield path, own.get(path, _EVENT_LOG)


def _with_blobs(case: Case, files: dict[Path, Future[Json]]) -> Case:
    clips = []
    for clip in case.input.clips:
        if clip.blob is None and clip.path is not None:
            blob = files[Path(clip.path)].result()
            clip = replace(clip, blob=blob["blob"], path=None, duration_ms=blob["duration_ms"])  # noqa: PLW2901 - what it has become
        clips.append(clip)
    recording = case.input.recording
    if recording is not None and (path := Path(recording)) in files:
        recording = files[path].result()["blob"]
    return replace(case, input=replace(case.input, clips=tuple(clips), recording=recording))


class _Uploads:
    """Some at the same time; a file that was just sent is not sent again."""

    def __init__(self, datasets: Datasets, dataset_id: str) -> None:
        self._datasets = datasets
        self._dataset_id = dataset_id
        self._pool = ThreadPoolExecutor(_UPLOADS, "upload")
        self._recent: dict[Path, Future[Json]] = {}

    def __enter__(self) -> _Uploads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, path: Path, content_type: str) -> Future[Json]:
        upload = self._recent.pop(path, None)
        if upload is None:
            upload = self._pool.submit(self._datasets.add_blob, self._dataset_id, path, content_type)
        self._recent[path] = upload
        while len(self._recent) > 2 * _AHEAD:
            del self._recent[next(iter(self._recent))]
        return upload
