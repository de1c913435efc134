"""Sound and pictures in the bodies of requests and their answers, whichever API they are of. Pictures come
out as addresses (data URLs mostly), sound as base64 with the name of its format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voxgate.traces.events import Json, obj, objects, string

_MOST_PARTS: Final = 200
_HISTORY: Final = ("messages", "input")


def content_images(content: Any) -> Iterator[str]:
    """Of a message: chat's `image_url`, responses' `input_image` and Anthropic's `image`."""
    for part in _parts(content):
        match string(part, "type"):
            case "image_url" | "input_image":
                yield string(part, "image_url") or string(part.get("image_url"), "url") or ""
            case "image":
                source = obj(part, "source")
                yield string(source, "url") or _data_url(string(source, "media_type"), string(source, "data"))


def content_sounds(content: Any) -> Iterator[tuple[str, str]]:
    """Of a message: chat's `input_audio`, as base64 and the name of its format."""
    for part in _parts(content):
        sound = obj(part, "input_audio")
        if data := string(sound, "data"):
            yield data, string(sound, "format") or ""


def request_images(body: Json) -> Iterator[str]:
    """All of a request."""
    for name in _HISTORY:
        for message in objects(body, name):
            yield from content_images(message.get("content"))


def answer_images(msg: Json) -> Iterator[str]:
    """Those that were made: of a whole answer or of the event that ends a stream."""
    kind = string(msg, "type") or ""
    made = objects(msg, "data") if not kind else [msg] if kind.endswith((".completed", "_completed")) else []
    for image in made:
        data, url = string(image, "b64_json"), string(image, "url")
        if data:
            yield _data_url(f"image/{string(msg, 'output_format') or 'png'}", data)
        elif url:
            yield url


def answer_sound(msg: Json) -> str | None:
    """Base64 of a piece of it: speech in server-sent events, chats that speak."""
    if string(msg, "type") == "speech.audio.delta":
        return string(msg, "audio")
    for choice in objects(msg, "choices")[:1]:
        part = obj(choice, "delta") or obj(choice, "message")
        return string(obj(part, "audio"), "data")
    return None


def sound_format(body: Json) -> str:
    """What a request wants its sound in."""
    return string(body, "response_format") or string(obj(body, "audio"), "format") or "mp3"


def _parts(content: Any) -> list[Json]:
    return (
        [part for part in content[:_MOST_PARTS] if isinstance(part, dict)]
        if isinstance(content, list)
        else []
    )


def _data_url(kind: str | None, data: str | None) -> str:
    return f"data:{kind or 'image/png'};base64,{data}" if data else ""
