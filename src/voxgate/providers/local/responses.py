"""One response: generated pieces go in, server events come out in the live service's order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pybase64

from voxgate.core.ids import new_id
from voxgate.providers.local.conversation import Conversation
from voxgate.providers.local.formats import duration_ms
from voxgate.providers.local.items import Item
from voxgate.providers.local.usage import InputMeter, Tokens, response_usage, spoken_tokens, text_tokens

Event = dict[str, Any]


def server_event(kind: str, **fields: Any) -> Event:
    return {"type": kind, "event_id": new_id("event"), **fields}


@dataclass(frozen=True)
class ResponseConfig:
    """The session's generation settings with the overrides of one `response.create` applied."""

    output_modality: str  # audio or text
    format: dict[str, Any]
    voice: Any
    speed: float
    instructions: str
    own_instructions: bool  # given in this `response.create`
    tools: list[dict[str, Any]]
    tool_choice: Any
    max_output_tokens: int | str
    metadata: dict[str, str] | None

    @property
    def format_type(self) -> str:
        return str(self.format["type"])


@dataclass
class Response:
    """`context` is what it answers; `conversation` is None for one that stays out of the conversation."""

    config: ResponseConfig
    context: list[Item]
    conversation: Conversation | None
    conversation_id: str | None
    meter: InputMeter
    id: str = field(default_factory=lambda: new_id("resp"))
    status: str = "in_progress"
    output: list[Item] = field(default_factory=list)
    spent: Tokens = field(default_factory=Tokens)
    total_tokens: int = 0  # known when it is done
    audio_ms: int = 0
    _open: Item | None = None
    _words: str = ""

    @property
    def done(self) -> bool:
        return self.status != "in_progress"

    @property
    def out_of_tokens(self) -> bool:
        most = self.config.max_output_tokens
        return isinstance(most, int) and self.spent.total >= most

    def created(self) -> list[Event]:
        return [server_event("response.created", response=self.shown())]

    def shown(self, *, status_details: Any = None, usage: Any = None) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": status_details,
            "output": [item.shown() for item in self.output],
            "conversation_id": self.conversation_id,
            "output_modalities": [self.config.output_modality],
            "max_output_tokens": self.config.max_output_tokens,
            "audio": {"output": {"format": self.config.format, "voice": self.config.voice}},
            "usage": usage,
            "metadata": self.config.metadata,
        }

    def write(self, words: str) -> list[Event]:
        """Words of a text response."""
        events = [] if self._open else self._open_message()
        self._words += words
        self.spent += Tokens(text_tokens(words))
        return [*events, self._part_event("response.output_text.delta", delta=words)]

    def say(self, words: str) -> list[Event]:
        """Words of the transcript; the audio that speaks them follows by `sound`."""
        events = [] if self._open else self._open_message()
        self._words += words
        self.spent += Tokens(text_tokens(words))
        return [*events, self._part_event("response.output_audio_transcript.delta", delta=words)]

    def sound(self, audio: bytes) -> list[Event]:
        """A piece of audio, encoded in the response's format."""
        events = [] if self._open else self._open_message()
        item = self._opened()
        item.audio += audio
        item.audio_ms = self.audio_ms = duration_ms(item.format_type, len(item.audio))
        item.spoken.append((len(self._words), item.audio_ms))
        self.spent = Tokens(self.spent.text, spoken_tokens(item.audio_ms))
        delta = pybase64.b64encode(audio).decode()
        return [*events, self._part_event("response.output_audio.delta", delta=delta)]

    def call(self, name: str, arguments: str, call_id: str | None = None) -> list[Event]:
        """A whole function call; its arguments leave in a few pieces, as from a live model."""
        call_id = call_id or new_id("call")
        body = {
            "id": new_id("item"),
            "type": "function_call",
            "status": "in_progress",
            "name": name,
            "call_id": call_id,
            "arguments": "",
        }
        events = [*self._close_item("completed"), *self._open_item(Item(body))]
        place = {**self._place(), "call_id": call_id}
        for start in range(0, len(arguments), 12):
            piece = arguments[start : start + 12]
            events.append(server_event("response.function_call_arguments.delta", **place, delta=piece))
        events.append(
            server_event("response.function_call_arguments.done", **place, name=name, arguments=arguments)
        )
        body["arguments"] = arguments
        self.spent += Tokens(text_tokens(name + arguments))
        return [*events, *self._close_item("completed")]

    def finish(
        self, status: str, *, reason: str | None = None, error: dict[str, Any] | None = None
    ) -> list[Event]:
        """Closes what is open. `status` is completed, cancelled, incomplete or failed."""
        if self.done:
            return []
        events = self._close_item("completed" if status == "completed" else "incomplete")
        self.status = status
        details = None if status == "completed" else {"type": status, "reason": reason, "error": error}
        if details:
            details = {name: value for name, value in details.items() if value is not None}
        measured = self.meter.measure(self.config.instructions, self.config.tools, self.context)
        self.total_tokens = measured.all.total + self.spent.total
        shown = self.shown(status_details=details, usage=response_usage(measured, self.spent))
        return [*events, server_event("response.done", response=shown)]

    def _open_message(self) -> list[Event]:
        body = {
            "id": new_id("item"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        events = self._open_item(Item(body, format_type=self.config.format_type))
        part = {"type": "text", "text": ""}
        if self.config.output_modality == "audio":
            part = {"type": "audio", "transcript": ""}
        return [*events, self._part_event("response.content_part.added", part=part)]

    def _open_item(self, item: Item) -> list[Event]:
        self._open, self._words = item, ""
        self.output.append(item)
        place = {"response_id": self.id, "output_index": len(self.output) - 1}
        events = [server_event("response.output_item.added", **place, item=item.shown())]
        if self.conversation:
            previous = self.conversation.insert(item)
            events.append(
                server_event("conversation.item.added", previous_item_id=previous, item=item.shown())
            )
        return events

    def _close_item(self, status: str) -> list[Event]:
        item = self._open
        if item is None:
            return []
        events = self._close_part() if item.body["type"] == "message" else []
        item.body["status"] = status
        shown = item.shown()
        if self.conversation and self.conversation.find(item.id):
            previous = self.conversation.previous_id(item)
            events.append(server_event("conversation.item.done", previous_item_id=previous, item=shown))
        place = {"response_id": self.id, "output_index": len(self.output) - 1}
        events.append(server_event("response.output_item.done", **place, item=shown))
        self._open = None
        return events

    def _close_part(self) -> list[Event]:
        words = self._words
        if self.config.output_modality == "text":
            self._opened().body["content"] = [{"type": "output_text", "text": words}]
            return [
                self._part_event("response.output_text.done", text=words),
                self._part_event("response.content_part.done", part={"type": "text", "text": words}),
            ]
        self._opened().body["content"] = [{"type": "output_audio", "transcript": words}]
        return [
            self._part_event("response.output_audio.done"),
            self._part_event("response.output_audio_transcript.done", transcript=words),
            self._part_event("response.content_part.done", part={"type": "audio", "transcript": words}),
        ]

    def _part_event(self, kind: str, **fields: Any) -> Event:
        return server_event(kind, **self._place(), content_index=0, **fields)

    def _place(self) -> dict[str, Any]:
        return {
            "response_id": self.id,
            "item_id": self._opened().id,
            "output_index": len(self.output) - 1,
        }

    def _opened(self) -> Item:
        if self._open is None:
            raise RuntimeError("no item of the response is open")
        return self._open
