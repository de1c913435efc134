"""The log of a call whose sound or words are not to be recorded. What crossed the wire is decoded in the
worker's own memory, and only what may be recorded goes into the spool, as frames again: so the rest reaches
neither the memory that is shared with the writer nor a disk.

    relay → decoded → screen → the call's wire log
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from voxgate.realtime.frames import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameDecoder,
    Message,
    decode_close,
    encode_close,
    encode_frame,
)
from voxgate.realtime.screening import Screen
from voxgate.recording.spool import CHUNK, Gap, Log, Relayed, Spool
from voxgate.recording.wirelog import CLIENT, SERVER

_ROOM: Final = memoryview(bytearray(CHUNK))
"""For all such calls together: it is used up before the next one receives."""
_SIDES: Final = {CLIENT: "client", SERVER: "provider"}


def open_log(spool: Spool, session_id: str, recorded: Mapping[str, bool]) -> Log:
    """The session's log in the spool; `recorded` says of `audio` and `text` whether they may be in it."""
    log = spool.open(session_id)
    return log if all(recorded.values()) else ScreenedLog(log, Screen(**recorded))


class ScreenedLog:
    """As the relay sees it a log that always has room and no gaps; those of the log behind it are mended
    here."""

    def __init__(self, log: Log, screen: Screen) -> None:
        self.gaps: dict[int, Gap] = {}
        self.has_room = True
        self._log = log
        self._screen = screen
        self._decoders = {CLIENT: FrameDecoder(), SERVER: FrameDecoder()}

    def buffer(self) -> memoryview:
        return _ROOM

    def commit(self, kind: int, size: int) -> None:
        self.append(kind, bytes(_ROOM[:size]))

    def append(self, kind: int, data: bytes) -> None:
        for message in self._decoders[kind].feed(data):
            self._take(kind, message)

    def fact(self, fact: dict[str, Any]) -> None:
        """An answer of the gateway's may repeat what the client wrote, and a provider's refusal, too."""
        if fact.get("type") == "gateway.answered":
            answer = orjson.loads(orjson.dumps(fact))["message"]
            fact = {**fact, "message": self._screen.event(answer)}
        if fact.get("type") == "gateway.dial_failed" and not self._screen.text:
            fact = {**fact, "message": str(fact.get("message")).partition(":")[0]}
        self._log.fact(fact)

    def mend(self, kind: int, side: str, skip: int, torn: bool) -> None:
        """There is nothing to mend: `gaps` is always empty."""

    def close(self, code: int, reason: str, side: str, relayed: Relayed | None = None) -> None:
        self._log.close(code, reason if side == "gateway" else self._screen.reason(reason), side, relayed)

    def _take(self, kind: int, message: Message) -> None:
        if message.opcode in (PING, PONG):
            return
        if message.opcode == CLOSE:
            close = decode_close(message.payload)
            frame = encode_close(close.code, self._screen.reason(close.reason), masked=kind == CLIENT)
            self._put(kind, frame)
            return
        text = self._screen.message(message.payload) if message.opcode == TEXT else None
        if text is None:
            size = len(message.payload)
            self._log.fact({"type": "gateway.not_recorded", "side": _SIDES[kind], "bytes": size})
        else:
            self._put(kind, encode_frame(TEXT, text, masked=kind == CLIENT))

    def _put(self, kind: int, frame: bytes) -> None:
        if kind in self._log.gaps and self._log.has_room:
            self._log.mend(kind, _SIDES[kind], 0, torn=False)
        self._log.append(kind, frame)
