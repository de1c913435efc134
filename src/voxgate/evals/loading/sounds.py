"""Sounds that cases name: which file each is, of what kind, and which of them are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from voxgate.audio.headers import HEAD_BYTES, duration_ms
from voxgate.evals.loading.places import LoadError, Place
from voxgate.evals.model import Case, Clip, Input

CONTENT_TYPES: Final = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".webm": "audio/webm",
}
_SHOWN: Final = 20
_MISSING: Final = (
    "{path}: {count} files that it names are missing. Put them there, or load only the words (--text-only,"
    " text_only=True):"
)
_ID: Final = re.compile(r"[^/\x00-\x1f]{1,200}")


def clip_of(name: str, place: Place, column: str | None = None) -> Clip:
    """A path is relative to the file that names it."""
    path = place.path.parent / name
    content_type = CONTENT_TYPES.get(path.suffix.lower())
    if content_type is None:
        raise place.error(
            f"{name!r} is no sound that can be read; these endings are known: {', '.join(CONTENT_TYPES)}.",
            column,
        )
    return Clip(content_type, path=str(path))


def files_of(case: Case) -> Iterator[Path]:
    """The files of this machine that it names."""
    yield from (Path(clip.path) for clip in case.input.clips if clip.blob is None and clip.path is not None)
    if case.input.recording is not None and not case.input.recording.startswith(("blob_", "sess_")):
        yield Path(case.input.recording)


def check_files(cases: Iterable[Case], path: Path) -> int:
    """How many cases there are. LoadError lists the files that are missing, and a case that is there
    twice."""
    seen: set[str] = set()
    missing: list[str] = []
    count = 0
    for case in cases:
        if not _ID.fullmatch(case.id):
            raise LoadError(f"{path}: {case.id[:80]!r} is no id: 1 to 200 characters, without '/'.")
        if case.id in seen:
            raise LoadError(f"{path}: two cases have the id {case.id!r}; each needs one of its own.")
        seen.add(case.id)
        gone = [file for file in files_of(case) if not _is_there(file)]
        count += len(gone)
        missing += [f"  {file} (case {case.id})" for file in gone[: max(_SHOWN - len(missing), 0)]]
    if missing:
        more = [f"  and {count - _SHOWN} more"] if count > _SHOWN else []
        raise LoadError("\n".join([_MISSING.format(path=path, count=count), *missing, *more]))
    return len(seen)


def _is_there(path: Path) -> bool:
    """LoadError if it is a sound that nobody could play."""
    if not path.is_file():
        return False
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            duration_ms(file.read(HEAD_BYTES), size)
    except ValueError as error:
        raise LoadError(f"{path}: {error}") from error
    if not size:
        raise LoadError(f"{path} is empty.")
    return True


def without_sound(case: Case, path: Path) -> Case:
    """The case in words. LoadError where nobody has written down what is said."""
    if case.input.kind != "audio":
        return case
    if not case.input.text:
        raise LoadError(
            f"{path}: the case {case.id!r} has no words beside its sound, so it cannot be loaded as text."
        )
    return replace(case, input=replace(case.input, kind="text", clips=()))


def with_folder(made: Input, folder: Path) -> Input:
    """Paths relative to the folder become whole ones."""
    clips = tuple(
        clip if clip.path is None else replace(clip, path=str(folder / clip.path)) for clip in made.clips
    )
    recording = made.recording
    if recording is not None and (folder / recording).is_file():
        recording = str(folder / recording)
    return replace(made, clips=clips, recording=recording)
