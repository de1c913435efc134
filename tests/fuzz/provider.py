"""The provider of the fuzz test: it takes whatever bytes come in frames, is satisfied with nearly any JSON,
and remembers all of it, by the model that its URL names.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Self

from tests.gateway.policies.readers import READERS
from voxgate.realtime.frames import CLOSE, TEXT, FrameDecoder, encode_close, encode_frame
from voxgate.realtime.handshake import accept_answer, parse_request

_CREATED = b'{"type":"session.created","event_id":"e1","session":{"type":"realtime","audio":{"output":{}}}}'
_UPDATED = b'{"type":"session.updated","event_id":"e2","session":{"type":"realtime"}}'
SYNC = b"sync-"
"""In an `event_id`: the provider says it back."""


class LenientProvider:
    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """By model: how many began."""
        self.received: dict[str, list[bytes]] = {}
        """By model: the texts of all messages since they were taken out."""
        self._server: asyncio.Server | None = None

    @property
    def base_url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    def take(self) -> dict[str, list[bytes]]:
        taken, self.received = self.received, {}
        return taken

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled: the fuzz is over, and asyncio's own callback would complain of a task that was.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = parse_request(await reader.readuntil(b"\r\n\r\n"))
        model = ",".join(request.models)
        self.calls[model] += 1
        writer.write(accept_answer(request) + encode_frame(TEXT, _CREATED))
        decoder = FrameDecoder()
        while data := await reader.read(1 << 16):
            for message in decoder.feed(data):
                if message.opcode == CLOSE:
                    writer.write(encode_close(1000, ""))
                    return
                if message.opcode == TEXT:
                    self.received.setdefault(model, []).append(message.payload)
                    self._answer(message.payload, writer)

    @staticmethod
    def _answer(text: bytes, writer: asyncio.StreamWriter) -> None:
        at = text.find(SYNC)
        if at >= 0:
            name = text[at : at + 40].split(b'"')[0]
            writer.write(encode_frame(TEXT, b'{"type":"response.done","event_id":"' + name + b'"}'))
        elif b"update" in text and any(is_update(read(text)) for read in READERS):
            writer.write(encode_frame(TEXT, _UPDATED))


def is_update(event: object) -> bool:
    return isinstance(event, dict) and event.get("type") == "session.update"
