"""The pictures that a user showed in a call, as they were sent: the digest of a span in, a picture out."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from voxgate.api.access import Controlled, Reader
from voxgate.api.sessions import find_session
from voxgate.api.steady import Row, read_steadily
from voxgate.core.errors import NotFound

router = APIRouter(prefix="/api/sessions/{session_id}", tags=["sessions"])

_KINDS: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_HEADERS: Final = {
    "cache-control": "private, no-cache",
    "content-disposition": "inline",
    # Opened as a page it is still nothing but a picture.
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
}


@router.get(
    "/images/{digest}",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _KINDS}, "description": "The picture."}},
)
def get_image(request: Request, session_id: str, digest: str, key: Reader, control: Controlled) -> Response:
    """A picture that a user span names in `input.images`, or a response in `output.images`: PNG, JPEG, GIF or
    WebP, whatever it was called."""

    def read(row: Row) -> tuple[str, bytes] | None:
        if digest not in _digests(row):
            raise NotFound(f"The session {session_id} has no picture {digest!r}.", param="digest")
        if request.headers.get("if-none-match") == f'"{digest}"':
            return None
        return control.archive.image(row["id"], str(row["revision"]), digest)

    found = read_steadily(control, partial(find_session, control, key, session_id, with_spans=True), read)
    headers = {**_HEADERS, "etag": f'"{digest}"'}
    if found is None:
        return Response(status_code=304, headers=headers)
    return Response(found[1], headers=headers, media_type=found[0])


def _digests(row: Row) -> set[Any]:
    said = (span[side] for span in row["spans"] for side in ("input", "output"))
    shown = [each.get("images") for each in said if isinstance(each, dict)]
    return {image.get("digest") for images in shown for image in images or () if isinstance(image, dict)}
