"""Providers that fail, each in its own way, on plain sockets: what a web server would not let itself be asked
to do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Misbehave = Callable[["Connection"], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"content-type: application/json\r\n"
EVENTS = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = b'{"id": "chatcmpl-1", "choices": [{"message": {"content": "Hello."}}]}'
EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes = b""
    """Of the request."""

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def stall(self) -> None:
        """Until the other side hangs up."""
        while await self.reader.read(65536):
            pass


@dataclass
class FailingProvider:
    port: int
    asked: list[bytes] = field(default_factory=list)
    """The heads of the requests."""


@contextlib.asynccontextmanager
async def failing(misbehave: Misbehave) -> AsyncIterator[FailingProvider]:
    open_ones = set[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = b"" if misbehave is speaks_first else await _read_request(reader)
            provider.asked.append(head)
            await misbehave(Connection(reader, writer, head))
        writer.transport.abort() if misbehave in _ABRUPT else writer.close()
        open_ones.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    provider = FailingProvider(server.sockets[0].getsockname()[1])
    try:
        yield provider
    finally:
        server.close()
        for writer in open_ones:
            writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if sizes:
        await reader.readexactly(int(sizes[0].partition(b":")[2]))
    return head


def answer(status: int, *headers: bytes, body: bytes = b'{"error":{"message":"not now"}}') -> Misbehave:
    async def misbehave(connection: Connection) -> None:
        lines = b"".join(header + b"\r\n" for header in headers)
        head = b"HTTP/1.1 %d Oops\r\n" % status + JSON + lines
        await connection.say(head + b"content-length: %d\r\n\r\n" % len(body) + body)

    return misbehave


async def speaks_first(connection: Connection) -> None:
    """And not in TLS."""
    await connection.say(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


async def stalls(connection: Connection) -> None:
    await connection.stall()


async def hangs_up(connection: Connection) -> None:
    """Without a word."""


async def says_garbage(connection: Connection) -> None:
    await connection.say(b"\x00\x01\x02 220 smtp.example.com ESMTP\r\n\r\n")


async def stalls_in_the_body(connection: Connection) -> None:
    await connection.say(OK + JSON + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:20])
    await connection.stall()


async def stalls_in_the_stream(connection: Connection) -> None:
    await connection.say(EVENTS, _chunk(EVENT))
    await connection.stall()


async def cuts_the_body(connection: Connection) -> None:
    await connection.say(OK + JSON + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:20])


async def cuts_the_stream(connection: Connection) -> None:
    """Between two chunks, without the last."""
    await connection.say(EVENTS, _chunk(EVENT))


async def cuts_a_chunk(connection: Connection) -> None:
    await connection.say(EVENTS, _chunk(EVENT)[:-10])


async def resets_in_the_body(connection: Connection) -> None:
    await connection.say(OK + JSON + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:20])


async def says_broken_chunks(connection: Connection) -> None:
    await connection.say(EVENTS + _chunk(EVENT) + b"xyz\r\nno chunk\r\n")


async def says_more_than_it_said(connection: Connection) -> None:
    await connection.say(OK + JSON + b"content-length: 20\r\n\r\n" + BODY)


async def trickles(connection: Connection) -> None:
    await connection.say(OK + JSON + b"content-length: %d\r\n\r\n" % len(BODY))
    for place in range(0, len(BODY), 8):
        await connection.say(BODY[place : place + 8])
        await asyncio.sleep(0.01)


_ABRUPT = (resets_in_the_body,)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
