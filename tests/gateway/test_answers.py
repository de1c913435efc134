"""What the gateway answers in the provider's stead, on a call whose bytes it otherwise only passes on."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect

from tests.gateway.conftest import StartGateway
from tests.gateway.limited import only_call, until
from voxgate.realtime.frames import TEXT, encode_frame
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio


async def test_an_answer_waits_until_the_provider_has_ended_its_message(start_gateway: StartGateway) -> None:
    payload = json.dumps({"type": "from the provider", "text": "z" * 40_000})
    frame = encode_frame(TEXT, payload.encode())
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def in_halves(call: Upstreamed) -> None:
        call.socket.transport.write(frame[:20_000])
        begun.set()
        await go_on.wait()
        call.socket.transport.write(frame[20_000:])
        await call.receive()

    async with ScriptedProvider(in_halves) as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(model=["fake"])
        headers = {"Authorization": f"Bearer {key}"}
        async with connect(f"{gateway.unseen_url}?model=fake", additional_headers=headers) as socket:
            call = await only_call(gateway)
            await begun.wait()
            await until(lambda: not call.nothing_passes)
            await socket.send('{"type":"session.update","session":{"type":"realtime","model":"other"}}')
            await until(lambda: call.client.follower.messages)  # judged in the same turn
            go_on.set()
            async with asyncio.timeout(30):
                assert await socket.recv() == payload
                assert json.loads(await socket.recv())["error"]["code"] == "model_not_allowed"
        assert not provider.calls[0].messages
