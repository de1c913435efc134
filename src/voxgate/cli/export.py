"""`voxgate sessions export`: which sessions of the running Voxgate go where. `export.folder` writes them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import typer
from rich.console import Console

from voxgate.client.http import ApiError, Client
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.export.folder import TRACKS, FolderWriter, Format, Sound, Wanted, write_one, writer_for

EXAMPLES: Final = (
    "Examples:  voxgate sessions export sess_… --to call   ·   "
    "voxgate sessions export --project support --q 'last:7d' --format jsonl --to week   ·   "
    "voxgate sessions export --all --format parquet --no-audio --to calls   ·   "
    "voxgate sessions export --q 'status:failed' --format braintrust --to failed   ·   "
    "Run it again to go on, or to bring what is new."
)
_PAGE: Final = 200
_SAY_SECONDS: Final = 1.0


def export(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Sessions by their ids.")] = None,
    project: Annotated[str | None, typer.Option(help="All sessions of this project.")] = None,
    q: Annotated[str | None, typer.Option(help="All that this filter finds, as in the web app.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All sessions.")] = False,
    to: Annotated[Path, typer.Option(help="The folder; made if it is not there.")] = Path(),
    kind: Annotated[
        str,
        typer.Option(
            "--format", help="files (a folder for each; of one, the folder), jsonl, parquet, braintrust."
        ),
    ] = "files",
    audio: Annotated[bool, typer.Option(help="Also the sound.")] = True,
    audio_format: Annotated[str, typer.Option(help="wav, flac or ogg.")] = "wav",
    track: Annotated[
        list[str] | None, typer.Option(help="user, assistant, heard or mix; may be repeated (all).")
    ] = None,
    clips: Annotated[
        bool | None, typer.Option(help="Also the clip of each span (only for braintrust).")
    ] = None,
    events: Annotated[
        bool | None, typer.Option(help="Also the event logs, which can be imported (only for files).")
    ] = None,
) -> None:
    """Write sessions with their sound to a folder.

    Sessions that run are left out. An export that was interrupted goes on where it was when it is run again
    with the same folder, and one that was whole brings what is new.
    """
    if not (ids or project or q or every):
        raise InvalidRequest("Which sessions? Give ids, --project, --q, or --all for all of them.")
    chosen = _choice(Format, "--format", kind)
    sound: Sound = _choice(Sound, "--audio-format", audio_format)
    tracks = [_choice_of(TRACKS, "--track", name) for name in track or TRACKS]
    source = _ApiSource(Client())
    wanted = Wanted(
        tracks=tuple(tracks) if audio else (),
        sound=sound,
        clips=audio and (chosen == "braintrust" if clips is None else clips),
        events=chosen == "files" if events is None else events,
        public_url=source.url,
    )
    if chosen == "files" and len(ids or []) == 1:
        write_one(to, source, wanted, (ids or [])[0])
        print(to, file=sys.stderr)
        return
    listed = ((one, None) for one in ids) if ids else source.sessions(project, q)
    with writer_for(chosen, to, source, wanted) as writer:
        _write_all(writer, listed, to)


def _write_all(writer: FolderWriter, listed: Iterator[tuple[str, str | None]], to: Path) -> None:
    progress = _Progress()
    for session_id, status in listed:
        if writer.has(session_id):
            progress.there += 1
        elif status == "live":
            progress.live += 1
        else:
            try:
                writer.add(session_id)
                progress.done += 1
            except _Running:
                progress.live += 1
            except NotFound as error:
                progress.missing.append(f"{session_id}: {error.message}")
        progress.say(writer.written_bytes)
    progress.finish(writer.written_bytes, to)


class _Running(InvalidRequest):
    """A session that has not ended."""


class _ApiSource:
    """Traces and sound from the running Voxgate."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.url = client.url

    def sessions(self, project: str | None, q: str | None) -> Iterator[tuple[str, str | None]]:
        """Ids and status, newest first."""
        cursor: str | None = None
        while True:
            query = {"project": project, "q": q, "limit": _PAGE, "cursor": cursor}
            page = self._client.call("GET", "/api/sessions", query=query)
            yield from ((item["id"], item["status"]) for item in page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def trace(self, session_id: str) -> dict[str, Any]:
        try:
            trace: dict[str, Any] = self._client.call(
                "GET", f"/api/sessions/{session_id}", query={"items": "true"}
            )
        except ApiError as error:
            raise _not_found(error) from error
        if trace["status"] == "live":
            raise _Running(f"{session_id} is still running; export it when it has ended.")
        return trace

    def events(self, session_id: str) -> Iterator[bytes]:
        return self._stream(f"/api/sessions/{session_id}/events")

    def track(self, session_id: str, track: str, kind: Sound) -> Iterator[bytes]:
        return self._stream(f"/api/sessions/{session_id}/audio", {"track": track, "format": kind})

    def clip(self, session_id: str, attachment_id: str) -> Iterator[bytes]:
        return self._stream(f"/api/sessions/{session_id}/attachments/{attachment_id}")

    def _stream(self, path: str, query: dict[str, str] | None = None) -> Iterator[bytes]:
        try:
            yield from self._client.stream(path, query)
        except ApiError as error:
            raise _not_found(error) from error


def _not_found(error: ApiError) -> ApiError | NotFound:
    return NotFound(error.message) if error.http_status == 404 else error


class _Progress:
    """A line that changes on a terminal, and one now and then elsewhere."""

    def __init__(self) -> None:
        self.done = self.there = self.live = 0
        self.missing: list[str] = []
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._started = self._said = time.monotonic()

    def say(self, size: int) -> None:
        now = time.monotonic()
        if now - self._said >= (_SAY_SECONDS if self._console.is_terminal else 10 * _SAY_SECONDS):
            self._said = now
            end = "\r" if self._console.is_terminal else "\n"
            self._console.print(f"{self._counts(size)}, {now - self._started:.0f} s", end=end, markup=False)

    def finish(self, size: int, to: Path) -> None:
        for line in self.missing:
            self._console.print(f"left out: {line}", markup=False)
        print(f"{to}: {self._counts(size)}", file=sys.stderr)

    def _counts(self, size: int) -> str:
        parts = [f"{self.done} sessions written ({size / 1e6:.1f} MB)"]
        parts += [f"{self.there} were there"] if self.there else []
        parts += [f"{self.live} are still running"] if self.live else []
        parts += [f"{len(self.missing)} are gone"] if self.missing else []
        return ", ".join(parts)


def _choice(kind: Any, flag: str, value: str) -> Any:
    return _choice_of(get_args(kind), flag, value)


def _choice_of(known: tuple[str, ...], flag: str, value: str) -> str:
    if value not in known:
        raise InvalidRequest(f"{flag} {value!r} is none of {', '.join(known)}.")
    return value
