"""Pictures in the items of a conversation: an item in, what the trace says of its pictures out. The pictures
themselves stay in the event log, and are found there by their digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

import pybase64

from voxgate.traces.events import Json, objects, string

_DIGEST_LETTERS = 32
_MOST_LETTERS = 100
_BEGINS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def item_images(item: Json) -> list[Json]:
    """Type and size of each; the digest is that of its address as it was sent."""
    return shown_images(image_urls(item))


def shown_images(urls: Iterable[str]) -> list[Json]:
    return [{"content_type": _declared(url), "chars": len(url), "digest": digest_of(url)} for url in urls]


def image_urls(item: Json) -> Iterator[str]:
    """As a text, or in an object, as chat completions have it."""
    for part in objects(item, "content"):
        if part.get("type") == "input_image":
            yield string(part, "image_url") or string(part.get("image_url"), "url") or ""


def kind_of_picture(data: bytes) -> str | None:
    """By its first bytes; None unless it is one that browsers show without running anything in it."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in _BEGINS if data.startswith(begin)), None)


def file_url(data: bytes) -> str | None:
    """The address under which a picture is found that was sent as a file; None for other files."""
    kind = kind_of_picture(data)
    return f"data:{kind};base64,{pybase64.b64encode(data).decode()}" if kind is not None else None


def digest_of(url: str) -> str:
    return sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LETTERS]


def _declared(url: str) -> str | None:
    """What its data URL says it is."""
    if not url.startswith("data:"):
        return None
    return url[5:].partition(",")[0].partition(";")[0][:_MOST_LETTERS]
