"""The provider, a process of its own: it answers at once with a chat completion of 1 KB, or with a stream of
100 events, each a piece of its own, and compares what it is asked with what the load sends. `GET /told` says
how often that was unchanged, written anew, or wrong, since the last time.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.machine import LOAD_CORE, free_port, pin_to, wait_for_port
from bench.requests import bodies

TOLD: Final = "/told"
_ROOT: Final = Path(__file__).parent.parent.parent
_PLAIN: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_CHUNKS: Final = [b"%x\r\n%b\r\n" % (len(event), event) for event in bodies.events()]


class Provider:
    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head, await _body(reader, head.lower()), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if head.startswith(f"GET {TOLD} ".encode()):
            told, self._counts = json.dumps(self._counts).encode(), {}
            writer.write(_PLAIN % (len(told), told))
            return
        streams = b'"stream":true' in body.replace(b" ", b"")
        found = bodies.of_question(body, streams=streams)
        self._counts[found] = self._counts.get(found, 0) + 1
        if not streams:
            writer.write(_PLAIN % (len(bodies.PLAIN), bodies.PLAIN))
            return
        writer.write(_STREAM_HEAD)
        for chunk in _CHUNKS:
            writer.write(chunk)
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" in head:
        pieces = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        return b"".join(pieces)
    at = head.find(b"content-length:")
    return await reader.readexactly(int(head[at + 15 : head.find(b"\r\n", at)])) if at >= 0 else b""


async def serve(port: int) -> None:
    server = await asyncio.start_server(Provider().answer, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


@contextmanager
def running() -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "bench.requests.provider", str(port)], cwd=_ROOT) as process:
        try:
            wait_for_port(port)
            pin_to(LOAD_CORE, [process.pid])
            yield port, process.pid
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
