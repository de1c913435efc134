"""Calls that talk with sound at a steady pace while something breaks, to a provider that answers every
message, and what must be true of them afterwards: both far ends have everything, and so has the trace.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import random
import statistics
import time
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from tests.running import Voxgate
from voxgate.testing.provider import ScriptedProvider, Upstreamed

CALLS = 6
MUCH_SLOWER = 5
"""So many times the usual delay is more than what a busy machine does to a median …"""
BUSY_SECONDS = 0.25
"""… if it is more than this, too: whoever waits for a disk or a lock waits for as long as the fault lasts."""
PATIENCE_SECONDS = 60.0
CLOSING = "input_audio_buffer.commit"
OUTAGE_SECONDS = float(os.environ.get("VOXGATE_OUTAGE_SECONDS", "0"))
"""How long an outage lasts at least: `make outages` takes a minute, the suite no longer than is needed."""


async def answer(call: Upstreamed) -> None:
    """Sends as much sound as it gets, message by message."""
    audio = {part: {"format": {"type": "audio/pcm", "rate": 24_000}} for part in ("input", "output")}
    await call.send(_event("session.created", "e_0", session={"id": "s", "model": "fake", "audio": audio}))
    await call.send(_event("response.created", "e_1", response={"id": "resp_1"}))
    names = {"response_id": "resp_1", "item_id": "item_1"}
    async for text in call:
        message = json.loads(text)
        number = message["event_id"].removeprefix("c_")
        if message["type"] == CLOSING:
            await call.send(_event("response.done", "e_2", response={"id": "resp_1", "status": "completed"}))
            return
        sound = base64.b64encode(base64.b64decode(message["audio"])[::-1]).decode()
        await call.send(_event("response.output_audio.delta", f"s_{number}", delta=sound, **names))


def _event(kind: str, event_id: str, **fields: Any) -> str:
    return json.dumps({"type": kind, "event_id": event_id, **fields})


@dataclass
class Caller:
    """One call. Everything that it sent and received, and when."""

    gateway: Voxgate
    key: str
    sound_bytes: int = 2400
    """In each message: 50 ms of PCM at 24 kHz."""
    pause_seconds: float = 0.05
    session_id: str = ""
    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    received_at: list[float] = field(default_factory=list)
    delays: list[tuple[float, float]] = field(default_factory=list)
    """When a message was sent, and how long its answer took."""
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    code: int | None = None
    _sent_at: dict[str, float] = field(default_factory=dict)

    def sent_at(self, number: int) -> float:
        return self._sent_at[f"s_{number}"]

    async def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.gateway.ws_url}?model=fake"
        async with connect(url, additional_headers=headers, max_size=None, compression=None) as socket:
            assert socket.response is not None
            self.session_id = socket.response.headers["x-voxgate-session-id"]
            hearing = asyncio.create_task(self._hear(socket))
            try:
                await self._talk(socket)
                await asyncio.wait_for(self.done.wait(), PATIENCE_SECONDS)
                await socket.close()
                await hearing
                self.code = socket.close_code
            finally:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)

    async def _talk(self, socket: ClientConnection) -> None:
        while not self.enough.is_set():
            sound = base64.b64encode(random.randbytes(self.sound_bytes)).decode()
            await self._send(socket, "input_audio_buffer.append", audio=sound)
            await asyncio.sleep(self.pause_seconds)
        await self._send(socket, CLOSING)

    async def _send(self, socket: ClientConnection, kind: str, **fields: Any) -> None:
        number = len(self.sent)
        self.sent.append(_event(kind, f"c_{number}", **fields))
        self._sent_at[f"s_{number}"] = time.monotonic()
        await socket.send(self.sent[-1])

    async def _hear(self, socket: ClientConnection) -> None:
        async for text in socket:
            now = time.monotonic()
            assert isinstance(text, str)
            self.received.append(text)
            self.received_at.append(now)
            event_id = json.loads(text)["event_id"]
            if (sent_at := self._sent_at.get(event_id)) is not None:
                self.delays.append((sent_at, now - sent_at))
            if event_id == "e_2":
                self.done.set()


@dataclass
class Load:
    """The calls of one test."""

    gateway: Voxgate
    provider: ScriptedProvider
    key: str
    talk: dict[str, Any]
    """How its calls talk."""
    callers: list[Caller] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self, count: int) -> None:
        new = [Caller(self.gateway, self.key, **self.talk) for _ in range(count)]
        self.callers += new
        self._tasks += [asyncio.create_task(caller.run()) for caller in new]
        await self.go_on(3, new)

    async def go_on(self, messages: int, callers: Sequence[Caller] | None = None) -> None:
        """Until every call that is not over has received so many more."""
        running = [caller for caller in callers or self.callers if not caller.enough.is_set()]
        goals = {id(caller): len(caller.received) + messages for caller in running}
        await self.until(lambda: all(len(caller.received) >= goals[id(caller)] for caller in running))

    async def outlast(self) -> None:
        """Goes on for as long as an outage takes."""
        ends = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < ends:
            await self.go_on(10)

    async def until(self, condition: Callable[[], Any]) -> None:
        """A caller that fails ends the waiting."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            for task in self._tasks:
                if task.done():
                    task.result()
            assert time.monotonic() < deadline, "".join(["not in time:\n", *self.gateway.output[-50:]])
            await asyncio.sleep(0.02)

    async def end(self, callers: Sequence[Caller] | None = None) -> None:
        ending = list(callers or self.callers)
        for caller in ending:
            caller.enough.set()
        await self.until(lambda: all(caller.code is not None for caller in ending))

    def delay(self, began: float, ended: float) -> float:
        """The median of what an answer took to those messages that were sent between these moments."""
        delays = [d for caller in self.callers for at, d in caller.delays if began <= at < ended]
        assert len(delays) > 50, "too few to compare"
        return statistics.median(delays)

    def was_not_slowed(self, began: float, broke: float, mended: float) -> bool:
        """While something was broken, compared with the time before."""
        return self.delay(broke, mended) < self.delay(began, broke) * MUCH_SLOWER + BUSY_SECONDS

    def nothing_was_lost_on_the_way(self) -> None:
        """Both far ends of every call have all messages, in order."""
        provided = {call.messages[0]: call.messages for call in self.provider.calls if call.messages}
        for caller in self.callers:
            assert caller.code == 1000
            assert provided[caller.sent[0]] == caller.sent
            numbers = [json.loads(text)["event_id"] for text in caller.received]
            assert numbers == ["e_0", "e_1", *(f"s_{n}" for n in range(len(caller.sent) - 1)), "e_2"]

    async def traces_are_whole(self) -> None:
        for caller in self.callers:
            await trace_is_whole(self.gateway, caller)


@asynccontextmanager
async def load(gateway: Voxgate, provider: ScriptedProvider, count: int, **talk: Any) -> AsyncIterator[Load]:
    """So many calls, with a temporary credential, that have begun to talk."""
    key = (await gateway.mint(logging={"project_name": "faults"}))["key"]
    made = Load(gateway, provider, key, talk)
    try:
        await made.begin(count)
        yield made
    finally:
        for task in made._tasks:
            task.cancel()
        await asyncio.gather(*made._tasks, return_exceptions=True)


async def trace_is_whole(gateway: Voxgate, caller: Caller) -> None:
    """The event log has every message just once and in order, and the tracks are what was sent."""
    trace = await gateway.finished_session(caller.session_id, seconds=PATIENCE_SECONDS)
    assert trace["status"] == "complete", trace["close"]
    assert trace["lost"] is None
    client, server = await recorded(gateway, caller.session_id)
    assert client == [json.loads(text) for text in caller.sent]
    assert server == [json.loads(text) for text in caller.received]
    assert await track(gateway, caller.session_id, "user") == sound_of(client, "audio")
    assert await track(gateway, caller.session_id, "assistant") == sound_of(server, "delta")


async def recorded(gateway: Voxgate, session_id: str) -> tuple[list[Any], list[Any]]:
    """The messages of both sides; everything of theirs is a message or a close frame."""
    lines = (await gateway.request("GET", f"/api/sessions/{session_id}/events")).splitlines()
    events = [json.loads(line) for line in lines]
    found: dict[str, list[Any]] = {"client": [], "server": [], "gateway": []}
    for event in events:
        if "close" not in event:
            found[event["dir"]].append(event["msg"])
    return found["client"], found["server"]


async def track(gateway: Voxgate, session_id: str, name: str) -> bytes:
    sound = await gateway.request("GET", f"/api/sessions/{session_id}/audio?track={name}&format=wav")
    with wave.open(io.BytesIO(sound)) as file:
        return file.readframes(file.getnframes())


def sound_of(messages: list[Any], key: str) -> bytes:
    return b"".join(base64.b64decode(message[key]) for message in messages if key in message)


async def metric(gateway: Voxgate, name: str) -> float:
    """The sum over all workers."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    values = [line.rpartition(" ")[2] for line in lines if line.partition(" ")[0].partition("{")[0] == name]
    assert values, f"there is no metric {name}"
    return sum(map(float, values))


async def until_metric(gateway: Voxgate, name: str, reached: Callable[[float], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached(value := await metric(gateway, name)):
        assert time.monotonic() < deadline, f"{name} is {value}"
        await asyncio.sleep(0.05)
