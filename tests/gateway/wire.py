"""Both ends of a call under a test's control: frames are written bit by bit, bytes go out in chosen pieces,
and everything that comes in is kept as it came.

    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with joined(gateway, provider) as (client, upstream):
            await client.send(write_frame(TEXT, b"hi", mask=b"mask"))
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import pytest

from tests.certificates import make_certificate
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, run_gateway
from voxgate.gateway import dial
from voxgate.gateway.relay import Call
from voxgate.realtime.frames import CLOSE, Close, FrameDecoder, Message, apply_mask, decode_close
from voxgate.realtime.handshake import accept_key
from voxgate.recording.wirelog import CLIENT, FACT, SERVER

Side = Literal["client", "provider"]
SIDES: list[Side] = ["client", "provider"]
MASK = b"mask"
"""With it the clients of the tests write, where the mask does not matter."""
GA_PATH = "/openai/v1/realtime"
"""Its clients all speak the dialect of today: such a call is never looked into."""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE_SECONDS = 60.0
"""After so long a test says that something did not come."""
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


def by(side: Side, client: Wire, upstream: Wire) -> tuple[Wire, Wire, bytes]:
    """That side, the other one, and the mask with which that side writes."""
    return (client, upstream, MASK) if side == "client" else (upstream, client, b"")


def mask_of(side: Side) -> bytes:
    return MASK if side == "client" else b""


def other(side: Side) -> Side:
    return "provider" if side == "client" else "client"


def closes_in(stream: bytes) -> list[Close]:
    return [decode_close(message.payload) for message in decode(stream) if message.opcode == CLOSE]


def shown(stream: bytes) -> str:
    """Its length and its beginning."""
    return f"{len(stream):,} bytes: {stream[:80].hex(' ')}" + (" …" if len(stream) > 80 else "")


@dataclass(frozen=True, repr=False)
class Part:
    """What one side does in a call. Sizes and rounds are taken in turn."""

    stream: bytes
    """What it sends."""
    piece_sizes: Sequence[int] = (65_536,)
    """In pieces of these sizes."""
    rounds: Sequence[int] = (1,)
    """So often the event loop goes round after a piece was sent or read."""
    early_bytes: int = 0
    """So many go out in one piece with its half of the handshake, before the other half came."""
    read_sizes: Sequence[int] = (65_536,)
    """So much it reads at once."""

    def __repr__(self) -> str:
        return (
            f"Part({shown(self.stream)}, piece_sizes={self.piece_sizes}, rounds={self.rounds}, "
            f"early_bytes={self.early_bytes}, read_sizes={self.read_sizes})"
        )


class Wire:
    """One end of a connection. `received` is everything that came behind the handshake's head."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes = b"") -> None:
        self.reader = reader
        self.writer = writer
        self.head = head
        self.received = bytearray()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def play(self, part: Part) -> None:
        """Sends what is not sent yet."""
        data, rounds = part.stream[part.early_bytes :], itertools.cycle(part.rounds)
        sizes, at = itertools.cycle(part.piece_sizes), 0
        while at < len(data):
            size = next(sizes)
            await self.send(data[at : at + size])
            at += size
            await go_round(next(rounds))

    async def hear(self, part: Part) -> bytes:
        """Everything until the end of the stream, however it ends."""
        sizes, rounds = itertools.cycle(part.read_sizes), itertools.cycle(part.rounds)
        while await self.receive(next(sizes)):
            await go_round(next(rounds))
        return bytes(self.received)

    async def receive(self, most: int = 65_536) -> bytes:
        """The next bytes; empty at the end of the stream."""
        try:
            data = await self.reader.read(most)
        except (ConnectionError, ssl.SSLError):
            return b""
        self.received += data
        return data

    async def receive_until_end(self) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.receive():
                pass
        return bytes(self.received)

    async def receive_exactly(self, size: int) -> bytes:
        """The first `size` bytes of all that came; fewer if the stream ended before."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.received) < size and await self.receive():
                pass
        return bytes(self.received[:size])

    async def receive_until_close(self, behind: int = 0) -> list[Message]:
        """The messages that came behind so many bytes, up to a close frame; the connection may stay open."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (messages := decode(self.received[behind:])) or messages[-1].opcode != CLOSE:
                assert await self.receive(), f"no close frame came behind {messages}"
        return messages

    @property
    def session_id(self) -> str:
        return header(self.head, "x-voxgate-session-id") or ""

    def narrow(self, receive_buffer_bytes: int) -> None:
        """Makes the kernel hold less of what this end has not read."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)

    def hang_up(self) -> None:
        """Ends the connection behind what was sent, without a close frame."""
        self.writer.close()

    def reset(self) -> None:
        """Ends the connection with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        with contextlib.suppress(AttributeError):  # asyncio's transports forget their loop at their end
            self.writer.transport.abort()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


def frame_edges(stream: bytes) -> list[int]:
    """Where each frame of a stream of whole frames begins, and where the last one ends."""
    edges = [0]
    while (at := edges[-1]) < len(stream):
        second = stream[at + 1]
        width = {126: 2, 127: 8}.get(second & 0x7F, 0)
        length = int.from_bytes(stream[at + 2 : at + 2 + width], "big") if width else second & 0x7F
        edges.append(at + 2 + width + (4 if second & 0x80 else 0) + length)
    return edges


def decode(stream: bytes | bytearray) -> list[Message]:
    return FrameDecoder().feed(bytes(stream))


async def go_round(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def header(head: bytes, name: str) -> str | None:
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return None


class RawProvider:
    """A provider that does nothing by itself: a test takes its connections one by one and answers them."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._waiting: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._keep, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
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

    async def take(self) -> Wire:
        """The next connection, whose request was read and not answered."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await self._waiting.get()
            return Wire(reader, writer, await reader.readuntil(_END))

    async def accept(self, early: bytes = b"") -> Wire:
        """The next connection, answered with a 101 that has `early` right behind it."""
        wire = await self.take()
        await wire.send(answer_head(wire.head) + early)
        return wire


def answer_head(request: bytes, headers: str = "") -> bytes:
    accepted = accept_key(header(request, "sec-websocket-key") or "")
    return (
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accepted}\r\n{headers}\r\n"
    ).encode()


def upgrade_head(
    *, connection: str = "Upgrade", headers: str = "", key: str = ADMIN_KEY, path: str = GA_PATH
) -> bytes:
    return (
        f"GET {path}?model=fake HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\n"
        f"Connection: {connection}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        f"Authorization: Bearer {key}\r\n{headers}\r\n"
    ).encode()


async def dial_gateway(gateway: RunningGateway, tls: ssl.SSLContext | None = None) -> Wire:
    """A connection on which nothing was said yet."""
    name = "127.0.0.1" if tls else None
    return Wire(*await asyncio.open_connection("127.0.0.1", gateway.port, ssl=tls, server_hostname=name))


async def read_answer(client: Wire) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        client.head = await client.reader.readuntil(_END)
    assert client.head.startswith(b"HTTP/1.1 101 "), client.head


@contextlib.asynccontextmanager
async def joined(
    gateway: RunningGateway,
    provider: RawProvider,
    *,
    request: bytes = b"",
    early_from_provider: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[Wire, Wire]]:
    """The two far ends of a new call: the client's and the provider's."""
    client = await dial_gateway(gateway, tls)
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


def running_call(gateway: RunningGateway, client: Wire) -> Call:
    """The gateway's own view of the call of this client."""
    return gateway.worker.gateway.calls.get(client.session_id)


def assert_same_messages(got: bytes, sent: bytes, where: str) -> None:
    """The same messages, pings, pongs and close frames, in whatever frames."""
    for number, (one, other) in enumerate(itertools.zip_longest(decode(got), decode(sent))):
        assert one == other, f"{where}: message {number} differs"


def assert_same(got: bytes, sent: bytes, where: str) -> None:
    """Says where two streams part, instead of showing megabytes."""
    if got == sent:
        return
    at = next(
        (n for n, (a, b) in enumerate(zip(got, sent, strict=False)) if a != b), min(len(got), len(sent))
    )
    near = slice(max(0, at - 8), at + 24)
    raise AssertionError(
        f"{where}: {len(got):,} bytes for {len(sent):,}, different from byte {at:,}: "
        f"{got[near].hex(' ')} for {sent[near].hex(' ')}"
    )


@dataclass(frozen=True, repr=False)
class Place:
    """One gateway with one provider, for all examples of a test. `trusted` is for clients of its TLS."""

    gateway: RunningGateway
    provider: RawProvider
    trusted: ssl.SSLContext | None = None
    key: str = ADMIN_KEY
    """With which its clients call: calls of the admin key are recorded."""
    path: str = GA_PATH

    def __repr__(self) -> str:
        return "place"

    async def carries(
        self, client_part: Part, provider_part: Part, same: Callable[[bytes, bytes, str], None] = assert_same
    ) -> str:
        """A whole call, compared at both far ends. Its id."""
        early = [part.stream[: part.early_bytes] for part in (client_part, provider_part)]
        async with self.join(*early) as (client, upstream):
            at_client, at_provider = await exchange(client, upstream, client_part, provider_part)
            same(at_provider, client_part.stream, "at the provider")
            same(at_client, provider_part.stream, "at the client")
            return client.session_id

    async def carries_and_logs(self, client_part: Part, provider_part: Part) -> None:
        """A whole call, compared at both far ends and with its wire log."""
        session_id = await self.carries(client_part, provider_part)
        await self.logged(session_id, client_part.stream, provider_part.stream)

    async def logged(self, session_id: str, from_client: bytes, from_provider: bytes) -> None:
        """The wire log has just these bytes, in the order of their times."""
        records = await self.gateway.records(session_id)
        logged = {kind: b"".join(r.data for r in records if r.kind == kind) for kind in (CLIENT, SERVER)}
        assert_same(logged[CLIENT], from_client, "in the log, from the client")
        assert_same(logged[SERVER], from_provider, "in the log, from the provider")
        assert [r.t_ns for r in records] == sorted(r.t_ns for r in records)

    async def end_of(self, session_id: str) -> tuple[int, str, str]:
        """Close code, reason and side, as the log has them."""
        records = await self.gateway.records(session_id)
        fact = json.loads([r.data for r in records if r.kind == FACT][-1])
        return fact["code"], fact["reason"], fact["side"]

    def join(self, *early: bytes) -> AbstractAsyncContextManager[tuple[Wire, Wire]]:
        """A new call; `early` comes right behind the client's request and the provider's answer."""
        of_client, of_provider = early or (b"", b"")
        return joined(
            self.gateway,
            self.provider,
            request=upgrade_head(key=self.key, path=self.path) + of_client,
            early_from_provider=of_provider,
            tls=self.trusted,
        )


@contextlib.asynccontextmanager
async def open_place(folder: Path, path: str = GA_PATH, **settings: Any) -> AsyncIterator[Place]:
    async with RawProvider() as provider, run_gateway(folder, provider.base_url, **settings) as gateway:
        yield Place(gateway, provider, path=path)


@contextlib.asynccontextmanager
async def open_tls_place(folder: Path, legs: str, **settings: Any) -> AsyncIterator[Place]:
    """TLS on the leg `client`, on the leg `provider` or on `both`."""
    certificate, key = make_certificate(folder)
    trusted, serving = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trusted.load_verify_locations(certificate)
    serving.load_cert_chain(certificate, key)
    own = {} if legs == "provider" else {"tls_cert": certificate, "tls_key": key}
    settings |= own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))  # what the gateway's dialler trusts
        patch.setattr(dial, "trusting_context", ssl.create_default_context)
        async with RawProvider(None if legs == "client" else serving) as provider:
            async with run_gateway(folder, provider.base_url, **settings) as gateway:
                yield Place(gateway, provider, trusted if own else None)


async def exchange(
    client: Wire, upstream: Wire, client_part: Part, provider_part: Part
) -> tuple[bytes, bytes]:
    """Both sides send and read at once until the gateway ends the call; what the client and the provider got.
    Both streams have to end with a close frame, or the call has no end."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, _, at_client, at_provider = await asyncio.gather(
            client.play(client_part),
            upstream.play(provider_part),
            client.hear(client_part),
            upstream.hear(provider_part),
        )
    return at_client, at_provider
