"""The sound of a session: whole tracks, the clips of its spans, and the peaks that draw the waveform.

Raw samples are read from their blobs, everything else from the archive. WAV is samples with a header in
front; FLAC of a track that was put away is there already; other formats are encoded once and kept.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.background import BackgroundTask

from voxgate.api import transcode
from voxgate.api.access import Control, Controlled, Reader
from voxgate.api.answers import Conflict
from voxgate.api.archive import Sound
from voxgate.api.ranges import CHUNK_BYTES, Content, FileContent, Slice, ranged_response
from voxgate.api.sessions import find_session
from voxgate.api.shapes import PeaksFormat, SoundFormat, Track
from voxgate.api.steady import OpenBlob, RecordedAgain, Row, read_steadily, unchanged
from voxgate.api.wav import SAMPLE_BYTES, wav_header
from voxgate.auth.keys import ApiKey
from voxgate.core.errors import NotFound

router = APIRouter(prefix="/api/sessions/{session_id}", tags=["sound"])

LARGEST_PEAK: Final = (1 << 31) - 1
TRACKS: Final = ("user", "assistant")
"""Those that are stored; the others are laid out from them."""
MEDIA_TYPES: Final[Mapping[str, str]] = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg"}
_SOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}, "description": "The sound."},
    206: {"description": "The range that was asked for."},
}

_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True)
class FoundTrack:
    """A track: what it is and where it comes from."""

    name: str
    session_id: str
    live: bool
    stamp: str
    """Names the state of it."""
    raw: OpenBlob | None
    """Its samples, where they are there as a blob."""
    rate: int
    channels: int
    size: int

    @property
    def folder(self) -> str:
        return f"sessions/{self.session_id}"

    def samples(self, control: Control, start: int = 0, end: int | None = None) -> Slice:
        """The bytes `[start:end]` of the track, cut to whole samples."""
        block = self.channels * SAMPLE_BYTES
        last = min(self.size if end is None else end, self.size) // block * block
        return Slice(partial(self.read, control), min(start // block * block, last), last)

    def wav(self, control: Control, start: int = 0, end: int | None = None) -> Slice:
        found = self.samples(control, start, end)
        return replace(found, head=wav_header(self.rate, self.channels, found.end - found.start))

    def read(self, control: Control, start: int, end: int) -> bytes:
        if self.raw is not None:
            try:
                return self.raw.read(start, end)
            except NotFound:  # the recording was put away meanwhile, in a bucket
                pass
        return control.archive.read_sound(self.session_id, self.name, self.stamp, start, end, live=self.live)

    def etag(self, *what: object) -> str | None:
        """None while the track grows."""
        return (
            None if self.live else '"' + "-".join(map(str, (self.name, self.stamp, self.size, *what))) + '"'
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
    """A track, whole or in ranges. Those of a live call are given as far as they have grown."""
    row, found = await to_thread.run_sync(_read_track, control, request, key, session_id, track)
    content: Content = found.wav(control)
    if format != "wav":
        content = await to_thread.run_sync(_encoded, control, row, found, format, limiter=control.encoding)
    headers = _disposition(f"{session_id}-{track}.{format}") if download else {}
    return ranged_response(
        request,
        content,
        media_type=MEDIA_TYPES[format],
        etag=found.etag(format),
        headers=headers,
        background=_cleanup(content),
    )


@router.head("/attachments/{attachment_id}", include_in_schema=False)
@router.get("/attachments/{attachment_id}", response_class=Response, responses=_SOUND)
def get_attachment(
    request: Request, session_id: str, attachment_id: str, key: Reader, control: Controlled
) -> Response:
    """A span's clip, cut out of its track, as WAV."""

    def read(row: Row) -> tuple[FoundTrack, dict[str, Any]]:
        clip = find_attachment(row, attachment_id)
        return find_track(control, row, clip["track"], is_read=_is_read(request)), clip

    find = partial(find_session, control, key, session_id, with_spans=True)
    found, clip = read_steadily(control, find, read)
    start, end = clip["start_byte"], clip["end_byte"]
    content = found.wav(control, start, end)
    etag = found.etag(start, end)
    return ranged_response(request, content, media_type=MEDIA_TYPES["wav"], etag=etag)


@router.get(
    "/peaks",
    response_class=Response,
    responses={
        200: {
            "content": {"application/json": {}, "application/octet-stream": {}},
            "description": "Peaks of each track.",
        }
    },
)
def get_peaks(
    session_id: str,
    key: Reader,
    control: Controlled,
    format: PeaksFormat = "json",  # noqa: A002 - the parameter's public name
    start: Annotated[int, Query(ge=0, le=LARGEST_PEAK, description="The first peak; for `bytes`.")] = 0,
) -> Response:
    """What the waveform is drawn from. As `bytes` it is a sixth as long, and there while the call runs; until
    they are made, also after the call's end, and while they may not be shown, there are none in it."""

    def read(row: Row) -> tuple[bytes, str]:
        live = row["status"] == "live"
        if format == "bytes":
            data = _stored_peaks(control, row["id"]) if start == 0 and not live else None
            return data or control.archive.peaks(row["id"], start, live=live), _BYTES
        if control.blobs.size(_peaks_key(row)) is None:
            raise NotFound(f"The peaks of the session {session_id} are not made yet.")
        with control.blobs.open(_peaks_key(row)) as file:
            return file.read(), "application/json"

    try:
        data, media_type = read_steadily(control, partial(find_session, control, key, session_id), read)
    except (Conflict, RecordedAgain):
        if format != "bytes":
            raise
        data, media_type = control.archive.no_peaks(start), _BYTES
    headers = {"cache-control": "no-store"} if media_type == _BYTES else {}
    return Response(data, media_type=media_type, headers=headers)


def _peaks_key(row: Row) -> str:
    return f"sessions/{row['id']}/peaks.json"


def _stored_peaks(control: Control, session_id: str) -> bytes | None:
    """None for a call that an earlier Voxgate has recorded."""
    try:
        with control.blobs.open(f"sessions/{session_id}/peaks.bin") as file:
            return file.read()
    except NotFound:
        return None


def _read_track(
    control: Control, request: Request, key: ApiKey, session_id: str, name: str
) -> tuple[Row, FoundTrack]:
    def read(row: Row) -> tuple[Row, FoundTrack]:
        return row, find_track(control, row, name, is_read=_is_read(request))

    return read_steadily(control, partial(find_session, control, key, session_id), read)


def _is_read(request: Request) -> bool:
    """Whether the answer is to have the sound, as far as that can be told before it is found."""
    return request.method == "GET" and "if-none-match" not in request.headers


def find_track(control: Control, row: Row, name: str, *, is_read: bool) -> FoundTrack:
    """With `is_read` all that it is made of is opened, so that what is read later belongs to this row."""
    live = row["status"] == "live"
    shape: dict[str, Any] | None = (row["data"].get("tracks") or {}).get(name)
    if shape is None and (name in TRACKS or not live):
        raise NotFound(f"The session {row['id']} has no track {name!r}.", param="track")
    stamp = token_hex(8) if live else str(row["revision"])
    raw = _open_raw(control, row["id"], name)
    if shape is not None and (raw is not None or (live and name in TRACKS)):
        found = Sound(int(shape["rate"]), int(shape["channels"]), raw.size if raw is not None else 0)
    elif shape is not None and not _is_kept(control, row["id"], name):
        raise NotFound(f"The sound of the track {name!r} is no longer kept.", param="track")
    elif shape is None or is_read:
        found = control.archive.sound(row["id"], name, stamp)
    else:
        found = Sound(*(int(shape[key]) for key in ("rate", "channels", "bytes")))
    return FoundTrack(name, row["id"], live, stamp, raw, *found)


def _open_raw(control: Control, session_id: str, name: str) -> OpenBlob | None:
    try:
        return OpenBlob(control.blobs, f"sessions/{session_id}/{name}.pcm")
    except NotFound:
        return None


def _is_kept(control: Control, session_id: str, name: str) -> bool:
    """Whether it can be made of what is stored."""
    needed = [name] if name in TRACKS else TRACKS
    kinds = ("pcm", "flac")
    return any(
        control.blobs.size(f"sessions/{session_id}/{one}.{kind}") is not None
        for one in needed
        for kind in kinds
    )


def find_attachment(row: dict[str, Any], attachment_id: str) -> dict[str, Any]:
    for span in row["spans"]:
        for attachment in span["attachments"]:
            if attachment["id"] == attachment_id and {"track", "start_byte", "end_byte"} <= attachment.keys():
                found: dict[str, Any] = attachment
                return found
    raise NotFound(f"The session {row['id']} has no attachment {attachment_id!r}.", param="attachment_id")


def _encoded(control: Control, row: Row, track: FoundTrack, kind: str) -> Content:
    """The track in another format: kept as a blob once the call has ended, made anew while it is live."""
    blob = f"{track.folder}/{track.name}.{kind}"
    if not track.live and control.blobs.size(blob) is not None:
        with unchanged(control, row):
            return _whole(OpenBlob(control.blobs, blob))
    if track.live or (kind == "flac" and track.name in TRACKS):  # this is about to be put away by itself
        return FileContent(_encode(control, track, kind))
    with unchanged(control, row):
        made = _encode(control, track, kind)
    try:
        control.blobs.put_file(blob, made)
    finally:
        made.unlink()
    return _kept(control, row, blob)


def _kept(control: Control, row: Row, blob: str) -> Content:
    """Nothing may be left of a session that was deleted meanwhile, nor of the sound that another one had."""
    try:
        with unchanged(control, row):
            return _whole(OpenBlob(control.blobs, blob))
    except RecordedAgain as error:
        if control.store.session_revision(row["id"]) is not None:
            control.blobs.delete_prefix(blob)
            raise
        control.blobs.delete_prefix(f"sessions/{row['id']}/")
        raise NotFound(f"There is no session {row['id']!r}.", param="session_id") from error


def _whole(blob: OpenBlob) -> Slice:
    return Slice(blob.read, 0, blob.size)


def _encode(control: Control, track: FoundTrack, kind: str) -> Path:
    with tempfile.NamedTemporaryFile(prefix="voxgate-", suffix=f".{kind}", delete=False) as file:
        target = Path(file.name)
    try:
        transcode.encode(_chunks(track.samples(control)), kind, track.rate, track.channels, target)
    except BaseException:
        target.unlink()
        raise
    return target


def _chunks(samples: Slice) -> Iterator[bytes]:
    for start in range(0, samples.size, CHUNK_BYTES):
        yield samples.read(start, min(start + CHUNK_BYTES, samples.size))


def _cleanup(content: Content) -> BackgroundTask | None:
    return BackgroundTask(content.path.unlink) if isinstance(content, FileContent) else None


def _disposition(name: str) -> dict[str, str]:
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return {"content-disposition": f'attachment; filename="{safe}"'}
