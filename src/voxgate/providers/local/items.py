"""Items: the checks for those a client sends; how one is kept: what is shown, its audio, what was heard."""

from __future__ import annotations

import binascii
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pybase64

from voxgate.core.ids import new_id
from voxgate.providers.local.checks import Check, anything, choice, listing, nullable, record, tagged, text
from voxgate.providers.local.formats import bytes_until, duration_ms
from voxgate.providers.local.refusals import EventRefused

_status = nullable(choice("completed", "incomplete", "in_progress"))
_shared: dict[str, Check] = {
    "type": anything,
    "id": nullable(text),
    "object": nullable(choice("realtime.item")),
    "status": _status,
}
_input_text = record({"type": anything, "text": text}, required=("text",))
_input_audio = record({"type": anything, "audio": text, "transcript": nullable(text)}, required=("audio",))
_input_image = record(
    {"type": anything, "image_url": text, "detail": nullable(choice("auto", "low", "high"))},
    required=("image_url",),
)
_output_text = record({"type": anything, "text": text}, required=("text",))
_output_audio = record({"type": anything, "audio": nullable(text), "transcript": nullable(text)})


def _message(contents: dict[str, Check]) -> Check:
    fields = {**_shared, "role": anything, "content": listing(tagged(contents))}
    return record(fields, required=("role", "content"))


_messages = tagged(
    {
        "system": _message({"input_text": _input_text}),
        "user": _message(
            {"input_text": _input_text, "input_audio": _input_audio, "input_image": _input_image}
        ),
        "assistant": _message({"output_text": _output_text, "output_audio": _output_audio}),
    },
    tag="role",
)
_kinds: dict[str, Check] = {
    "message": _messages,
    "function_call": record(
        {**_shared, "call_id": nullable(text), "name": text, "arguments": text},
        required=("name", "arguments"),
    ),
    "function_call_output": record(
        {**_shared, "call_id": text, "output": text}, required=("call_id", "output")
    ),
}
_reference = record({"type": anything, "id": text}, required=("id",))
item_check = tagged(_kinds)
input_check = listing(tagged({**_kinds, "item_reference": _reference}))


@dataclass
class Item:
    """`body` is what events show, without audio; `audio` is in `format_type`, one piece per item.

    `heard` is what the ear made of it, None while it is listening. `spoken` tells for how many characters of
    the transcript how much audio had been sent: (characters, milliseconds), ascending.
    """

    body: dict[str, Any]
    audio: bytes = b""
    format_type: str = "audio/pcm"
    audio_ms: int = 0
    heard: str | None = ""
    spoken: list[tuple[int, int]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.body["id"])

    def shown(self) -> dict[str, Any]:
        """A copy of the body: what an event shows must not change after it."""
        return deepcopy(self.body)

    def with_audio(self) -> dict[str, Any]:
        """For `conversation.item.retrieved`."""
        if not self.audio:
            return self.shown()
        encoded = pybase64.b64encode(self.audio).decode()
        content = [
            {**part, "audio": encoded, "format": self.format_type.removeprefix("audio/")}
            if part["type"] in {"input_audio", "output_audio"}
            else part
            for part in self.body["content"]
        ]
        return {**self.body, "content": content}

    def truncate(self, audio_end_ms: int) -> None:
        """Forgets the audio after this moment and the words that went with it."""
        part = self.body["content"][0]
        said = [characters for characters, end_ms in self.spoken if end_ms <= audio_end_ms]
        part["transcript"] = part["transcript"][: said[-1] if said else 0].rstrip()
        self.audio = self.audio[: bytes_until(self.format_type, audio_end_ms)]
        self.audio_ms = min(self.audio_ms, audio_end_ms)
        self.spoken = self.spoken[: len(said)]


def client_item(value: Any, path: str, *, format_type: str) -> Item:
    """An item as a client wrote it; its audio, in the session's input format, is taken out of the body."""
    return checked_item(item_check(value, path), path, format_type=format_type)


def checked_item(body: dict[str, Any], path: str, *, format_type: str) -> Item:
    body = {"id": None, "type": None, "status": "completed", **body}
    body["id"] = body["id"] or new_id("item")
    body["status"] = body["status"] or "completed"
    body.pop("object", None)
    item = Item(body, format_type=format_type)
    for index, part in enumerate(body.get("content", ())):
        if part["type"] == "input_audio":
            _take_audio(item, part, f"{path}.content[{index}].audio")
    return item


def _take_audio(item: Item, part: dict[str, Any], path: str) -> None:
    item.audio += decode_base64(part.pop("audio"), path)
    item.audio_ms = duration_ms(item.format_type, len(item.audio))
    part.setdefault("transcript", None)
    item.heard = part["transcript"]


def decode_base64(encoded: str, path: str) -> bytes:
    try:
        return pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        message = f"Invalid '{path}'. Expected base64-encoded audio bytes."
        raise EventRefused("invalid_value", message, param=path) from None
