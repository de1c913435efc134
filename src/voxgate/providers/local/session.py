"""The session: client events in, effects out. No sockets, no threads, no clock but the one it is given.

Effects are what the connection does next, in order: send an event, have an item heard, have a response
answered, stop one, or let others run for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from voxgate.core.errors import VoxgateError
from voxgate.core.ids import new_id
from voxgate.providers.local.checks import Check, anything, integer, mapping, nullable, record, text
from voxgate.providers.local.conversation import Conversation
from voxgate.providers.local.formats import BYTES_PER_SAMPLE, RATES, Samples, encode
from voxgate.providers.local.input_audio import InputAudio
from voxgate.providers.local.items import Item, checked_item, client_item, decode_base64, input_check
from voxgate.providers.local.refusals import (
    EventRefused,
    invalid_type,
    invalid_value,
    missing_parameter,
    no_such_item,
)
from voxgate.providers.local.responses import Event, Response, ResponseConfig, server_event
from voxgate.providers.local.session_config import default_session, response_fields, updated_session
from voxgate.providers.local.turns import Mark, SpeechStarted
from voxgate.providers.local.usage import InputMeter, RateLimit, transcription_usage

SESSION_SECONDS = 3600
SLICE_MS = 1000  # of audio between two pauses, so that one large append does not hold up the other calls
LEAST_COMMIT_MS = 100


@dataclass(frozen=True)
class Send:
    event: Event


@dataclass(frozen=True)
class Hear:
    """Have the item's audio transcribed, then call `Session.heard` or `Session.not_heard`."""

    item: Item
    transcription: dict[str, Any] | None  # the session's setting when the turn was committed


@dataclass(frozen=True)
class Answer:
    """Have the response generated into the Response, then call `Session.finish`."""

    response: Response


@dataclass(frozen=True)
class Halt:
    """Stop generating this response; it is finished already."""

    response: Response


@dataclass(frozen=True)
class Pause:
    """Nothing to do: a good moment to let others run."""


Effect = Send | Hear | Answer | Halt | Pause
Effects = Iterator[Effect]


def _metadata(value: Any, path: str) -> dict[str, str]:
    return {name: text(each, f"{path}.{name}") for name, each in mapping(value, path).items()}


_envelope: dict[str, Check] = {"type": anything, "event_id": nullable(text)}
_response = record({**response_fields, "metadata": nullable(_metadata), "input": input_check})


def _event(required: tuple[str, ...] = (), **fields: Check) -> Check:
    return record({**_envelope, **fields}, required=required)


class Session:
    def __init__(self, model: str, now_seconds: Callable[[], float]) -> None:
        self._now_seconds = now_seconds
        self.config = default_session(
            session_id=new_id("sess"), model=model, expires_at=int(now_seconds()) + SESSION_SECONDS
        )
        self.conversation = Conversation()
        self.conversation_id = new_id("conv")
        self.input = InputAudio("audio/pcm", self._input["turn_detection"])
        self.active: Response | None = None  # the one that writes into the conversation
        self._apart: list[Response] = []  # running with `conversation: none`
        self._meter = InputMeter()
        self._rate_limit = RateLimit()
        self._turn_item_id = new_id("item")  # the item that the speech in the buffer will become
        self._turn_start_ms: int | None = None
        self._idle_from_ms: int | None = None
        self._answered_at_ms = 0  # audio clock when the last response began

    @property
    def _input(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.config["audio"]["input"]
        return settings

    def opened(self) -> Effects:
        yield Send(server_event("session.created", session=self.config))

    def receive_text(self, message: str) -> Effects:
        """One text frame. Nothing that a client sends raises: what is wrong becomes an `error` event."""
        try:
            event = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            refused = EventRefused("invalid_json", f"Invalid event: failed to parse JSON value. {error}")
            return iter([self._error(refused, None)])
        return self.receive(event)

    def receive_binary(self) -> Effects:
        message = "Expected a text WebSocket message; binary frames are not supported."
        yield self._error(EventRefused("invalid_event", message), None)

    def receive(self, event: Any) -> Effects:
        event_id = event.get("event_id") if isinstance(event, dict) else None
        try:
            check, handler = self._handler_of(event)
            yield from handler(check(event, ""))
        except EventRefused as refused:
            yield self._error(refused, event_id if isinstance(event_id, str) else None)

    def heard(self, hear: Hear, transcript: str) -> Effects:
        item = hear.item
        item.heard = transcript
        if hear.transcription is None:
            return
        place = {"item_id": item.id, "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        for index, word in enumerate(transcript.split()):
            yield Send(server_event(f"{kind}.delta", **place, delta=f" {word}" if index else word))
        for part in item.body["content"]:
            if part["type"] == "input_audio":
                part["transcript"] = transcript
        usage = transcription_usage(hear.transcription["model"], item.audio_ms, transcript)
        yield Send(server_event(f"{kind}.completed", **place, transcript=transcript, usage=usage))

    def not_heard(self, hear: Hear, error: VoxgateError) -> Effects:
        hear.item.heard = ""
        if hear.transcription is not None:
            failure = error.body()["error"]
            kind = "conversation.item.input_audio_transcription.failed"
            yield Send(server_event(kind, item_id=hear.item.id, content_index=0, error=failure))

    def finish(
        self,
        response: Response,
        status: str,
        *,
        reason: str | None = None,
        error: dict[str, Any] | None = None,
    ) -> Effects:
        """Ends a response, unless it has ended already."""
        if response.done:
            return
        yield from map(Send, response.finish(status, reason=reason, error=error))
        if response is self.active:
            self.active = None
            self._idle_from_ms = max(self.input.clock_ms, self._answered_at_ms + response.audio_ms)
        else:
            self._apart.remove(response)
        limits = self._rate_limit.spend(response.total_tokens, self._now_seconds())
        yield Send(server_event("rate_limits.updated", rate_limits=limits))

    # What the client events do

    @cached_property
    def _handlers(self) -> dict[str, tuple[Check, Callable[[dict[str, Any]], Effects]]]:
        return {
            "session.update": (_event(("session",), session=anything), self._update),
            "input_audio_buffer.append": (_event(("audio",), audio=text), self._append),
            "input_audio_buffer.commit": (_event(), self._commit_by_client),
            "input_audio_buffer.clear": (_event(), self._clear),
            "conversation.item.create": (
                _event(("item",), item=mapping, previous_item_id=nullable(text)),
                self._create_item,
            ),
            "conversation.item.truncate": (
                _event(
                    ("item_id", "content_index", "audio_end_ms"),
                    item_id=text,
                    content_index=integer(0),
                    audio_end_ms=integer(0),
                ),
                self._truncate_item,
            ),
            "conversation.item.delete": (_event(("item_id",), item_id=text), self._delete_item),
            "conversation.item.retrieve": (_event(("item_id",), item_id=text), self._retrieve_item),
            "response.create": (_event(response=nullable(_response)), self._create_response),
            "response.cancel": (_event(response_id=nullable(text)), self._cancel_response),
        }

    def _handler_of(self, event: Any) -> tuple[Check, Callable[[dict[str, Any]], Effects]]:
        """`output_audio_buffer.clear` is not known: as on the live service, it is for WebRTC and SIP."""
        if not isinstance(event, dict):
            raise invalid_type("event", "an object", event)
        kind = event.get("type")
        if kind is None:
            raise missing_parameter("type")
        if not isinstance(kind, str) or kind not in self._handlers:
            raise invalid_value("type", kind, self._handlers)
        return self._handlers[kind]

    def _update(self, event: dict[str, Any]) -> Effects:
        voice_is_fixed = any(item.spoken for item in self.conversation.items)
        self.config = updated_session(self.config, event["session"], voice_is_fixed=voice_is_fixed)
        self.input.change_format(self._input["format"]["type"])
        self.input.detect_turns(self._input["turn_detection"])
        yield Send(server_event("session.updated", session=self.config))

    def _append(self, event: dict[str, Any]) -> Effects:
        audio = decode_base64(event["audio"], "audio")
        kind = self.input.format_type
        size = SLICE_MS * RATES[kind] // 1000 * BYTES_PER_SAMPLE[kind]
        for start in range(0, len(audio), size):
            if start:
                yield Pause()
            for mark in self.input.append(audio[start : start + size]):
                yield from self._on_mark(mark)
            yield from self._on_idle()

    def _on_mark(self, mark: Mark) -> Effects:
        rules = self._input["turn_detection"]
        if isinstance(mark, SpeechStarted):
            self._idle_from_ms = None
            self._turn_start_ms = mark.audio_start_ms
            place = {"audio_start_ms": mark.audio_start_ms, "item_id": self._turn_item_id}
            yield Send(server_event("input_audio_buffer.speech_started", **place))
            if self.active and rules["interrupt_response"]:
                yield from self._cancel(self.active, "turn_detected")
            return
        place = {"audio_end_ms": mark.audio_end_ms, "item_id": self._turn_item_id}
        yield Send(server_event("input_audio_buffer.speech_stopped", **place))
        yield from self._commit(self.input.take(self._turn_start_ms, mark.audio_end_ms))
        if rules["create_response"]:
            yield from self._respond({})

    def _on_idle(self) -> Effects:
        rules = self._input["turn_detection"] or {}
        timeout_ms = rules.get("idle_timeout_ms")
        if timeout_ms is None or self._idle_from_ms is None or self.active or self.input.speaking:
            return
        start_ms, end_ms = self._idle_from_ms, self.input.clock_ms
        if end_ms - start_ms < timeout_ms:
            return
        self._idle_from_ms = None
        place = {"audio_start_ms": start_ms, "audio_end_ms": end_ms, "item_id": self._turn_item_id}
        yield Send(server_event("input_audio_buffer.timeout_triggered", **place))
        yield from self._commit(self.input.take(start_ms, end_ms), silent=True)
        yield from self._respond({})

    def _commit_by_client(self, event: dict[str, Any]) -> Effects:
        if self.input.buffered_ms < LEAST_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. "
                f"Expected at least {LEAST_COMMIT_MS}ms of audio, "
                f"but buffer only has {self.input.buffered_ms:.2f}ms of audio."
            )
            raise EventRefused("input_audio_buffer_commit_empty", message)
        samples = self.input.take(self._turn_start_ms)
        self.input.clear()
        yield from self._commit(samples)

    def _commit(self, samples: Samples, *, silent: bool = False) -> Effects:
        kind = self.input.format_type
        body = {
            "id": self._turn_item_id,
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        item = Item(body, format_type=kind, audio=encode(kind, samples))
        item.audio_ms = len(samples) * 1000 // self.input.rate
        item.heard = "" if silent else None
        self._turn_item_id, self._turn_start_ms = new_id("item"), None
        place = {"previous_item_id": self.conversation.last_id, "item_id": item.id}
        yield Send(server_event("input_audio_buffer.committed", **place))
        yield from self._add(item, None)
        if not silent:
            yield Hear(item, self._input["transcription"])

    def _clear(self, event: dict[str, Any]) -> Effects:
        self.input.clear()
        self._turn_item_id, self._turn_start_ms = new_id("item"), None
        yield Send(server_event("input_audio_buffer.cleared"))

    def _create_item(self, event: dict[str, Any]) -> Effects:
        item = client_item(event["item"], "item", format_type=self.input.format_type)
        yield from self._add(item, event.get("previous_item_id"))
        if item.heard is None:
            yield Hear(item, self._input["transcription"])

    def _add(self, item: Item, previous_item_id: str | None) -> Effects:
        previous = self.conversation.insert(item, previous_item_id)
        for kind in ("conversation.item.added", "conversation.item.done"):
            yield Send(server_event(kind, previous_item_id=previous, item=item.shown()))

    def _truncate_item(self, event: dict[str, Any]) -> Effects:
        item_id, index = event["item_id"], event["content_index"]
        end_ms, complaint = self.conversation.truncate(item_id, index, event["audio_end_ms"])
        if complaint:
            yield self._error(complaint, event.get("event_id"))
        place = {"item_id": item_id, "content_index": index, "audio_end_ms": end_ms}
        yield Send(server_event("conversation.item.truncated", **place))

    def _delete_item(self, event: dict[str, Any]) -> Effects:
        self.conversation.delete(event["item_id"])
        yield Send(server_event("conversation.item.deleted", item_id=event["item_id"]))

    def _retrieve_item(self, event: dict[str, Any]) -> Effects:
        item = self.conversation.retrieve(event["item_id"])
        yield Send(server_event("conversation.item.retrieved", item=item.with_audio()))

    def _create_response(self, event: dict[str, Any]) -> Effects:
        yield from self._respond(event.get("response") or {})

    def _respond(self, wanted: dict[str, Any]) -> Effects:
        apart = wanted.get("conversation") == "none"
        if self.active and not apart:
            message = (
                f"Conversation already has an active response in progress: {self.active.id}. "
                "Wait until the response is finished before creating a new one."
            )
            raise EventRefused("conversation_already_has_active_response", message)
        context = self._context(wanted.get("input"))
        response = Response(
            config=self._response_config(wanted),
            context=context,
            conversation=None if apart else self.conversation,
            conversation_id=None if apart else self.conversation_id,
            meter=InputMeter() if apart else self._meter,
        )
        if apart:
            self._apart.append(response)
        else:
            self.active, self._idle_from_ms, self._answered_at_ms = response, None, self.input.clock_ms
        yield from map(Send, response.created())
        known = self.conversation.items  # those are being listened to already
        yield from (Hear(item, None) for item in context if item.heard is None and item not in known)
        yield Answer(response)

    def _context(self, given: list[dict[str, Any]] | None) -> list[Item]:
        if given is None:
            return list(self.conversation.items)
        return [self._context_item(body, f"response.input[{index}]") for index, body in enumerate(given)]

    def _context_item(self, body: dict[str, Any], path: str) -> Item:
        if body["type"] != "item_reference":
            return checked_item(body, path, format_type=self.input.format_type)
        item = self.conversation.find(body["id"])
        if item is None:
            raise no_such_item("reference", "referencing", body["id"])
        return item

    def _response_config(self, wanted: dict[str, Any]) -> ResponseConfig:
        session, instructions = self.config, wanted.get("instructions")
        output = {**session["audio"]["output"], **wanted.get("audio", {}).get("output", {})}
        return ResponseConfig(
            output_modality=wanted.get("output_modalities", session["output_modalities"])[0],
            format={"type": "audio/pcm", "rate": 24000} | output["format"]
            if output["format"]["type"] == "audio/pcm"
            else output["format"],
            voice=output["voice"],
            speed=output["speed"],
            instructions=session["instructions"] if instructions is None else instructions,
            own_instructions=instructions is not None,
            tools=wanted.get("tools", session["tools"]),
            tool_choice=wanted.get("tool_choice", session["tool_choice"]),
            max_output_tokens=wanted.get("max_output_tokens", session["max_output_tokens"]),
            metadata=wanted.get("metadata"),
        )

    def _cancel_response(self, event: dict[str, Any]) -> Effects:
        response_id = event.get("response_id")
        running = [self.active] if self.active else []
        if response_id is not None:
            running = [each for each in (*running, *self._apart) if each.id == response_id]
        if not running:
            raise EventRefused("response_cancel_not_active", "Cancellation failed: no active response found")
        yield from self._cancel(running[0], "client_cancelled")

    def _cancel(self, response: Response, reason: str) -> Effects:
        yield Halt(response)
        yield from self.finish(response, "cancelled", reason=reason)

    def _error(self, refused: EventRefused, client_event_id: str | None) -> Send:
        error = {**refused.body()["error"], "event_id": client_event_id}
        return Send(server_event("error", error=error))
