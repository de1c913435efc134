"""The load: callers and the provider behind the relay, in one process, so that both ends of every message
are known. A message carries its number and the moment of its sending; what arrives is compared with what was
sent.

    caller ──20 messages/s of 3.2 KB──> relay ──> provider
           <──bursts of 16 KB──────────       <──
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any

from voxgate.realtime.frames import TEXT, FrameDecoder, encode_frame
from voxgate.realtime.handshake import accept_key, new_key

UP_BYTES = 3_200
UP_EVERY_MS = 50
DOWN_BYTES = 16_000
DOWN_BURST = 5
DOWN_EVERY_MS = 1_000
_HEAD_END = b"\r\n\r\n"
_STAMP = re.compile(rb'"event_id":\s*"(\d+)-(\d+)"')


def audio(size: int, seed: int) -> bytes:
    """Base64 text of about `size` bytes that no relay can know beforehand."""
    block = hashlib.sha512(str(seed).encode()).digest() * (size // 64 + 1)
    return base64.b64encode(block[: size * 3 // 4 - 60])


@dataclass
class Counts:
    """What one direction did."""

    sent: int = 0
    received: int = 0
    wrong: int = 0
    latencies_ms: list[float] = field(default_factory=list)


class Stream:
    """One direction of one call: makes its messages and checks those that arrive."""

    def __init__(self, kind: str, field_name: str, size: int, seed: int, counts: Counts) -> None:
        self._sound = audio(size, seed)
        self._before = f'{{"type":"{kind}","event_id":"'.encode()
        self._after = f'","{field_name}":"'.encode() + self._sound + b'"}'
        self._counts = counts
        self._next = 0
        self._expected = 0

    def message(self) -> bytes:
        stamp = f"{self._next}-{time.perf_counter_ns()}".encode()
        self._next += 1
        self._counts.sent += 1
        return self._before + stamp + self._after

    def check(self, message: bytes) -> None:
        now = time.perf_counter_ns()
        counts = self._counts
        counts.received += 1
        stamp = _STAMP.search(message[:120])
        if stamp is None or int(stamp[1]) != self._expected or self._sound not in message:
            counts.wrong += 1
            return
        self._expected += 1
        counts.latencies_ms.append((now - int(stamp[2])) / 1e6)


class Caller(asyncio.Protocol):
    """A client of the relay, or with `server=True` the provider's side of a call."""

    def __init__(self, load: Load, *, server: bool = False) -> None:
        self._load = load
        self._server = server
        self._decoder = FrameDecoder()
        self._head = b""
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self.streams: tuple[Stream, Stream] | None = None
        self.lost = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.open.done():
            data = self._shake_hands(data)
        if data:
            for message in self._decoder.feed(data):
                if message.opcode == TEXT and self.streams is not None:
                    self._take(message.payload)

    def _take(self, payload: bytes) -> None:
        assert self.streams is not None
        if b'"bench.' in payload[:20]:
            self.streams[1 if not self._server else 0].check(payload)
            if self._load.echo and self._server:
                self.send(self.streams[1].message())
            elif self._load.echo:
                self._load.answered(self)

    def _shake_hands(self, data: bytes) -> bytes:
        self._head += data
        head, end, rest = self._head.partition(_HEAD_END)
        if not end:
            return b""
        if self._server:
            self._answer(head)
        elif b" 101 " not in head.split(b"\r\n")[0]:
            self.open.set_exception(ConnectionError(head[:200].decode(errors="replace")))
            return b""
        self.open.set_result(None)
        return rest

    def _answer(self, head: bytes) -> None:
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.decode().split("\r\n"))
        }
        accept = accept_key(headers["sec-websocket-key"])
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept.encode() + _HEAD_END
        )
        self._load.provider_opened(self)

    def send(self, payload: bytes) -> None:
        self.transport.write(encode_frame(TEXT, payload) if self._server else masked_frame(payload))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.open.done():
            self.open.set_exception(ConnectionError(f"closed during the handshake: {exc}"))


def masked_frame(payload: bytes) -> bytes:
    """A client's frame with the mask 0: legal, and free of charge for the load generator."""
    size = len(payload)
    head = b"\x81\xfe" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x81\xff" + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


class Load:
    def __init__(self, provider_port: int, relay_port: int, path: str, key: str) -> None:
        self._provider_port = provider_port
        self._relay_port = relay_port
        self._path = path
        self._key = key
        self._server: asyncio.Server | None = None
        self._opened = asyncio.Event()
        self.callers: list[Caller] = []
        self.providers: list[Caller] = []
        self.up, self.down = Counts(), Counts()
        self.up_bytes, self.down_bytes = UP_BYTES, DOWN_BYTES
        self.echo = False
        self._deadline = 0.0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Caller(self, server=True), "127.0.0.1", self._provider_port, backlog=4096
        )

    async def open(self, count: int) -> None:
        """Opens calls one after the other, so that both ends of each are known to belong together."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            self._opened.clear()
            _, caller = await loop.create_connection(lambda: Caller(self), "127.0.0.1", self._relay_port)
            request = (
                f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._relay_port}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {new_key()}\r\n"
                f"Authorization: Bearer {self._key}\r\n\r\n"
            )
            caller.transport.write(request.encode())
            await asyncio.wait_for(caller.open, 30)
            await asyncio.wait_for(self._opened.wait(), 30)
            number = len(self.callers)
            streams = (
                Stream("bench.up", "audio", self.up_bytes, number, self.up),
                Stream("bench.down", "delta", self.down_bytes, -number - 1, self.down),
            )
            caller.streams = self.providers[-1].streams = streams
            self.callers.append(caller)

    def provider_opened(self, provider: Caller) -> None:
        self.providers.append(provider)
        self._opened.set()

    async def voice(self, seconds: float) -> None:
        """The realistic load: every call speaks all the time and is answered in bursts, evenly spread."""
        begin = time.perf_counter()
        ticks = int(seconds * 1000 / 5)
        up_due = [i * UP_EVERY_MS / len(self.callers) for i in range(len(self.callers))]
        down_due = [i * DOWN_EVERY_MS / len(self.callers) for i in range(len(self.callers))]
        for tick in range(ticks):
            now = tick * 5.0
            self._send_due(now, up_due, down_due)
            ahead = begin + (tick + 1) * 0.005 - time.perf_counter()
            await asyncio.sleep(max(0.0, ahead))

    def _send_due(self, now: float, up_due: list[float], down_due: list[float]) -> None:
        for index, (caller, provider) in enumerate(zip(self.callers, self.providers, strict=True)):
            if up_due[index] <= now:
                up_due[index] += UP_EVERY_MS
                assert caller.streams is not None
                caller.send(caller.streams[0].message())
            if down_due[index] <= now:
                down_due[index] += DOWN_EVERY_MS
                assert provider.streams is not None
                for _ in range(DOWN_BURST):
                    provider.send(provider.streams[1].message())

    async def saturate(self, seconds: float) -> None:
        """Every call sends, waits for the answer and sends again: as many messages as the relay carries."""
        self.echo = True
        self._deadline = time.perf_counter() + seconds
        for caller in self.callers:
            self.answered(caller)
        await asyncio.sleep(seconds)

    def answered(self, caller: Caller) -> None:
        if time.perf_counter() < self._deadline and caller.streams is not None:
            caller.send(caller.streams[0].message())

    async def settle(self) -> None:
        """Until everything that was sent has arrived, or nothing more comes."""
        for _ in range(200):
            if self.up.sent == self.up.received and self.down.sent == self.down.received:
                return
            await asyncio.sleep(0.05)

    def close(self) -> None:
        for one in [*self.callers, *self.providers]:
            one.transport.abort()
        if self._server is not None:
            self._server.close()

    def result(self) -> dict[str, Any]:
        latencies = sorted(self.up.latencies_ms + self.down.latencies_ms)
        total = self.up.sent + self.down.sent
        return {
            "messages": total,
            "lost": total - self.up.received - self.down.received,
            "wrong": self.up.wrong + self.down.wrong,
            "calls_lost": sum(caller.lost for caller in self.callers),
            "latency_p50_ms": _percentile(latencies, 0.50),
            "latency_p99_ms": _percentile(latencies, 0.99),
        }


def _percentile(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def pin(core: int) -> None:
    os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})
