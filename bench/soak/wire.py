"""One end of a call for the soak: handshake head, frames in and out, and the rude ways to go."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final

from voxgate.realtime.frames import CLOSE, TEXT, Close, FrameDecoder, decode_close, encode_frame

_HEAD_END: Final = b"\r\n\r\n"
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_BREAK_SECONDS: Final = 0.05


class Peer(asyncio.Protocol):
    """Subclasses say what to do with the head, with text messages, a close frame and the end."""

    def __init__(self, *, masks: bool) -> None:
        self.transport: Any = None
        self.gone = False
        self._masks = masks
        self._decoder = FrameDecoder()
        self._head: bytes | None = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            head, end, data = (self._head + data).partition(_HEAD_END)
            if not end:
                self._head = head
                return
            self._head = None
            self.on_head(head.decode("latin-1"))
        if data:
            for message in self._decoder.feed(data):
                if message.opcode == TEXT:
                    self.on_text(message.payload)
                elif message.opcode == CLOSE:
                    self.on_close(decode_close(message.payload))

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.on_gone(exc)

    def on_head(self, head: str) -> None:
        raise NotImplementedError

    def on_text(self, payload: bytes) -> None:
        raise NotImplementedError

    def on_close(self, close: Close) -> None:
        raise NotImplementedError

    def on_gone(self, exc: Exception | None) -> None:
        raise NotImplementedError

    def send(self, payload: bytes) -> None:
        self.transport.write(self._frame(payload))

    def leave(self, payload: bytes, *, reset: bool) -> None:
        """Breaks off in the middle of this message: with a reset, or with an end that nobody announced."""
        frame = self._frame(payload)
        self.transport.write(frame[: len(frame) // 2])
        if reset:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            # uvloop writes at the end of its turn; what is aborted before that was never sent.
            asyncio.get_running_loop().call_later(_BREAK_SECONDS, self.transport.abort)
        else:
            self.transport.close()

    def _frame(self, payload: bytes) -> bytes:
        return masked_frame(payload) if self._masks else encode_frame(TEXT, payload)


def masked_frame(payload: bytes) -> bytes:
    """A client's frame with the mask 0: legal, and free of charge."""
    size = len(payload)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 1 << 16:
        head = b"\x81\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x81\xff" + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


def like_a_network(sock: socket.socket) -> None:
    """Segments as on Ethernet and a small receive buffer: with loopback's own the kernel would take megabytes
    for a peer that does not read, and nobody would feel it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1_400)
