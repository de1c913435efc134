"""One call under test, from the client's side: sends, listens, answers tool calls, and knows at any time
where the conversation stands and what of the assistant's sound has been played.

The driver of a mode says what is sent; a task of this reads what comes. Whatever fails, fails the driver's
next wait with a TaskError.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from voxgate.client.realtime import RealtimeClosed, RealtimeError, RealtimeSession
from voxgate.evals.protocols import TaskError
from voxgate.evals.replay.tools import ToolBox
from voxgate.traces.builder import TraceBuilder
from voxgate.traces.events import CLIENT, SERVER, Event, Json, obj, string
from voxgate.traces.responses import Response

_MOST_ROUNDS: Final = 16
"""Of tool calls in one turn: an assistant that calls for ever is stopped."""
_HARMLESS: Final = frozenset({"response_cancel_not_active", "conversation_already_has_active_response"})
"""What a client meets whose moves cross the provider's."""
_FINAL_FAILURES: Final = frozenset({"invalid_request_error", "insufficient_quota"})
SETTINGS: Final = "settings"
_ASK: Final = "ask"
_STOP: Final = "stop"


class Heard(NamedTuple):
    """How much of an item was played."""

    item_id: str
    ms: float


class Exchange:
    def __init__(self, session: RealtimeSession, tools: ToolBox, timeout_seconds: float) -> None:
        self.tools = tools
        self.heard = TraceBuilder()
        """The call as the client saw it."""
        self.committed: list[str] = []
        """Ids of the user's items that were committed, in order."""
        self.unanswered = 0
        """Commits since the last response began."""
        self.speaking = False
        """Whether the provider hears the user speak."""
        self.speech_started = 0
        self.notes: list[str] = []
        self.keeps_sound = False
        """Whether the assistant's sound is kept, for `spoken_by`."""
        self._sounds: dict[str, bytearray] = {}
        self.on_speech: Callable[[], None] | None = None
        """Called when the provider hears the user begin to speak."""
        self._session = session
        self._timeout_seconds = timeout_seconds
        self._began_ns = time.monotonic_ns()
        self._changed = asyncio.Event()
        self._failure: TaskError | None = None
        self._configured = False
        self._active: set[str] = set()
        self._asked: list[str] = []
        self._numbered = 0
        self._answering = 0
        self._rounds = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def session_id(self) -> str | None:
        return self._session.id

    def now_ms(self) -> float:
        return (time.monotonic_ns() - self._began_ns) / 1e6

    # What the driver says

    async def send(self, event: Json) -> None:
        if self._failure is not None:
            raise self._failure
        if event["type"] != "input_audio_buffer.append":
            self._feed(CLIENT, event)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._session.send(event)
        except RealtimeClosed as error:
            raise self._failure or _as_task_error(error) from error
        except TimeoutError as error:
            raise TaskError(f"Nothing could be sent for {self._timeout_seconds:g} s.") from error

    async def configure(self, settings: Json) -> None:
        """Waits until the provider has confirmed them; TaskError with its words if it refuses."""
        self._configured = False
        await self.send({"type": "session.update", "event_id": SETTINGS, "session": settings})
        await self.until(lambda: self._configured, "confirmation of the session's settings")

    async def ask(self, response: Json | None = None) -> None:
        event_id = self._event_id(_ASK)
        self._asked.append(event_id)
        event: Json = {"type": "response.create", "event_id": event_id}
        await self.send(event | ({"response": response} if response else {}))

    async def create(self, item: Json) -> None:
        await self.send({"type": "conversation.item.create", "item": item})

    def begin_turn(self) -> None:
        self._rounds = 0

    async def until(self, holds: Callable[[], bool], what: str, seconds: float | None = None) -> None:
        limit = seconds or self._timeout_seconds
        try:
            async with asyncio.timeout(limit):
                while not holds():
                    if self._failure is not None:
                        raise self._failure
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise TaskError(f"No {what} within {limit:g} s.") from error
        if self._failure is not None:
            raise self._failure

    async def within(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it came to hold in that time; what failed fails this too."""
        try:
            await self.until(holds, "", seconds)
        except TaskError:
            if self._failure is not None:
                raise
        return holds()

    @property
    def is_settled(self) -> bool:
        """Whether everything that was asked is answered, tools included."""
        return not (self._active or self._asked or self._answering)

    async def settle(self) -> None:
        await self.until(lambda: self.is_settled, "end of the response")

    @property
    def is_answered(self) -> bool:
        """The same where the provider decides when to answer."""
        return self.is_settled and not self.speaking and not self.unanswered

    # What is played

    @property
    def plays_until_ms(self) -> float:
        return self.heard.layout.assistant.end_ms

    @property
    def is_playing(self) -> bool:
        return self.plays_until_ms > self.now_ms()

    async def played(self) -> None:
        """Waits until what has come of the assistant's sound would have been played."""
        while (left_ms := self.plays_until_ms - self.now_ms()) > 0:
            await self.within(lambda: self._failure is not None, left_ms / 1000)

    async def stop_playing(self, cut: Sequence[Heard], *, cancel: bool) -> None:
        """As a client does that is interrupted: says what was heard of these items."""
        if cancel and self._active:
            await self.send({"type": "response.cancel", "event_id": self._event_id(_STOP)})
        for item_id, heard_ms in cut:
            await self.send(
                {
                    "type": "conversation.item.truncate",
                    "event_id": self._event_id(_STOP),
                    "item_id": item_id,
                    "content_index": 0,
                    "audio_end_ms": int(heard_ms),
                }
            )

    def waiting_items(self) -> list[Heard]:
        """Items whose sound has not been played to its end."""
        lane, now_ms = self.heard.layout.assistant, self.now_ms()
        runs = (one for one in lane.runs if one.start_ms + one.frames * 1000 / lane.rate > now_ms)
        waiting = dict.fromkeys(one.item_id for one in runs if one.item_id and one.item_id not in lane.cuts)
        return [Heard(item_id, self._played_ms(item_id)) for item_id in waiting if item_id]

    def _played_ms(self, item_id: str) -> float:
        lane, now_ms = self.heard.layout.assistant, self.now_ms()
        lengths = ((one.start_ms, one.frames * 1000 / lane.rate) for one in lane.item_runs(item_id))
        return sum(min(max(now_ms - start_ms, 0.0), length_ms) for start_ms, length_ms in lengths)

    def spoken_by(self, responses: Sequence[Response]) -> bytes:
        """The sound of these responses, in the session's output format."""
        ids = (item_id for one in responses for item_id in one.item_ids)
        return b"".join(bytes(self._sounds.get(item_id, b"")) for item_id in ids)

    # What was said

    @property
    def responses(self) -> list[Response]:
        return [one for one in self.heard.responses.all.values() if not one.out_of_band]

    # Listening

    async def _listen(self) -> None:
        while self._failure is None:
            try:
                event = await self._session.receive()
            except RealtimeClosed as error:
                self._fail(_as_task_error(error))
            except RealtimeError as error:
                self._refused(error)
            else:
                self._feed(SERVER, event)
                self._take(event)
            self._changed.set()

    def _take(self, event: Json) -> None:
        match event.get("type"):
            case "session.updated":
                self._configured = True
            case "response.created":
                self._active.add(str(obj(event, "response").get("id")))
                self.unanswered = 0
                del self._asked[:1]
            case "response.done":
                self._finished(obj(event, "response"))
            case "input_audio_buffer.speech_started":
                self.speaking, self.speech_started = True, self.speech_started + 1
                if self.on_speech is not None:
                    self.on_speech()
            case "input_audio_buffer.speech_stopped":
                self.speaking = False
            case "input_audio_buffer.committed":
                self.speaking = False
                self.committed.append(str(event.get("item_id")))
                self.unanswered += 1

    def _finished(self, shown: Json) -> None:
        response_id = str(shown.get("id"))
        self._active.discard(response_id)
        response = self.heard.responses.all.get(response_id)
        if shown.get("status") == "failed":
            error = obj(shown, "status_details", "error")
            said = string(error, "message") or string(error, "code") or "The response failed."
            self._fail(TaskError(said, retryable=error.get("type") not in _FINAL_FAILURES))
        elif response is not None and shown.get("status") in ("completed", None):
            self._answer_calls(response)

    def _answer_calls(self, response: Response) -> None:
        calls = [
            (one.call_id or one.key, one.name, one.arguments)
            for one in response.tools
            if one.ran_in == "client"
        ]
        if not calls:
            return
        self._rounds += 1
        if self._rounds > _MOST_ROUNDS:
            self.notes.append(f"stopped after {_MOST_ROUNDS} rounds of tool calls")
            return
        self._answering += 1
        task = asyncio.create_task(self._answer(calls))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, calls: list[tuple[str, str, str]]) -> None:
        try:
            for call_id, name, arguments in calls:
                output = await self.tools.answer(name, arguments)
                await self.create({"type": "function_call_output", "call_id": call_id, "output": output})
            await self.ask()
        except TaskError as error:
            self._fail(error)
        finally:
            self._answering -= 1
            self._changed.set()

    def _refused(self, error: RealtimeError) -> None:
        event_id = error.event_id or ""
        if event_id in self._asked:
            self._asked.remove(event_id)
        elif error.error_code == "conversation_already_has_active_response":
            del self._asked[-1:]
        if error.error_code in _HARMLESS or event_id.startswith(_STOP):
            self.notes.append(error.message)
        elif event_id == SETTINGS:
            self._fail(TaskError(f"The session's settings were refused: {error.message}", retryable=False))
        else:
            self._fail(_as_task_error(error))

    def _fail(self, error: TaskError) -> None:
        self._failure = self._failure or error
        self._changed.set()

    def _feed(self, side: str, event: Json) -> None:
        for chunk in self.heard.feed(Event(time.monotonic_ns() - self._began_ns, side, event)):
            if self.keeps_sound and chunk.item_id:
                self._sounds.setdefault(chunk.item_id, bytearray()).extend(chunk.data)

    def _event_id(self, kind: str) -> str:
        self._numbered += 1
        return f"{kind}_{self._numbered}"

    async def _end(self, listening: asyncio.Task[None]) -> None:
        for task in (listening, *self._tasks):
            task.cancel()
        await asyncio.gather(listening, *self._tasks, return_exceptions=True)


@asynccontextmanager
async def exchanging(
    session: RealtimeSession, tools: ToolBox, timeout_seconds: float
) -> AsyncIterator[Exchange]:
    """Listens as long as the block runs; nothing of it runs on afterwards."""
    exchange = Exchange(session, tools, timeout_seconds)
    listening = asyncio.create_task(exchange._listen())  # noqa: SLF001 - the life of it is here
    try:
        yield exchange
    finally:
        await exchange._end(listening)  # noqa: SLF001


def _as_task_error(error: RealtimeError) -> TaskError:
    return TaskError(error.message, retryable=error.retryable)
