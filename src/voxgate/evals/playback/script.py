"""What is played: the provider's messages of a recorded call, cut in steps by what caused them. Plain data,
made by `cutting`, played by `player`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from voxgate.traces.events import name_of, obj

Json = dict[str, Any]

APPEND: Final = "input_audio_buffer.append"
COMMIT: Final = "input_audio_buffer.commit"
CLEAR: Final = "input_audio_buffer.clear"
CREATE_ITEM: Final = "conversation.item.create"
CREATE_RESPONSE: Final = "response.create"
CANCEL: Final = "response.cancel"
TRUNCATE: Final = "conversation.item.truncate"
_NO_TYPE: Final = "message"


class Sound(NamedTuple):
    """How much sound the client has sent since the `epoch`-th time that it emptied its buffer itself."""

    epoch: int
    ms: float


@dataclass(slots=True)
class Sent:
    """One message of the recorded client that is no sound."""

    number: int
    t_ns: int
    name: str
    msg: Json
    item_id: str | None = None
    """The item that it made or is about, by the recorded id."""
    response_id: str | None = None
    """The response that it caused or is about."""

    @property
    def key(self) -> tuple[str, ...]:
        """Messages with the same key can stand for one another."""
        return key_of(self.name, self.msg)


@dataclass(slots=True)
class Step:
    """Messages that follow one another once what they wait for has happened: the steps `after` are played,
    and the client has sent that message or so much sound."""

    name: str
    after: list[int] = field(default_factory=list)
    message: Sent | None = None
    sound: Sound | None = None
    cause_ns: int = 0
    """When what they wait for happened in the recording."""
    answers: list[int] = field(default_factory=list)
    """The places of their messages in the script, in order."""

    def __str__(self) -> str:
        if self.message is not None:
            return shown(self.message.name, self.message.msg)
        if self.sound is not None:
            return f"{self.sound.ms:,.0f} ms of sound (then {self.name})"
        return self.name


class Answer(NamedTuple):
    """A message of the recorded provider. `line` is its place in the event log."""

    t_ns: int
    line: int


@dataclass(slots=True)
class Script:
    sent: list[Sent] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    close: Json | None = None
    """How the provider ended the call, if it did."""
    close_ns: int = 0


def name_of_message(msg: Json) -> str:
    """Its type; what has none, as in other protocols, is called by its first member."""
    return name_of(msg, "type") or next(iter(msg), _NO_TYPE)


def key_of(name: str, msg: Json) -> tuple[str, ...]:
    if name != CREATE_ITEM:
        return (name,)
    item = obj(msg, "item")
    kind = str(item.get("type") or "message")
    return name, kind, str(item.get("call_id") if kind != "message" else item.get("role"))


def shown(name: str, msg: Mapping[str, Any]) -> str:
    """For people: `conversation.item.create (function_call_output of call_1)`."""
    item = obj(msg, "item")
    if name != CREATE_ITEM or not item:
        return name
    kind, role, call = item.get("type", "message"), item.get("role"), item.get("call_id")
    return f"{name} ({kind} of {call})" if call else f"{name} ({kind}{f' of the {role}' if role else ''})"
