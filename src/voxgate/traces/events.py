"""One entry of the event log, and how to read messages of which nothing may be assumed.

The readers below answer an empty or null value for anything of another shape, so that no message, however
odd, can stop a trace from being built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

CLIENT: Final = "client"
SERVER: Final = "server"
GATEWAY: Final = "gateway"

# The beta names, which Azure's Voice Live still speaks (realtime-protocol 2.6).
_GA_NAMES: Final = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.update": "session.update",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}
_LARGEST_NUMBER: Final = 1e15
_NUMBERS: Final = (int, float)


@dataclass(slots=True)
class Event:
    """A message with the time at which it passed. `msg` is None for what is no JSON object: `raw` has its
    bytes then, or `close` the code and reason of a close frame. `sound` is the message's sound where whoever
    read the message decoded it already: then `msg` has an empty string in its place."""

    t_ns: int
    dir: str
    msg: Json | None = None
    raw: bytes | None = None
    close: Json | None = None
    sound: bytes | None = None

    @property
    def type(self) -> str:
        """The message's type by its GA name; empty if it has none."""
        name = self.msg.get("type") if self.msg else None
        return _GA_NAMES.get(name, name) if isinstance(name, str) else ""

    @property
    def t_ms(self) -> float:
        return self.t_ns / 1e6


def obj(value: Any, *path: str) -> Json:
    """The object at the path; an empty one if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def objects(value: Any, key: str) -> list[Json]:
    """The objects in the list under `key`."""
    found = value.get(key) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def string(value: Any, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def name_of(value: Any, key: str) -> str | None:
    """A string that says something: an id or a name, so never the empty one."""
    return string(value, key) or None


def number(value: Any, key: str) -> float | None:
    """A finite number that is not negative: a count, a time or an amount of tokens."""
    found = value.get(key) if isinstance(value, dict) else None
    if found is None or isinstance(found, bool) or not isinstance(found, _NUMBERS):
        return None
    return found if 0 <= found < _LARGEST_NUMBER else None
