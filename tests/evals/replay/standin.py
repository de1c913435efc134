"""A stand-in for a provider that speaks the Realtime protocol (GA) as the live service does, says what a test
tells it to, and keeps what it was sent. It hears whether there is sound, no words.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgate.testing.provider import Upstreamed

Json = dict[str, Any]
RATE = 24_000
_DEFAULT: Json = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "",
    "tools": [],
    "audio": {
        "input": {"format": {"type": "audio/pcm", "rate": RATE}, "turn_detection": None},
        "output": {"format": {"type": "audio/pcm", "rate": RATE}, "voice": "marin"},
    },
}


@dataclass(frozen=True)
class Reply:
    words: str = ""
    calls: Sequence[tuple[str, Json]] = ()
    sound_ms: int = 200
    delay_seconds: float = 0.0
    status: str = "completed"
    error: Json | None = None


@dataclass
class Call:
    """One call as the stand-in saw it."""

    session: Json
    items: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    committed: list[bytes] = field(default_factory=list)

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def texts(self) -> list[str]:
        parts = (part for item in self.items for part in item.get("content", ()))
        return [part.get("text") or part.get("transcript") or "" for part in parts]


Think = Callable[[Call], Reply]


def echo_words(call: Call) -> Reply:
    """Says which user turn it is, or what a tool answered."""
    last = call.items[-1] if call.items else {}
    if last.get("type") == "function_call_output":
        return Reply(f"The tool says {last['output']}")
    turns = sum(1 for item in call.items if item.get("role") == "user")
    return Reply(f"Answer {turns}.")


class Standin:
    def __init__(self) -> None:
        self.think: Think = echo_words
        self.calls: list[Call] = []
        self.confirms = True
        """Whether it takes settings; else it refuses them."""

    async def script(self, socket: Upstreamed) -> None:
        call = Call(json.loads(json.dumps(_DEFAULT)))
        self.calls.append(call)
        await _Line(self, call, socket).run()


class _Line:
    def __init__(self, standin: Standin, call: Call, socket: Upstreamed) -> None:
        self._standin = standin
        self._call = call
        self._socket = socket
        self._ids = itertools.count(1)
        self._buffer = bytearray()
        self._pending = bytearray()
        self._quiet_ms = 0.0
        self._appended_ms = 0.0
        self._speech: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._response_id = ""

    async def run(self) -> None:
        await self._send({"type": "session.created", "session": self._call.session})
        try:
            async for message in self._socket:
                event = json.loads(message)
                if event["type"] != "input_audio_buffer.append":
                    self._call.events.append(event)
                handle = getattr(self, "_" + event["type"].replace(".", "_"), None)
                if handle is None:
                    await self._refuse(event, "invalid_value", f"Invalid value: {event['type']}")
                else:
                    await handle(event)
        finally:
            if self._task is not None:
                self._task.cancel()

    async def _send(self, event: Json) -> None:
        await self._socket.send(json.dumps({"event_id": f"event_{next(self._ids)}", **event}))

    async def _refuse(self, event: Json, code: str, message: str) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        await self._send({"type": "error", "error": {**error, "event_id": event.get("event_id")}})

    async def _session_update(self, event: Json) -> None:
        if not self._standin.confirms:
            await self._refuse(event, "unknown_parameter", "Unknown parameter: 'session.voice'.")
            return
        session, new = self._call.session, event["session"]
        audio = new.pop("audio", {})
        session.update(new)
        for direction, fields in audio.items():
            session["audio"][direction].update(fields)
        await self._send({"type": "session.updated", "session": session})

    # Items

    async def _add(self, item: Json) -> None:
        item.setdefault("id", f"item_{next(self._ids)}")
        previous = self._call.items[-1]["id"] if self._call.items else None
        self._call.items.append(item)
        for name in ("added", "done"):
            await self._send(
                {"type": f"conversation.item.{name}", "previous_item_id": previous, "item": item}
            )

    async def _conversation_item_create(self, event: Json) -> None:
        await self._add(event["item"])

    async def _conversation_item_delete(self, event: Json) -> None:
        kept = [item for item in self._call.items if item["id"] != event["item_id"]]
        if len(kept) == len(self._call.items):
            await self._refuse(event, "item_delete_invalid_item_id", "no such item")
            return
        self._call.items[:] = kept
        await self._send({"type": "conversation.item.deleted", "item_id": event["item_id"]})

    async def _conversation_item_truncate(self, event: Json) -> None:
        known = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        await self._send({"type": "conversation.item.truncated", **known})

    # The user's sound

    @property
    def _detection(self) -> Json | None:
        found: Json | None = self._call.session["audio"]["input"].get("turn_detection")
        return found

    async def _input_audio_buffer_append(self, event: Json) -> None:
        data = base64.b64decode(event["audio"])
        self._buffer += data
        if self._detection is None:
            return
        self._pending += data
        size = self._bytes(20)
        while len(self._pending) >= size:
            piece = bytes(self._pending[:size])
            del self._pending[:size]
            await self._hear(piece)

    def _bytes(self, ms: int) -> int:
        pcm = self._call.session["audio"]["input"]["format"]["type"] == "audio/pcm"
        return ms * 48 if pcm else ms * 8

    async def _hear(self, piece: bytes) -> None:
        """20 ms of it; loud or not."""
        self._appended_ms += 20
        if _is_loud(piece):
            self._quiet_ms = 0.0
            if self._speech is None:
                self._speech = f"item_{next(self._ids)}"
                started = {"audio_start_ms": int(self._appended_ms) - 20, "item_id": self._speech}
                await self._send({"type": "input_audio_buffer.speech_started", **started})
                await self._interrupt()
        elif self._speech is not None:
            self._quiet_ms += 20
            if self._quiet_ms >= (self._detection or {}).get("silence_duration_ms", 200):
                await self._end_speech()

    async def _end_speech(self) -> None:
        item_id, self._speech = self._speech, None
        stopped = {"audio_end_ms": int(self._appended_ms), "item_id": item_id}
        await self._send({"type": "input_audio_buffer.speech_stopped", **stopped})
        await self._commit(item_id)
        if (self._detection or {}).get("create_response", True):
            await self._begin({})

    async def _input_audio_buffer_commit(self, event: Json) -> None:
        if len(self._buffer) < self._bytes(100):
            await self._refuse(event, "input_audio_buffer_commit_empty", "buffer too small")
            return
        await self._commit(f"item_{next(self._ids)}")

    async def _commit(self, item_id: str | None) -> None:
        self._call.committed.append(bytes(self._buffer))
        self._buffer.clear()
        previous = self._call.items[-1]["id"] if self._call.items else None
        committed = {"previous_item_id": previous, "item_id": item_id}
        await self._send({"type": "input_audio_buffer.committed", **committed})
        content = [{"type": "input_audio", "transcript": None}]
        await self._add({"id": item_id, "type": "message", "role": "user", "content": content})

    # Responses

    async def _response_create(self, event: Json) -> None:
        if self._task is not None and not self._task.done():
            code = "conversation_already_has_active_response"
            await self._refuse(event, code, "Conversation already has an active response")
            return
        await self._begin(event.get("response") or {})

    async def _response_cancel(self, event: Json) -> None:
        if self._task is None or self._task.done():
            await self._refuse(event, "response_cancel_not_active", "no active response")
            return
        await self._cancel("client_cancelled")

    async def _interrupt(self) -> None:
        if self._task is not None and not self._task.done():
            await self._cancel("turn_detected")

    async def _cancel(self, reason: str) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        details = {"type": "cancelled", "reason": reason}
        response = {"id": self._response_id, "status": "cancelled", "status_details": details, "output": []}
        await self._send({"type": "response.done", "response": response})

    async def _begin(self, asked: Json) -> None:
        self._response_id = f"resp_{next(self._ids)}"
        response = {"id": self._response_id, "status": "in_progress", "metadata": asked.get("metadata")}
        await self._send({"type": "response.created", "response": response})
        self._task = asyncio.create_task(self._respond(self._response_id))

    async def _respond(self, response_id: str) -> None:
        reply = self._standin.think(self._call)
        await asyncio.sleep(reply.delay_seconds)
        output: list[Json] = []
        if reply.words:
            output.append(await self._say(response_id, reply))
        for name, arguments in reply.calls:
            output.append(await self._call_tool(response_id, len(output), name, arguments))
        details = {"type": reply.status, "error": reply.error} if reply.error else None
        usage = {
            "total_tokens": 30, "input_tokens": 20, "output_tokens": 10,
            "input_token_details": {"text_tokens": 10, "audio_tokens": 10, "cached_tokens": 0},
            "output_token_details": {"text_tokens": 5, "audio_tokens": 5},
        }  # fmt: skip
        done = {"id": response_id, "status": reply.status, "status_details": details, "output": output}
        await self._send({"type": "response.done", "response": {**done, "usage": usage}})

    async def _say(self, response_id: str, reply: Reply) -> Json:
        item = {"id": f"item_{next(self._ids)}", "type": "message", "role": "assistant", "content": []}
        at = {"response_id": response_id, "item_id": item["id"], "output_index": 0, "content_index": 0}
        await self._send({"type": "response.output_item.added", "response_id": response_id, "item": item})
        await self._add(item)
        await self._send({"type": "response.output_audio_transcript.delta", **at, "delta": reply.words})
        piece = base64.b64encode(_tone(100)).decode()
        for _ in range(reply.sound_ms // 100):
            await self._send({"type": "response.output_audio.delta", **at, "delta": piece})
            await asyncio.sleep(0)
        item["content"] = [{"type": "output_audio", "transcript": reply.words}]
        whole = {"transcript": reply.words}
        await self._send({"type": "response.output_audio_transcript.done", **at, **whole})
        await self._send({"type": "response.output_item.done", "response_id": response_id, "item": item})
        return item

    async def _call_tool(self, response_id: str, index: int, name: str, arguments: Json) -> Json:
        call_id = f"call_{next(self._ids)}"
        item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": json.dumps(arguments)}
        item["id"] = f"item_{next(self._ids)}"
        at = {"response_id": response_id, "item_id": item["id"], "output_index": index}
        await self._send({"type": "response.output_item.added", **at, "item": {**item, "arguments": ""}})
        await self._add(item)
        done = {"call_id": call_id, "name": name, "arguments": item["arguments"]}
        await self._send({"type": "response.function_call_arguments.done", **at, **done})
        await self._send({"type": "response.output_item.done", **at, "item": item})
        return item


def _is_loud(pcm: bytes) -> bool:
    return bool(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)).max(initial=0) > 500)


def _tone(ms: int, hz: int = 400) -> bytes:
    t = np.arange(RATE * ms // 1000) / RATE
    return (np.sin(2 * np.pi * hz * t) * 8000).astype("<i2").tobytes()


def speech(ms: int = 400, quiet_ms: int = 0) -> bytes:
    """Sound as a user would make it, 24 kHz PCM, with silence behind it."""
    return _tone(ms) + bytes(RATE * quiet_ms // 1000 * 2)
