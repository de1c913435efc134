"""Calls for the web app's pages as event logs to import: a support call with tools, a barge-in, settings that
change and an error, spoken by whatever voice is given, as often one after the other as is wanted.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 24_000
CHUNK_MS = 100
Voice = Callable[[str], NDArray[np.int16]]
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
TOOLS = [
    {
        "type": "function",
        "name": name,
        "description": f"{name} of an order",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}},
            "required": ["order_id"],
        },
    }
    for name in ("get_order_status", "refund_order")
]
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime-2",
    "instructions": f"You are the help desk of a shop. {SCRIPT}",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": RATE},
            "transcription": {"model": "gpt-4o-transcribe"},
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500},
        },
        "output": {"format": {"type": "audio/pcm", "rate": RATE}, "voice": "marin"},
    },
    "tools": TOOLS,
}


class CallLog:
    """Lines of an event log, with the user's microphone open all the time."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._entries: list[tuple[float, int, str, dict[str, Any]]] = []
        self._user: list[tuple[float, NDArray[np.int16]]] = []
        self._count = 0
        self.now_ms = 0.0
        self._put("gateway", 0, {"type": "gateway.opened", "model": "gpt-realtime-2", "project": "support"})
        first = {**SESSION, "tools": [], "id": "sess_p"}
        self._put("server", 40, {"type": "session.created", "session": first})
        self._put("client", 60, {"type": "session.update", "session": SESSION})
        self._put("server", 90, {"type": "session.updated", "session": {**SESSION, "id": "sess_p"}})
        self.now_ms = 900.0

    def _put(self, side: str, at_ms: float, message: dict[str, Any]) -> None:
        self._count += 1
        self._entries.append((at_ms, self._count, side, message))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    def user_says(self, text: str, transcript: str | None = None) -> float:
        """From now on; when its end was noticed."""
        speech, item = self._voice(text), self._name("item")
        start, length = self.now_ms, len(speech) * 1000 / RATE
        self._user.append((start, speech))
        marks = {"item_id": item, "audio_start_ms": round(start - 300)}
        self._put("server", start + 120, {"type": "input_audio_buffer.speech_started", **marks})
        stopped = start + length + 500
        ended = {"item_id": item, "audio_end_ms": round(stopped)}
        self._put("server", stopped + 15, {"type": "input_audio_buffer.speech_stopped", **ended})
        self._put("server", stopped + 16, {"type": "input_audio_buffer.committed", "item_id": item})
        done = "conversation.item.input_audio_transcription.completed"
        written = text if transcript is None else transcript
        words = {"item_id": item, "content_index": 0, "transcript": written}
        usage = {"type": "duration", "seconds": length / 1000}
        self._put("server", stopped + 420, {"type": done, **words, "usage": usage})
        self.now_ms = stopped + 16
        return stopped

    def user_shows(self, text: str, url: str) -> None:
        """Typed, with a picture."""
        parts = [{"type": "input_text", "text": text}, {"type": "input_image", "image_url": url}]
        item = {"id": self._name("item"), "type": "message", "role": "user", "content": parts}
        self._put("client", self.now_ms, {"type": "conversation.item.create", "item": item})
        self._put("client", self.now_ms + 1, {"type": "response.create"})

    def assistant_says(
        self, text: str, heard_ms: float | None = None, tool: tuple[str, Any, Any, float] | None = None
    ) -> None:
        """And calls a tool at its end (name, arguments, result, how long it takes). With `heard_ms` somebody
        barges in then: the next words of the user begin a little before."""
        response, item = self._name("resp"), self._name("item")
        begin = self.now_ms + 40
        created = {"id": response, "object": "realtime.response", "status": "in_progress"}
        self._put("server", begin, {"type": "response.created", "response": created})
        ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        speech = self._voice(text)
        at = begin + 260
        for start in range(0, len(speech), RATE // 5):
            piece = speech[start : start + RATE // 5].astype("<i2").tobytes()
            delta = base64.b64encode(piece).decode()
            self._put("server", at, {"type": "response.output_audio.delta", **ids, "delta": delta})
            at += 30
        self._put(
            "server", begin + 270, {"type": "response.output_audio_transcript.delta", **ids, "delta": text}
        )
        played = len(speech) * 1000 / RATE
        if tool is not None:
            self._tool(tool, response, at)
        usage = {
            "total_tokens": 620, "input_tokens": 480, "output_tokens": 140,
            "input_token_details": {"text_tokens": 200, "audio_tokens": 280, "cached_tokens": 256,
                                    "cached_tokens_details": {"text_tokens": 128, "audio_tokens": 128}},
            "output_token_details": {"text_tokens": 30, "audio_tokens": 110},
        }  # fmt: skip
        finished = {"id": response, "status": "completed", "output": [], "usage": usage}
        self._put("server", at + 5, {"type": "response.done", "response": finished})
        starts = begin + 260
        if heard_ms is not None:
            self.now_ms = starts + heard_ms - 450
            cut = {"item_id": item, "content_index": 0, "audio_end_ms": round(heard_ms)}
            self._put("client", starts + heard_ms, {"type": "conversation.item.truncate", **cut})
        else:
            self.now_ms = max(starts + played + 700, self.now_ms)

    def _tool(self, tool: tuple[str, Any, Any, float], response: str, at: float) -> None:
        name, arguments, result, takes_ms = tool
        item, call = self._name("item"), self._name("call")
        names = {"response_id": response, "item_id": item, "output_index": 1, "call_id": call, "name": name}
        added = {"id": item, "type": "function_call", "name": name, "call_id": call, "arguments": ""}
        self._put(
            "server", at, {"type": "response.output_item.added", "response_id": response, "item": added}
        )
        text = json.dumps(arguments)
        self._put(
            "server", at + 4, {"type": "response.function_call_arguments.done", **names, "arguments": text}
        )
        output = {"type": "function_call_output", "call_id": call, "output": json.dumps(result)}
        self._put("client", at + takes_ms, {"type": "conversation.item.create", "item": output})
        self._put("client", at + takes_ms + 1, {"type": "response.create"})
        self.now_ms = at + takes_ms

    def says(self, side: str, message: dict[str, Any]) -> None:
        self._put(side, self.now_ms, message)

    def lines(self) -> Iterator[str]:
        """With the microphone's chunks between; the call ends a second after the last word."""
        end = self.now_ms + 1000
        self._put("gateway", end, {"type": "gateway.closed", "code": 1000, "reason": "", "side": "client"})
        user = np.zeros(int(end * RATE / 1000) + RATE, np.int16)
        for start, speech in self._user:
            first = int(start * RATE / 1000)
            user[first : first + len(speech)] = speech[: len(user) - first]
        step = RATE * CHUNK_MS // 1000
        for chunk in range(int(end / CHUNK_MS)):
            audio = base64.b64encode(user[chunk * step : (chunk + 1) * step].astype("<i2").tobytes()).decode()
            message = {"type": "input_audio_buffer.append", "audio": audio}
            self._entries.append((chunk * CHUNK_MS + CHUNK_MS, 0, "client", message))
        for at_ms, _, side, message in sorted(self._entries, key=lambda one: one[:2]):
            yield json.dumps({"t": round(at_ms * 1e6), "dir": side, "msg": message})


def lamp() -> str:
    """A picture as a data URL: a lamp, more or less."""
    y, x = np.mgrid[0:120, 0:180]
    light = np.clip(255 - np.hypot(x - 90, (y - 40) * 1.3) * 3, 0, 255)
    shade = (np.abs(x - 90) < 18 + y * 0.35) & (y > 18) & (y < 62)
    foot = (np.abs(x - 90) < 4) & (y >= 62) & (y < 108) | (np.abs(x - 90) < 26) & (y >= 104) & (y < 110)
    red, green, blue = 24 + light * 0.75, 30 + light * 0.6, 52 + light * 0.2
    pixels = np.stack([np.where(shade, 246, red), np.where(shade, 163, green), np.where(shade, 92, blue)], -1)
    pixels[foot] = (200, 205, 214)
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 180, 120, 8, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def support_call(voice: Voice, times: int = 1) -> bytes:
    """About 35 seconds, so many times over."""
    log = CallLog(voice)
    for n in range(times):
        log.user_says("Hi, can you check the status of my order A 1 2 3 4 5?")
        status = {"status": "In transit", "eta": "2026-01-25", "note": SCRIPT}
        tool = ("get_order_status", {"order_id": "A12345"}, status, 2800.0)
        log.assistant_says("Let me pull that up.", tool=tool)
        log.assistant_says(
            "Your order is in transit and should arrive on January 25th. Would you like me to text you the"
            " tracking link?",
            heard_ms=3650,
        )
        log.user_says("No wait, I want a refund.", f"No wait, I want a refund. {SCRIPT}" if n == 0 else None)
        refund = ("refund_order", {"order": 7}, {"error": {"message": "The order id is missing"}}, 600.0)
        log.assistant_says("Certainly.", tool=refund)
        log.assistant_says("I have asked for your refund. It takes three to five days. Anything else?")
        louder = {"audio": {"output": {"voice": "cedar", "speed": 1.1}}, "instructions": "Be brief."}
        if n == 0:
            log.says("client", {"type": "session.update", "session": louder})
            changed = {**SESSION, "instructions": "Be brief."}
            log.says("server", {"type": "session.updated", "session": changed})
            limits = [{"name": "tokens", "limit": 40_000, "remaining": 39_120, "reset_seconds": 1.2}]
            log.says("server", {"type": "rate_limits.updated", "rate_limits": limits})
            wrong = {"type": "invalid_request_error", "code": "unknown_parameter"}
            log.says("server", {"type": "error", "error": {**wrong, "message": "Unknown parameter: 'mood'."}})
        log.now_ms += 4200
    log.user_shows("This is what came.", lamp())
    log.assistant_says("Thank you, that helps.")
    log.user_says("No, thank you. Goodbye.")
    log.assistant_says("Goodbye.")
    return "\n".join(log.lines()).encode()
