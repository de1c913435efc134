"""A call written down as a script: each line says when what passed. It yields the events of its log."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from voxgate.traces import Event, Span, Trace, TraceBuilder, build_trace
from voxgate.traces.sound import Interval, Lane, SoundFacts

OPENED = {
    "type": "gateway.opened",
    "version": 1,
    "session_id": "sess_test",
    "started_at": "2026-11-22T10:00:00.000Z",
    "project": "default",
    "model": "gpt-realtime",
    "provider": "openai",
    "credential": {"id": "cred_1", "kind": "temporary"},
    "metadata": {"user_id": "u1"},
    "tags": ["demo"],
}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pcm(ms: float, rate: int = 24_000, start: int = 0) -> bytes:
    """A ramp: every sample of it is known."""
    count = round(ms * rate / 1000)
    return ((np.arange(start, start + count) % 20_000) + 1).astype("<i2").tobytes()


def vad(kind: str = "server_vad", **more: Any) -> dict[str, Any]:
    detection = (
        {"type": kind, "silence_duration_ms": 200, "prefix_padding_ms": 300} if kind == "server_vad" else {}
    )
    return {"type": kind, **detection, **more}


class Call:
    def __init__(self, **opened: Any) -> None:
        self.events: list[Event] = []
        self.t_ms = 0.0
        self.gateway(0, **{**OPENED, **opened})

    def _add(self, t_ms: float | None, direction: str, msg: dict[str, Any]) -> Call:
        self.t_ms = self.t_ms if t_ms is None else t_ms
        self.events.append(Event(round(self.t_ms * 1e6), direction, msg))
        return self

    def client(self, t_ms: float | None, type: str, **fields: Any) -> Call:  # noqa: A002
        return self._add(t_ms, "client", {"type": type, **fields})

    def server(self, t_ms: float | None, type: str, **fields: Any) -> Call:  # noqa: A002
        return self._add(t_ms, "server", {"type": type, **fields})

    def gateway(self, t_ms: float | None, type: str, **fields: Any) -> Call:  # noqa: A002
        return self._add(t_ms, "gateway", {"type": type, **fields})

    def session(self, t_ms: float = 10, *, turn_detection: Any = None, **fields: Any) -> Call:
        """The provider's first word; by default server VAD and PCM at 24 kHz both ways."""
        pcm_format = {"type": "audio/pcm", "rate": 24_000}
        audio = {
            "input": {"format": pcm_format, "turn_detection": turn_detection or vad(), "transcription": None},
            "output": {"format": pcm_format, "voice": "alloy"},
        }
        config = {"type": "realtime", "id": "sess_p", "model": "gpt-realtime-2026", "audio": audio, **fields}
        return self.server(t_ms, "session.created", session=config)

    def formats(self, t_ms: float, user: str, assistant: str, rate: int = 24_000) -> Call:
        def shape(name: str) -> dict[str, Any]:
            return {"type": name, "rate": rate} if name == "audio/pcm" else {"type": name}

        audio = {
            "input": {"format": shape(user), "turn_detection": vad()},
            "output": {"format": shape(assistant)},
        }
        self.client(t_ms, "session.update", session={"type": "realtime", "audio": audio})
        return self.server(None, "session.updated", session={"type": "realtime", "audio": audio})

    def append(self, start_ms: float, audio: bytes, *, chunk: int = 4800, every_ms: float = 100) -> Call:
        """Audio in chunks of so many bytes, paced."""
        for index, at in enumerate(range(0, len(audio), chunk)):
            data = b64(audio[at : at + chunk])
            self.client(start_ms + index * every_ms, "input_audio_buffer.append", audio=data)
        return self

    def speech(
        self, item_id: str, start: float, stop: float, *, audio: tuple[float, float] | None = None
    ) -> Call:
        """Server VAD finds speech; the marks on the audio clock are `audio`, else the times themselves."""
        audio_start, audio_end = audio or (start, stop)
        self.server(start, "input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=audio_start)
        self.server(stop, "input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=audio_end)
        return self.committed(None, item_id)

    def committed(self, t_ms: float | None, item_id: str) -> Call:
        self.server(t_ms, "input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        return self.server(None, "conversation.item.added", item=item, previous_item_id=None)

    def transcript(self, t_ms: float, item_id: str, text: str) -> Call:
        name = "conversation.item.input_audio_transcription.completed"
        usage = {"type": "duration", "seconds": 2}
        return self.server(t_ms, name, item_id=item_id, content_index=0, transcript=text, usage=usage)

    def user_text(self, t_ms: float, text: str, **fields: Any) -> Call:
        item = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text}],
            **fields,
        }
        return self.client(t_ms, "conversation.item.create", item=item)

    def created(self, t_ms: float, response_id: str, **fields: Any) -> Call:
        return self.server(
            t_ms, "response.created", response={"id": response_id, "status": "in_progress", **fields}
        )

    def audio(self, t_ms: float, response_id: str, item_id: str, data: bytes) -> Call:
        names = {"response_id": response_id, "item_id": item_id}
        return self.server(t_ms, "response.output_audio.delta", delta=b64(data), **names)

    def words(self, t_ms: float, response_id: str, item_id: str, text: str) -> Call:
        names = {"response_id": response_id, "item_id": item_id}
        return self.server(t_ms, "response.output_audio_transcript.delta", delta=text, **names)

    def done(self, t_ms: float, response_id: str, status: str = "completed", **fields: Any) -> Call:
        return self.server(t_ms, "response.done", response={"id": response_id, "status": status, **fields})

    def cancelled(self, t_ms: float, response_id: str, reason: str) -> Call:
        return self.done(
            t_ms, response_id, "cancelled", status_details={"type": "cancelled", "reason": reason}
        )

    def call_tool(self, t_ms: float, response_id: str, call_id: str, name: str, arguments: str) -> Call:
        item = {"id": f"item_{call_id}", "type": "function_call", "name": name, "call_id": call_id}
        self.server(
            t_ms, "response.output_item.added", response_id=response_id, item={**item, "arguments": ""}
        )
        names = {"response_id": response_id, "item_id": item["id"], "call_id": call_id}
        self.server(None, "response.function_call_arguments.delta", delta=arguments, **names)
        done = "response.function_call_arguments.done"
        return self.server(t_ms + 5, done, name=name, arguments=arguments, **names)

    def tool_result(self, t_ms: float, call_id: str, output: str) -> Call:
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        return self.client(t_ms, "conversation.item.create", item=item)

    def close(self, t_ms: float, code: int = 1000, side: str = "client", reason: str = "") -> Call:
        return self.gateway(t_ms, "gateway.closed", code=code, reason=reason, side=side)

    def trace(self, sound: SoundFacts | None = None) -> Trace:
        return build_trace(self.events, sound=sound)


def voices(user: Sequence[Interval] = (), heard: Sequence[Interval] = (), **lane: float) -> SoundFacts:
    """What the recorder would have found: who was voiced when, in ms."""
    return SoundFacts(Lane(user, **lane), Lane(heard), {"kind": "by hand", "version": 1})


def greeting(call: Call, audio_ms: float = 1000) -> Call:
    """A spoken turn: said from 500 to 1500, answered from 2200 on."""
    call.append(500, pcm(1400)).speech("item_u", 1000, 2000, audio=(0, 1000))
    call.created(2100, "resp_1").words(
        2150, "resp_1", "item_a", "one two three four five six seven eight nine ten"
    )
    return call.audio(2200, "resp_1", "item_a", pcm(audio_ms))


def live_trace(call: Call) -> Trace:
    """As it is shown while the call runs."""
    builder = TraceBuilder()
    for event in call.events:
        builder.feed(event)
    return builder.snapshot()


def spans(trace: Trace, span_type: str) -> list[Span]:
    return [span for span in trace.spans if span.type == span_type]


def outline(trace: Trace) -> list[str]:
    """The tree as lines: depth, name and status."""
    depths: dict[str | None, int] = {None: -1}
    lines = []
    for span in trace.spans:
        depths[span.id] = depths[span.parent_id] + 1
        lines.append(f"{'  ' * depths[span.id]}{span.name} {span.status}")
    return lines


def recording(shared: Path, name: str, *, every_ms: float = 20) -> Call:
    """A recorded session with a live service, with made-up times: the recordings have none."""
    path = shared / "fixtures/realtime/recordings" / f"{name}.yaml"
    call = Call()
    for interaction in yaml.safe_load(path.read_text())["interactions"]:
        direction = "client" if interaction["direction"] == "sent" else "server"
        call._add(call.t_ms + every_ms, direction, interaction["data"])
    return call.close(call.t_ms + every_ms)
