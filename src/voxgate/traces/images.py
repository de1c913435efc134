"""Pictures in the items of a conversation: an item in, what the trace says of its pictures out. The pictures
themselves stay in the event log, and are found there by their digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from voxgate.traces.events import Json, objects, string

_DIGEST_LETTERS = 32
_MOST_LETTERS = 100


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


def digest_of(url: str) -> str:
    return sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LETTERS]


def _declared(url: str) -> str | None:
    """What its data URL says it is."""
    if not url.startswith("data:"):
        return None
    return url[5:].partition(",")[0].partition(";")[0][:_MOST_LETTERS]
