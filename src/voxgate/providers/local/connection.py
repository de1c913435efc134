"""One call: a WebSocket on one side, the pure session on the other, tasks that hear and answer between.

One reader feeds the session; everything to be sent goes through one queue, in the session's order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voxgate.core.errors import VoxgateError
from voxgate.core.ids import new_id
from voxgate.providers.local.answering import Answering, Outcome, Parts
from voxgate.providers.local.refusals import EventRefused
from voxgate.providers.local.responses import Event, Response
from voxgate.providers.local.session import SESSION_SECONDS, Answer, Effect, Halt, Hear, Pause, Send, Session

logger = logging.getLogger(__name__)

_WAITING_EVENTS = 64  # to be sent, before the reader and the answers wait for a slow client
EXPIRED = "Your session hit the maximum duration of 60 minutes."


class Connection:
    def __init__(self, socket: ServerConnection, model: str, parts: Parts) -> None:
        self._socket = socket
        self._parts = parts
        self._session = Session(model, time.time)
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._room = asyncio.Event()
        self._gone = False  # the client takes nothing any more
        self._hearing: dict[str, asyncio.Task[None]] = {}  # by item id
        self._answers: dict[str, asyncio.Task[None]] = {}  # by response id

    async def serve(self, *, session_seconds: float = SESSION_SECONDS) -> None:
        """Until the client leaves, the session expires, or the caller cancels."""
        writer = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(session_seconds):
                await self._read()
        except TimeoutError:
            await self._expire()
        except ConnectionClosed:
            pass  # the client has left, or the server has closed it
        finally:
            await _stop([writer, *self._hearing.values(), *self._answers.values()])

    async def _read(self) -> None:
        await self._apply(self._session.opened())
        async for message in self._socket:
            text = isinstance(message, str)
            await self._apply(
                self._session.receive_text(message) if text else self._session.receive_binary()  # type: ignore[arg-type]
            )
            # A slow client is not read from either, so that memory stays bounded.
            await self._wait_for_room()

    async def _apply(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(event):
                    self._put(event)
                case Hear():
                    self._hearing[effect.item.id] = asyncio.create_task(self._hear(effect))
                case Answer(response):
                    self._answers[response.id] = asyncio.create_task(self._answer(response))
                case Halt(response):
                    if task := self._answers.pop(response.id, None):
                        task.cancel()
                case Pause():
                    await asyncio.sleep(0)

    async def _hear(self, hear: Hear) -> None:
        language = (hear.transcription or {}).get("language")
        try:
            transcript = await self._parts.ear.listen(hear.item, language)
        except VoxgateError as error:
            effects = self._session.not_heard(hear, error)
        except Exception as error:  # noqa: BLE001  # whatever a part raises, the client is told and the call goes on
            effects = self._session.not_heard(hear, _broken("ear", error))
        else:
            effects = self._session.heard(hear, transcript)
        await self._apply(effects)
        self._hearing.pop(hear.item.id, None)

    async def _answer(self, response: Response) -> None:
        async def heard() -> None:
            waiting = [task for item in response.context if (task := self._hearing.get(item.id))]
            if waiting:
                await asyncio.wait(waiting)

        try:
            outcome = await Answering(response, self._parts, self._send).run(heard)
        except Exception as error:  # noqa: BLE001  # the same: the response ends as failed
            outcome = Outcome("failed", error=_broken("response", error))
        await self._apply(
            self._session.finish(response, outcome.status, reason=outcome.reason, error=_error_of(outcome))
        )
        self._answers.pop(response.id, None)

    async def _send(self, events: list[Event]) -> None:
        for event in events:
            self._put(event)
        await self._wait_for_room()

    def _put(self, event: Event) -> None:
        if self._gone:
            return
        # Encoded now: the session may change what the event shows before it is on the wire.
        self._outbox.put_nowait(orjson.dumps(event).decode())
        if self._outbox.qsize() >= _WAITING_EVENTS:
            self._room.clear()

    async def _wait_for_room(self) -> None:
        if self._outbox.qsize() >= _WAITING_EVENTS and not self._gone:
            await self._room.wait()
        else:
            await asyncio.sleep(0)

    async def _write(self) -> None:
        try:
            while True:
                await self._socket.send(await self._outbox.get())
                if self._outbox.qsize() < _WAITING_EVENTS:
                    self._room.set()
        except ConnectionClosed:
            self._gone = True
            self._room.set()

    async def _expire(self) -> None:
        error: dict[str, Any] = EventRefused("session_expired", EXPIRED).event(new_id("event"))
        await self._socket.send(orjson.dumps(error).decode())
        await self._socket.close(1001, EXPIRED)


def _broken(what: str, error: Exception) -> VoxgateError:
    logger.error("the %s of a call failed", what, exc_info=error)
    return VoxgateError(f"The {what} failed: {type(error).__name__}: {error}")


def _error_of(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.error is None:
        return None
    body = outcome.error.body()["error"]
    return {"type": body["type"], "code": body["code"], "message": body["message"]}


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
