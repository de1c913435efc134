"""The sound of a session: whole tracks, the clips of its spans, and the peaks that draw the waveform.

Tracks are stored as raw PCM. WAV is that with a header in front; other formats are encoded once and kept.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.background import BackgroundTask

from voxgate.api import transcode
from voxgate.api.access import Control, Controlled, Reader
from voxgate.api.answers import Conflict
from voxgate.api.ranges import CHUNK_BYTES, BlobContent, Content, FileContent, ranged_response
from voxgate.api.sessions import find_session
from voxgate.api.shapes import SoundFormat, Track
from voxgate.api.wav import SAMPLE_BYTES, wav_header
from voxgate.core.errors import NotFound

router = APIRouter(prefix="/api/sessions/{session_id}", tags=["sound"])

MEDIA_TYPES: Final[Mapping[str, str]] = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg"}
# Made when the call has ended: what was heard is known only then.
_AFTER_THE_CALL: Final = ("heard", "mix")
_SOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}, "description": "The sound."},
    206: {"description": "The range that was asked for."},
}


@dataclass(frozen=True)
class Pcm:
    """A track's samples: where they are and how to read them."""

    name: str
    session_id: str
    live: bool
    revision: int
    rate: int
    channels: int
    size: int

    @property
    def key(self) -> str:
        return f"sessions/{self.session_id}/{self.name}.pcm"

    def wav(self, control: Control, start: int = 0, end: int | None = None) -> BlobContent:
        """The bytes `[start:end]` of the track, cut to whole samples, behind a header."""
        block = self.channels * SAMPLE_BYTES
        last = min(self.size if end is None else end, self.size) // block * block
        first = min(start // block * block, last)
        return BlobContent(
            control.blobs, self.key, first, last, wav_header(self.rate, self.channels, last - first)
        )

    def etag(self, *what: object) -> str | None:
        """None while the track grows."""
        return (
            None
            if self.live
            else '"' + "-".join(map(str, (self.name, self.revision, self.size, *what))) + '"'
        )


@router.head("/audio", include_in_schema=False)
@router.get("/audio", response_class=Response, responses=_SOUND)
async def get_audio(
    request: Request,
    session_id: str,
    key: Reader,
    control: Controlled,
    track: Track = "mix",
    format: SoundFormat = "wav",  # noqa: A002 - the parameter's public name
    download: Annotated[bool, Query(description="Save it as a file instead of playing it.")] = False,
) -> Response:
    """A track, whole or in ranges. The tracks of a live call grow; `heard` and `mix` are made at its end."""
    row = await to_thread.run_sync(find_session, control, key, session_id)
    pcm = await to_thread.run_sync(_find_track, control, row, track)
    content: Content = pcm.wav(control)
    if format != "wav":
        content = await to_thread.run_sync(_encoded, control, pcm, format, limiter=control.encoding)
    headers = _disposition(f"{session_id}-{track}.{format}") if download else {}
    return ranged_response(
        request,
        content,
        media_type=MEDIA_TYPES[format],
        etag=pcm.etag(format),
        headers=headers,
        background=_cleanup(content),
    )


@router.head("/attachments/{attachment_id}", include_in_schema=False)
@router.get("/attachments/{attachment_id}", response_class=Response, responses=_SOUND)
def get_attachment(
    request: Request, session_id: str, attachment_id: str, key: Reader, control: Controlled
) -> Response:
    """A span's clip, cut out of its track, as WAV."""
    row = find_session(control, key, session_id, with_spans=True)
    clip = _find_attachment(row, attachment_id)
    pcm = _find_track(control, row, clip["track"])
    start, end = clip["start_byte"], clip["end_byte"]
    content = pcm.wav(control, start, end)
    etag = pcm.etag(start, end)
    return ranged_response(request, content, media_type=MEDIA_TYPES["wav"], etag=etag)


@router.get(
    "/peaks",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "Peaks of each track."}},
)
def get_peaks(session_id: str, key: Reader, control: Controlled) -> Response:
    """What the waveform is drawn from."""
    blob = f"sessions/{find_session(control, key, session_id)['id']}/peaks.json"
    size = control.blobs.size(blob)
    if size is None:
        raise NotFound(f"The peaks of the session {session_id} are not made yet.")
    return Response(control.blobs.read_range(blob, 0, size), media_type="application/json")


def _find_track(control: Control, row: dict[str, Any], name: str) -> Pcm:
    live = row["status"] == "live"
    if live and name in _AFTER_THE_CALL:
        raise Conflict(
            f"The track {name!r} is made when the call has ended; while it is live there are 'user' and"
            " 'assistant'."
        )
    shape = (row["data"].get("tracks") or {}).get(name)
    if shape is None and name in _AFTER_THE_CALL:
        raise NotFound(
            f"The track {name!r} of the session {row['id']} is not made yet, or nothing was said.",
            param="track",
        )
    if shape is None:
        raise NotFound(f"The session {row['id']} has no track {name!r}.", param="track")
    size = control.blobs.size(f"sessions/{row['id']}/{name}.pcm")
    if size is None and shape.get("bytes") and not live:
        raise NotFound(f"The sound of the track {name!r} is no longer kept.", param="track")
    return Pcm(name, row["id"], live, row["revision"], int(shape["rate"]), int(shape["channels"]), size or 0)


def _find_attachment(row: dict[str, Any], attachment_id: str) -> dict[str, Any]:
    for span in row["spans"]:
        for attachment in span["attachments"]:
            if attachment["id"] == attachment_id and {"track", "start_byte", "end_byte"} <= attachment.keys():
                found: dict[str, Any] = attachment
                return found
    raise NotFound(f"The session {row['id']} has no attachment {attachment_id!r}.", param="attachment_id")


def _encoded(control: Control, pcm: Pcm, kind: str) -> Content:
    """The track in another format: kept as a blob once the call has ended, made anew while it is live."""
    blob = f"sessions/{pcm.session_id}/{pcm.name}.{kind}"
    if not pcm.live and (size := control.blobs.size(blob)) is not None:
        return BlobContent(control.blobs, blob, 0, size)
    made = _encode(control, pcm, kind)
    if pcm.live:
        return FileContent(made)
    try:
        control.blobs.put_file(blob, made)
    finally:
        made.unlink()
    return BlobContent(control.blobs, blob, 0, control.blobs.size(blob) or 0)


def _encode(control: Control, pcm: Pcm, kind: str) -> Path:
    with tempfile.NamedTemporaryFile(prefix="voxgate-", suffix=f".{kind}", delete=False) as file:
        target = Path(file.name)
    try:
        transcode.encode(_samples(control, pcm), kind, pcm.rate, pcm.channels, target)
    except BaseException:
        target.unlink()
        raise
    return target


def _samples(control: Control, pcm: Pcm) -> Iterator[bytes]:
    for start in range(0, pcm.size, CHUNK_BYTES):
        yield control.blobs.read_range(pcm.key, start, min(start + CHUNK_BYTES, pcm.size))


def _cleanup(content: Content) -> BackgroundTask | None:
    return BackgroundTask(content.path.unlink) if isinstance(content, FileContent) else None


def _disposition(name: str) -> dict[str, str]:
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return {"content-disposition": f'attachment; filename="{safe}"'}
