"""Recorded calls of live services, played: the provider's side by a stand-in server, the client's by a client
of either dialect.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection

from tests.gateway.conftest import RunningGateway
from tests.recordings import Event, Steps
from voxgate.realtime.dialects import Dialect, Translator
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.testing.provider import Script, Upstreamed
from voxgate.traces import Trace, build_trace


def played(steps: Steps, *, openings: int = 0) -> Script:
    """The provider's side: waits for a message where the client sent one. `openings`: how many messages the
    gateway sends of its own at the beginning."""

    async def play(call: Upstreamed) -> None:
        for _ in range(openings):
            await call.receive()
        for way, event in steps:
            if way == "sent":
                await call.receive()
            else:
                await call.send(json.dumps(event))

    return play


@dataclass
class Heard:
    events: list[Event]
    texts: list[str]

    @property
    def names(self) -> list[str]:
        return [event["type"] for event in self.events]

    def first(self, name: str) -> Event:
        return next(event for event in self.events if event["type"] == name)

    def words(self, name: str) -> str:
        return "".join(event["delta"] for event in self.events if event["type"] == name)


async def play_client(socket: ClientConnection, events: list[Event], until: str = "response.done") -> Heard:
    """Sends all that the client has to say, and hears all up to the event `until`."""
    heard = Heard([], [])
    async with asyncio.timeout(20):
        for event in events:
            await socket.send(json.dumps(event))
        while not heard.events or heard.events[-1]["type"] != until:
            text = await socket.recv()
            assert isinstance(text, str)
            heard.texts.append(text)
            heard.events.append(json.loads(text))
    return heard


def said(steps: Steps, way: str) -> list[Event]:
    return [event for direction, event in steps if direction == way]


def in_dialect(events: list[Event], theirs: Dialect, wanted: Dialect, **options: Any) -> list[Event]:
    """What a client said in one dialect, as one of the other says it."""
    translator = Translator(theirs, wanted, **options)
    return [
        json.loads(out) for event in events for out in translator.to_provider(orjson.dumps(event)).forward
    ]


async def trace_of(gateway: RunningGateway) -> Trace:
    builder = EventLogBuilder()
    records = await gateway.records()
    return build_trace(event for record in records for _, event in builder.entries(record))
