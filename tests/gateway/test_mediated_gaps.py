"""What is missing in the log of a call that is relayed message by message: told where it is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.limited import until
from tests.gateway.metered import USAGE, call_to, heard_to_the_end, say, until_type
from voxgate.realtime.frames import FrameDecoder
from voxgate.recording.wirelog import CLIENT, FACT, WireRecord
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio
ROOM_BYTES = 4 << 20


@contextlib.contextmanager
def without_writer(gateway: RunningGateway) -> Iterator[None]:
    pid = gateway.worker.gateway.spool.writer_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def fill(gateway: RunningGateway, call: ClientConnection) -> None:
    while not gateway.worker.gateway.spool.full:
        await call.send("x" * 100_000)
        await call.recv()


class SpeaksByItself:
    """Ends a first response when it is asked for one, begins a second one when it is told, and echoes."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, call: Upstreamed) -> None:
        speaking: asyncio.Task[None] | None = None
        async for message in call:
            if "response.create" in message:
                await call.send(created("resp_1"))
                done = {"id": "resp_1", "status": "completed", "usage": USAGE}
                await call.send(json.dumps({"type": "response.done", "response": done}))
                speaking = asyncio.create_task(self._speak(call))
            else:
                await call.send(message)
        if speaking is not None:
            speaking.cancel()

    async def _speak(self, call: Upstreamed) -> None:
        await self.go_on.wait()
        await call.send(created("resp_2"))


def created(response_id: str) -> str:
    return json.dumps({"type": "response.created", "response": {"id": response_id}})


def told(records: list[WireRecord]) -> list[str]:
    """In their order: the messages to the provider, and what is said to be missing of them."""
    decoder = FrameDecoder()
    found: list[str] = []
    for record in records:
        if record.kind == CLIENT:
            found += [json.loads(message.payload)["type"] for message in decoder.feed(record.data)]
        elif record.kind == FACT:
            fact: dict[str, Any] = json.loads(record.data)
            found += ["lost"] * (fact["type"] == "gateway.lost" and fact["side"] == "client")
    return found


async def test_what_is_said_to_the_provider_stands_behind_what_is_missing_of_the_client(
    start_gateway: StartGateway,
) -> None:
    script = SpeaksByItself()
    async with (
        ScriptedProvider(script) as provider,
        start_gateway(provider.base_url, recording_buffer_bytes=ROOM_BYTES) as gateway,
        connect(
            f"{gateway.unseen_url}?model=fake",
            additional_headers={"authorization": f"Bearer {ADMIN_KEY}"},
            max_size=None,
        ) as other,
    ):
        minted = {"model": "fake", "max_tokens": 100, "logging": {"project_name": "gaps"}}
        key = await gateway.mint(**minted)
        async with call_to(gateway.url, key) as call:
            assert call.response is not None
            session_id = call.response.headers["x-voxgate-session-id"]
            await say(call, "response.create")
            await until_type(call, "response.done")
            with without_writer(gateway):
                await fill(gateway, other)
                await say(call, "echo")
                await until_type(call, "echo")
            await until(lambda: not gateway.worker.gateway.spool.full)
            script.go_on.set()  # the budget is spent: the gateway cancels it
            await heard_to_the_end(call)
        assert told(await gateway.records(session_id)) == [
            "response.create",
            "lost",
            "response.cancel",
        ]
