"""Recorded calls as files, and a client that does what the recorded one did."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import orjson
from tests.traces.calls import Call, recording
from websockets.asyncio.client import ClientConnection

from voxgate.core.ids import new_id
from voxgate.traces import Event, Trace, build_trace

Json = dict[str, Any]
_ID_KEYS = {"event_id", "expires_at"}


def write_log(path: Path, events: list[Event]) -> Path:
    """As `GET /api/sessions/{id}/events` gives it."""
    with path.open("wb") as file:
        for event in events:
            body = {"close": event.close} if event.close is not None else {"msg": event.msg}
            file.write(orjson.dumps({"t": event.t_ns, "dir": event.dir, **body}) + b"\n")
    return path


def write_recording(shared: Path, name: str, folder: Path) -> tuple[Call, Path]:
    call = recording(shared, name)
    assert call.events[0].msg is not None
    call.events[0].msg["session_id"] = new_id("sess")
    return call, write_log(folder / f"{name}.jsonl", call.events)


def said(call: Call, side: str) -> list[Json]:
    return [event.msg for event in call.events if event.dir == side and event.msg is not None]


async def do_the_same(socket: ClientConnection, call: Call, without: str | None = None) -> list[Json]:
    """Sends what the recorded client sent, each message once all is there that stood before it; `without`
    messages of that type, which are not told to this client."""
    heard: list[Json] = []
    async with asyncio.timeout(60):
        for event in call.events:
            if event.msg is None or event.dir == "gateway":
                continue
            if event.dir == "client":
                await socket.send(json.dumps(event.msg))
            elif event.msg.get("type") != without or without is None:
                heard.append(json.loads(await socket.recv()))
    return heard


async def send_all(socket: ClientConnection, messages: list[Json]) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def hear(socket: ClientConnection, count: int) -> list[Json]:
    async with asyncio.timeout(60):
        return [json.loads(await socket.recv()) for _ in range(count)]


def comparable(value: Any) -> Any:
    """Without what is new in every replay."""
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items() if name not in _ID_KEYS}
    return [comparable(one) for one in value] if isinstance(value, list) else value


def again(call: Call, heard: list[Json]) -> Trace:
    """The trace of the same call with what a replay said in the places of what the provider said."""
    replies = iter(heard)
    events = [
        Event(event.t_ns, event.dir, next(replies) if event.dir == "server" and event.msg else event.msg)
        for event in call.events
    ]
    return build_trace(events)


def sound(ms: float) -> str:
    return base64.b64encode(bytes(round(ms * 48))).decode()
