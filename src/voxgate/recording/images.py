"""The pictures that a user showed in a call: the event log in, a picture as it was sent out, by the digest
that its span has. Only pictures that browsers show without running anything in them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

import pybase64

from voxgate.core.errors import NotFound
from voxgate.recording.eventlog import read_event
from voxgate.recording.reading import read_lines
from voxgate.store import Blobs
from voxgate.traces.events import CLIENT, obj
from voxgate.traces.images import digest_of, file_url, image_urls, kind_of_picture
from voxgate.traces.media import answer_images, request_images

LARGEST_BYTES: Final = 24 << 20
"""A message has at most 32 MiB, and base64 takes a third."""
_KEPT_BYTES: Final = 64 << 20
_MARKS: Final = (b"input_image", b"image_url", b'"image"', b"b64_json", b'"raw"')
"""One of them is in each message that has pictures, or is a file."""


class Image(NamedTuple):
    content_type: str
    """By its first bytes, whatever its sender called it."""
    data: bytes


class Images:
    """Keeps what it found on its way: a page asks for all pictures of a call, one after the other."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self._kept: OrderedDict[tuple[str, str], Image] = OrderedDict()
        self._most = kept_bytes

    def find(self, blobs: Blobs, prefix: str, stamp: str, digest: str) -> Image:
        """NotFound where the log does not have it, or not as a picture. A stamp names the state of the log:
        what was taken out of it is not found in a later one."""
        name = f"{prefix} {stamp}"
        if (known := self._kept.get((name, digest))) is not None:
            self._kept.move_to_end((name, digest))
            return known
        found = None
        for url in _urls(read_lines(blobs, prefix)):
            this = digest_of(url)
            if this == digest:
                found = decoded(url)
                if found is None:
                    raise NotFound("This is no picture that can be shown: PNG, JPEG, GIF or WebP.")
            if (image := found if this == digest else decoded(url)) is not None:
                self._keep((name, this), image)
        if found is None:
            raise NotFound("The picture is not in the event log any more.")
        return found

    def _keep(self, key: tuple[str, str], image: Image) -> None:
        self._kept[key] = image
        while len(self._kept) > 1 and sum(len(one.data) for one in self._kept.values()) > self._most:
            self._kept.popitem(last=False)


def _urls(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        if any(mark in line for mark in _MARKS):
            event = read_event(line)
            if event is not None and event.msg is not None:
                yield from image_urls(obj(event.msg, "item"))
                yield from request_images(event.msg) if event.dir == CLIENT else answer_images(event.msg)
            elif event is not None and event.raw and (url := file_url(event.raw)) is not None:
                yield url


def decoded(url: str) -> Image | None:
    """Of a data URL, with base64 or with percent signs; None unless it is a picture that is shown."""
    head, comma, body = url.partition(",")
    if not head.startswith("data:") or not comma:
        return None
    try:
        is_base64 = head.endswith(";base64")
        data = pybase64.b64decode(unquote_to_bytes(body)) if is_base64 else unquote_to_bytes(body)
    except ValueError:
        return None
    kind = kind_of_picture(data)
    return Image(kind, data) if kind is not None and len(data) <= LARGEST_BYTES else None
