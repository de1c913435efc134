"""Recorded calls of live services, played: the provider's side by a stand-in server, the client's by a client
of either dialect.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.recordings import Event, Steps
from voxgate.realtime.dialects import Dialect, Translator
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.testing.provider import Script, ScriptedProvider, Upstreamed
from voxgate.traces import Trace, build_trace

KEY = "provider-key-of-32-letters-000000"
BETA = {"OpenAI-Beta": "realtime=v1"}
OPENAI = "test_openai_ws__test_audio_in_server_vad_turn"
AZURE = "test_azure_ws__test_text_in_audio_out_turn"
VOICE_LIVE = "test_azure_voice_live_ws__test_audio_in_server_vad_turn"
XAI = "test_xai_ws__test_audio_in_server_vad_turn"
VOICE_LIVE_OPTIONS = {"kind": "azure_voice_live", "api_version": "2025-10-01"}


def played(steps: Steps, *, openings: int = 0) -> Script:
    """The provider's side: waits for a message where the client sent one. `openings`: how many updates of
    the session the gateway sends of its own at the beginning; they are taken over."""

    async def play(call: Upstreamed) -> None:
        for _ in range(openings):
            opening = json.loads(await call.receive())
            await call.send(json.dumps({"type": "session.updated", "session": opening["session"]}))
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
    async with asyncio.timeout(60):
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


async def trace_of(gateway: RunningGateway, session_id: str = "") -> Trace:
    builder = EventLogBuilder()
    records = await gateway.records(session_id)
    return build_trace(event for record in records for _, event in builder.entries(record))


def place(provider: ScriptedProvider, path: str = "") -> str:
    return f"http://127.0.0.1:{provider.port}{path}"


@contextlib.asynccontextmanager
async def calling(
    start_gateway: StartGateway,
    steps: Steps,
    options: dict[str, Any],
    path: str = "",
    query: str = "/v1/realtime?model=asked",
    headers: dict[str, str] | None = None,
    scopes: dict[str, Any] | None = None,
) -> AsyncIterator[tuple[ClientConnection, ScriptedProvider, RunningGateway]]:
    """A call to a provider with these settings, under its address and `path`."""
    script = played(steps, openings=1 if scopes and "session" in scopes else 0)
    async with ScriptedProvider(script) as provider:
        settings = {"base_url": place(provider, path), "api_key": KEY, **options}
        route = {"model": "asked", "providers": ["live"], "upstream_model": "theirs"}
        async with start_gateway(providers={"live": settings}, routes=[route]) as gateway:
            key = await gateway.mint(logging={"project_name": "p"}, **scopes) if scopes else ADMIN_KEY
            sent = {"Authorization": f"Bearer {key}", **(headers or {})}
            async with connect(
                f"ws://127.0.0.1:{gateway.port}{query}", additional_headers=sent, max_size=None
            ) as socket:
                yield socket, provider, gateway


def request_of(provider: ScriptedProvider) -> tuple[str, str | None, str | None]:
    """The target, and the key in either header."""
    call = provider.calls[0]
    assert call.header("sec-websocket-protocol") is None
    return call.path, call.header("authorization"), call.header("api-key")
