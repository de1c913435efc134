"""A call through OpenAI's own Python package that keeps what went in and out, for comparison."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from tests.running import Voxgate

APPEND_MS = 100
STEP_SECONDS = 60
VAD = {"type": "server_vad", "silence_duration_ms": 500}
TRANSCRIPTION = {"model": "whisper-1"}


@dataclass
class OfficialCall:
    connection: AsyncRealtimeConnection
    sent: list[Any] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)
    """Server events, as the package parsed them."""
    appended: bytes = b""

    async def send(self, **event: Any) -> None:
        self.sent.append(event)
        await self.connection.send(event)  # type: ignore[arg-type]

    async def until(self, *types: str) -> Any:
        """Reads on until each of these has come; gives the last one. Fails at an `error` not asked for."""
        missing = set(types)
        while missing:
            event = await asyncio.wait_for(self.connection.recv(), STEP_SECONDS)
            self.received.append(event)
            assert event.type != "error" or "error" in types, event
            missing.discard(event.type)
        return self.received[-1]

    async def configure(self, **session: Any) -> Any:
        await self.send(type="session.update", session={"type": "realtime", **session})
        return await self.until("session.updated")

    async def append(
        self, pcm: bytes, *, bytes_per_ms: int = 48, silence_ms: int = 0, silence: int = 0
    ) -> None:
        """In pieces of 100 ms, as fast as it goes: the server's clock is that of the audio."""
        data = pcm + bytes([silence]) * (bytes_per_ms * silence_ms)
        size = bytes_per_ms * APPEND_MS
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.appended += piece
            await self.send(type="input_audio_buffer.append", audio=base64.b64encode(piece).decode())

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.received if event.type == kind]

    @property
    def audio(self) -> bytes:
        """All sound that came, as it came."""
        return self._joined(self.of("response.output_audio.delta"))

    def audio_of(self, item_id: str) -> bytes:
        return self._joined(
            [event for event in self.of("response.output_audio.delta") if event.item_id == item_id]
        )

    @staticmethod
    def _joined(deltas: list[Any]) -> bytes:
        return b"".join(base64.b64decode(event.delta) for event in deltas)


@contextlib.asynccontextmanager
async def calling(voxgate: Voxgate, key: str, model: str = "local") -> AsyncIterator[OfficialCall]:
    """A call that differs from one to OpenAI in nothing but base_url and api_key."""
    async with AsyncOpenAI(base_url=f"{voxgate.url}/v1", api_key=key) as client:
        async with client.realtime.connect(model=model) as connection:
            yield OfficialCall(connection)


def messages(log: bytes, direction: str) -> list[Any]:
    """The messages of one direction of an event log; the last line of each is a close frame."""
    lines = [orjson.loads(line) for line in log.splitlines()]
    return [line["msg"] for line in lines if line["dir"] == direction and "msg" in line]
