"""An export into a folder: traces from a source, one after the other, into files of one format, with their
sound beside them. What was done stands in a manifest, so that an export that was interrupted goes on where it
was, and one that is run again brings only what is new.

    manifest.jsonl            {"version", "format"}, then a line for each session that is whole
    files/                    <id>/trace.json, events.jsonl and tracks
    jsonl, braintrust         sessions.jsonl or braintrust.jsonl, and audio/<id>/…
    parquet                   sessions/part-00001.parquet, spans/part-00001.parquet, and audio/<id>/…
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Literal, Protocol

from voxgate.core.errors import InvalidRequest, VoxgateError
from voxgate.export import braintrust, tables
from voxgate.export.view import SessionView
from voxgate.traces.events import Json, objects

Format = Literal["files", "jsonl", "parquet", "braintrust"]
Sound = Literal["wav", "flac", "ogg"]
TRACKS: Final = ("user", "assistant", "heard", "mix")
MANIFEST: Final = "manifest.jsonl"
_VERSION: Final = 1
_PART_SESSIONS: Final = 200


class Source(Protocol):
    """Where traces and sound come from. VoxgateError for what is not there."""

    def trace(self, session_id: str) -> Json: ...

    def events(self, session_id: str) -> Iterator[bytes]: ...

    def track(self, session_id: str, track: str, kind: Sound) -> Iterator[bytes]: ...

    def clip(self, session_id: str, attachment_id: str) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class Wanted:
    """What goes along with the traces."""

    tracks: tuple[str, ...] = TRACKS
    sound: Sound = "wav"
    clips: bool = False
    events: bool = False
    public_url: str = ""


def writer_for(kind: Format, folder: Path, source: Source, wanted: Wanted) -> FolderWriter:
    """InvalidRequest when the folder holds an export of another format."""
    kinds: dict[Format, type[FilesWriter | LinesWriter | ParquetWriter]] = {
        "files": FilesWriter,
        "jsonl": LinesWriter,
        "parquet": ParquetWriter,
        "braintrust": BraintrustWriter,
    }
    if kind == "parquet":
        tables.check_parquet()
    return kinds[kind](folder, source, wanted, Manifest(folder, kind))


def write_one(folder: Path, source: Source, wanted: Wanted, session_id: str) -> None:
    """A session as files right in the folder. What is there of another one is written over."""
    folder.mkdir(parents=True, exist_ok=True)
    SingleWriter(folder, source, wanted, NoManifest()).add(session_id)


class NoManifest:
    """Of an export that does not go on."""

    done: ClassVar[dict[str, Json]] = {}
    last: ClassVar[Json] = {}

    def add(self, lines: Iterable[Json]) -> None:
        pass

    def close(self) -> None:
        pass


class Manifest:
    """Which sessions are whole, and how far the files are theirs."""

    def __init__(self, folder: Path, kind: Format) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / MANIFEST
        lines = self._read(kind)
        self.done: dict[str, Json] = {line["id"]: line for line in lines}
        self.last: Json = lines[-1] if lines else {}
        self._file = self._path.open("ab")
        if self._file.tell() == 0:
            self._append({"version": _VERSION, "format": kind})

    def _read(self, kind: Format) -> list[Json]:
        """A last line that was not written as a whole is cut off."""
        data = self._path.read_bytes() if self._path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        lines = [json.loads(line) for line in whole.splitlines()]
        if lines and lines[0].get("format") != kind:
            raise InvalidRequest(
                f"{self._path.parent} holds an export with the format {lines[0].get('format')!r};"
                " choose another folder, or that format to go on with it."
            )
        return lines[1:]

    def add(self, lines: Iterable[Json]) -> None:
        for line in lines:
            self.done[line["id"]] = line
            self._append(line)
        os.fsync(self._file.fileno())

    def _append(self, line: Json) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class FolderWriter(ABC):
    """`add` brings a session, unless it is there. Use it as a context manager."""

    overwrites = False
    """Whether files that are there are fetched again."""

    def __init__(self, folder: Path, source: Source, wanted: Wanted, manifest: Manifest | NoManifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.written_bytes = 0
        self._source = source
        self._wanted = wanted

    def __enter__(self) -> FolderWriter:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.finish()
        finally:
            self.manifest.close()

    def has(self, session_id: str) -> bool:
        return session_id in self.manifest.done

    def add(self, session_id: str) -> None:
        trace = self._source.trace(session_id)
        audio = self._write_sound(trace, self._sound_folder(session_id))
        if self._wanted.events:
            self._fetch(self._events_path(session_id), self._source.events(session_id))
        self._write(trace, audio)

    @abstractmethod
    def _write(self, trace: Json, audio: Json) -> None:
        """The trace itself, and its line in the manifest."""

    def finish(self) -> None:  # noqa: B027 - most hold nothing back
        """What was held back, if anything."""

    def _sound_folder(self, session_id: str) -> Path:
        return self.folder / "audio" / session_id

    def _events_path(self, session_id: str) -> Path:
        return self.folder / "events" / f"{session_id}.jsonl"

    def _write_sound(self, trace: Json, folder: Path) -> Json:
        """Where each track is, from the folder of the export."""
        audio: Json = {}
        for track in self._wanted.tracks:
            if track in (trace.get("tracks") or {}):
                path = folder / f"{track}.{self._wanted.sound}"
                pieces = self._source.track(trace["id"], track, self._wanted.sound)
                if self._fetch(path, pieces):
                    audio[track] = self._relative(path)
        if self._wanted.clips:
            self._write_clips(trace, folder)
        return audio

    def _write_clips(self, trace: Json, folder: Path) -> None:
        """Each attachment of a span gets a `file`. Those of the session are its tracks."""
        for span in trace["spans"]:
            for attachment in objects(span, "attachments") if span["type"] != "session" else []:
                path = folder / f"{attachment['id']}.wav"
                if self._fetch(path, self._source.clip(trace["id"], attachment["id"])):
                    attachment["file"] = self._relative(path)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _fetch(self, path: Path, pieces: Iterator[bytes]) -> bool:
        """A file appears as a whole; one that is there was fetched by the run before. False if there is
        nothing to fetch, as when the sound was deleted."""
        if path.exists() and not self.overwrites:
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                for piece in pieces:
                    self.written_bytes += file.write(piece)
        except VoxgateError as error:
            part.unlink()
            if error.status != 404:
                raise
            return False
        part.replace(path)
        return True


class FilesWriter(FolderWriter):
    """A folder for each session."""

    def _sound_folder(self, session_id: str) -> Path:
        return self.folder / session_id

    def _events_path(self, session_id: str) -> Path:
        return self._sound_folder(session_id) / "events.jsonl"

    def _write(self, trace: Json, audio: Json) -> None:
        path = self._sound_folder(trace["id"]) / "trace.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**trace, "audio": audio}, indent=2))
        self.manifest.add([{"id": trace["id"]}])


class SingleWriter(FilesWriter):
    """One session, and the folder is its own."""

    overwrites = True

    def _sound_folder(self, session_id: str) -> Path:
        return self.folder


class _AppendedFile:
    """A file of lines, cut to where the manifest says that whole sessions end."""

    def __init__(self, path: Path, end: int) -> None:
        self._file: BinaryIO = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(end)
        self._file.seek(end)

    def append(self, lines: Iterable[Json]) -> int:
        """Where it ends then."""
        for line in lines:
            self._file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class LinesWriter(FolderWriter):
    """One line for each session."""

    name = "sessions.jsonl"

    def __init__(self, folder: Path, source: Source, wanted: Wanted, manifest: Manifest | NoManifest) -> None:
        super().__init__(folder, source, wanted, manifest)
        self._file = _AppendedFile(folder / self.name, int(manifest.last.get("end", 0)))

    def _write(self, trace: Json, audio: Json) -> None:
        end = self._file.append(self._lines(trace, audio))
        self.manifest.add([{"id": trace["id"], "end": end}])

    def _lines(self, trace: Json, audio: Json) -> list[Json]:
        return [{**trace, "audio": audio}]

    def finish(self) -> None:
        self._file.close()


class BraintrustWriter(LinesWriter):
    """One line for each span."""

    name = "braintrust.jsonl"

    def __init__(self, folder: Path, source: Source, wanted: Wanted, manifest: Manifest | NoManifest) -> None:
        super().__init__(folder, source, wanted, manifest)
        self._above: dict[str, Json | None] = {}

    def _lines(self, trace: Json, audio: Json) -> list[Json]:
        view = SessionView(trace, self._wanted.public_url, self._found)
        attachments = [one for span in view.spans for one in objects(span, "attachments")]
        files = {view.clip_url(one): one["file"] for one in attachments if "file" in one}
        lines = braintrust.rows(view, lambda url: files.get(url, url))
        if lines and audio:
            lines[0]["metadata"]["audio"] = audio
        return lines

    def _found(self, session_id: str) -> Json | None:
        """A session that others work for, of which several may come one after the other."""
        if session_id not in self._above:
            try:
                self._above = {session_id: self._source.trace(session_id)}
            except VoxgateError as error:
                if error.status not in (403, 404):
                    raise
                self._above = {session_id: None}
        return self._above[session_id]


class ParquetWriter(FolderWriter):
    """Two tables in parts; a part is there with all its sessions or not at all."""

    def __init__(self, folder: Path, source: Source, wanted: Wanted, manifest: Manifest | NoManifest) -> None:
        super().__init__(folder, source, wanted, manifest)
        self._part = int(manifest.last.get("part", 0))
        self._sessions: list[Json] = []
        self._spans: list[Json] = []

    def _write(self, trace: Json, audio: Json) -> None:
        self._sessions.append(tables.session_row(trace, audio))
        self._spans += tables.span_rows(trace)
        if len(self._sessions) >= _PART_SESSIONS:
            self.finish()

    def finish(self) -> None:
        if not self._sessions:
            return
        self._part += 1
        self._write_part("sessions", tables.SESSION_COLUMNS, self._sessions)
        self._write_part("spans", tables.SPAN_COLUMNS, self._spans)
        self.manifest.add({"id": row["id"], "part": self._part} for row in self._sessions)
        self._sessions, self._spans = [], []

    def _write_part(self, table: str, columns: dict[str, str], rows: list[Any]) -> None:
        path = self.folder / table / f"part-{self._part:05}.parquet"
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        tables.write_parquet(temporary, columns, rows)
        self.written_bytes += temporary.stat().st_size
        temporary.replace(path)
