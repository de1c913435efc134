"""One replayed call: a WebSocket on one side, the player on the other, a translation between them where the
client speaks another dialect than the recording.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voxgate.core.errors import InvalidEvent, VoxgateError
from voxgate.evals.playback.matching import Matching
from voxgate.evals.playback.player import Player, event_of
from voxgate.evals.playback.script import Script
from voxgate.realtime.dialects import MessageTranslator


class Connection:
    """Serves until the client leaves, or the recording's provider ended the call."""

    def __init__(
        self,
        socket: ServerConnection,
        player: Player,
        script: Script,
        translators: Sequence[MessageTranslator],
        matching: Matching,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = socket
        self._player = player
        self._script = script
        self._translators = translators
        self._is_strict = matching == "strict"
        self._clock = clock
        self._wake = asyncio.Event()
        self._told: list[bytes] = []
        """What the client is told before anything else."""
        self._ending: VoxgateError | None = None

    async def serve(self) -> None:
        self._player.open(self._clock())
        playing = asyncio.create_task(self._play())
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait([playing, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (playing, reading):
                task.cancel()
            results = await asyncio.gather(playing, reading, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception) and not isinstance(error, ConnectionClosed):
                raise error

    async def _read(self) -> None:
        async for message in self._socket:
            self._take(message)
            self._wake.set()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._told.append(event_of(InvalidEvent("Only text messages are read.")))
            return
        forward, back = self._to_recording(message.encode())
        self._told += back
        for text in forward:
            for error in self._player.receive(text, self._clock()):
                self._told += self._to_client([event_of(error)])
                if self._is_strict and self._player.diverged:
                    self._ending = error

    async def _play(self) -> None:
        while True:
            self._wake.clear()
            await self._tell()
            for message in self._player.due(self._clock()):
                await self._send(self._to_client([message]))
                if self._told:
                    break
            if self._told:
                continue
            if self._ends_itself:
                await self._socket.close(self._script.close["code"], self._script.close["reason"])  # type: ignore[index]
                return
            await self._rest()

    async def _tell(self) -> None:
        told, self._told = self._told, []
        await self._send(told)
        if self._ending is not None:
            await self._socket.close(self._ending.close_code, self._ending.close_reason)

    @property
    def _ends_itself(self) -> bool:
        close = self._script.close
        return close is not None and close["by"] == "server" and self._player.is_over

    async def _rest(self) -> None:
        next_at = self._player.next_at
        seconds = None if next_at is None else max(0.0, next_at - self._clock())
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            pass  # something is due

    async def _send(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            await self._socket.send(message.decode())

    def _to_recording(self, text: bytes) -> tuple[list[bytes], list[bytes]]:
        """What goes on to the player, and what back to the client."""
        texts, back = [text], list[bytes]()
        for translator in self._translators:
            found = [translator.to_provider(each) for each in texts]
            texts = [each for translated in found for each in translated.forward]
            back += [each for translated in found for each in translated.back]
        return texts, back

    def _to_client(self, texts: list[bytes]) -> list[bytes]:
        for translator in reversed(self._translators):
            texts = [each for text in texts for each in translator.to_client(text).forward]
        return texts
