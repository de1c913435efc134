"""Both ends of a call under a test's control: frames are written bit by bit, bytes go out in chosen pieces,
and everything that comes in is kept as it came.

    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with joined(gateway, provider) as (client, upstream):
            await client.send(write_frame(TEXT, b"hi", mask=b"mask"))
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.gateway.conftest import ADMIN_KEY, RunningGateway
from voxgate.realtime.frames import CLOSE, apply_mask
from voxgate.realtime.handshake import accept_key

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE_SECONDS = 20.0
_END = b"\r\n\r\n"


def write_frame(
    opcode: int,
    payload: bytes,
    *,
    mask: bytes = b"",
    final: bool = True,
    reserved: int = 0,
    length_bytes: int = 0,
) -> bytes:
    """Any frame that can be written, also ones that RFC 6455 forbids: with reserved bits, opcodes without a
    meaning, lengths in more bytes than they need (`length_bytes` 2 or 8)."""
    size = len(payload)
    least = 0 if size < 126 else 2 if size < 1 << 16 else 8
    width = max(least, length_bytes)
    short = size if width == 0 else 126 if width == 2 else 127
    head = bytes((final << 7 | reserved << 4 | opcode, bool(mask) << 7 | short))
    return head + (size.to_bytes(width, "big") if width else b"") + mask + apply_mask(payload, mask)


def write_close(code: int | None, reason: bytes = b"", *, mask: bytes = b"") -> bytes:
    return write_frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason, mask=mask)


@dataclass(frozen=True)
class Sending:
    """What one side sends in a call: the bytes, how large the pieces are that they go out in (taken in turn),
    and how often the event loop goes round after a piece."""

    stream: bytes
    piece_sizes: Sequence[int] = (65_536,)
    rounds: Sequence[int] = (1,)
    early_bytes: int = 0
    """So many go out in one piece with the side's half of the handshake, before the other half came."""

    def __repr__(self) -> str:
        shown = self.stream[:80].hex(" ") + (" …" if len(self.stream) > 80 else "")
        return (
            f"Sending({len(self.stream)} bytes: {shown}, piece_sizes={self.piece_sizes}, "
            f"rounds={self.rounds}, early_bytes={self.early_bytes})"
        )

    @property
    def early(self) -> bytes:
        return self.stream[: self.early_bytes]

    @property
    def late(self) -> bytes:
        return self.stream[self.early_bytes :]


class Wire:
    """One end of a connection. `received` is everything that came behind the handshake's head."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self.reader = reader
        self.writer = writer
        self.head = head
        self.received = bytearray()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_in_pieces(self, data: bytes, sending: Sending) -> None:
        at, turn = 0, 0
        while at < len(data):
            size = sending.piece_sizes[turn % len(sending.piece_sizes)]
            await self.send(data[at : at + size])
            for _ in range(sending.rounds[turn % len(sending.rounds)]):
                await asyncio.sleep(0)
            at, turn = at + size, turn + 1

    async def receive(self, most: int = 65_536) -> bytes:
        """The next bytes; empty at the end of the stream, however it ended."""
        try:
            data = await asyncio.wait_for(self.reader.read(most), PATIENCE_SECONDS)
        except (ConnectionError, ssl.SSLError):
            return b""
        self.received += data
        return data

    async def receive_until_end(self) -> bytes:
        while await self.receive():
            pass
        return bytes(self.received)

    async def receive_exactly(self, size: int) -> bytes:
        """The first `size` bytes of all that came; fewer if the stream ended before."""
        while len(self.received) < size and await self.receive():
            pass
        return bytes(self.received[:size])

    def header(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return None

    def hang_up(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Ends the connection with a RST: what is on the way may be lost."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


class RawProvider:
    """A provider that does nothing by itself: a test takes its connections one by one and answers them."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, receive_buffer_bytes: int = 0) -> None:
        self._tls = tls
        self._receive_buffer_bytes = receive_buffer_bytes
        self._waiting: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        sock = socket.create_server(("127.0.0.1", 0))
        if self._receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer_bytes)
        self.port = sock.getsockname()[1]
        self._server = await asyncio.start_server(self._keep, sock=sock, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def _keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._waiting.put_nowait((reader, writer))

    async def accept(self, early: bytes = b"", headers: str = "") -> Wire:
        """The next connection, answered with a 101 that has `early` right behind it."""
        reader, writer = await asyncio.wait_for(self._waiting.get(), PATIENCE_SECONDS)
        head = await asyncio.wait_for(reader.readuntil(_END), PATIENCE_SECONDS)
        wire = Wire(reader, writer, head)
        await wire.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: "
            + accept_key(wire.header("sec-websocket-key") or "").encode()
            + f"\r\n{headers}\r\n".encode()
            + early
        )
        return wire


def upgrade_head(*, connection: str = "Upgrade", headers: str = "") -> bytes:
    return (
        f"GET /v1/realtime?model=fake HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\n"
        f"Connection: {connection}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        f"Authorization: Bearer {ADMIN_KEY}\r\n{headers}\r\n"
    ).encode()


async def dial_gateway(
    gateway: RunningGateway, tls: ssl.SSLContext | None = None, *, receive_buffer_bytes: int = 0
) -> Wire:
    """A connection on which nothing was said yet."""
    sock = socket.create_connection(("127.0.0.1", gateway.port))
    if receive_buffer_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=tls, server_hostname="127.0.0.1" if tls else None
    )
    return Wire(reader, writer, b"")


async def read_answer(client: Wire) -> None:
    client.head = await asyncio.wait_for(client.reader.readuntil(_END), PATIENCE_SECONDS)
    assert client.head.startswith(b"HTTP/1.1 101 "), client.head


@contextlib.asynccontextmanager
async def joined(
    gateway: RunningGateway,
    provider: RawProvider,
    *,
    request: bytes = b"",
    early_from_provider: bytes = b"",
    tls: ssl.SSLContext | None = None,
    receive_buffer_bytes: int = 0,
) -> AsyncIterator[tuple[Wire, Wire]]:
    """The two far ends of a new call: the client's and the provider's."""
    client = await dial_gateway(gateway, tls, receive_buffer_bytes=receive_buffer_bytes)
    upstream: Wire | None = None
    try:
        await client.send(request or upgrade_head())
        upstream = await provider.accept(early_from_provider)
        await read_answer(client)
        yield client, upstream
    finally:
        await client.close()
        if upstream is not None:
            await upstream.close()


@dataclass(frozen=True)
class Crossed:
    """What came out at the far ends of a call, and the call's id."""

    at_provider: bytes
    at_client: bytes
    session_id: str


async def cross(
    gateway: RunningGateway,
    provider: RawProvider,
    from_client: Sending,
    from_provider: Sending,
    tls: ssl.SSLContext | None = None,
) -> Crossed:
    """A whole call in which both sides send and read at once until the gateway ends it. Both streams have to
    end with a close frame, or the call has no end."""
    async with joined(
        gateway,
        provider,
        request=upgrade_head() + from_client.early,
        early_from_provider=from_provider.early,
        tls=tls,
    ) as (client, upstream):
        _, _, at_client, at_provider = await asyncio.gather(
            client.send_in_pieces(from_client.late, from_client),
            upstream.send_in_pieces(from_provider.late, from_provider),
            client.receive_until_end(),
            upstream.receive_until_end(),
        )
        return Crossed(at_provider, at_client, client.header("x-voxgate-session-id") or "")


def seeded_bytes(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)
