"""OpenAI's own Python package makes a client secret on a server, and a client calls with nothing but that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.clients.programs import session_of
from tests.running import Voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.local]

COUNT: Any = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Please count to three."}],
}


async def test_a_client_calls_with_the_secret_and_finds_the_session_as_it_was_set(voxgate: Voxgate) -> None:
    base_url = f"{voxgate.url}/v1"
    wanted = {"name": "backend", "role": "mint", "project": "secrets"}
    backend = await voxgate.request("POST", "/api/keys", json=wanted)
    async with AsyncOpenAI(base_url=base_url, api_key=backend["key"], max_retries=0) as server:
        secret = await server.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={
                "type": "realtime",
                "model": "local",
                "instructions": "Be brief.",
                "output_modalities": ["text"],
            },
            extra_headers={"OpenAI-Safety-Identifier": "user_of_the_secret"},
        )
    async with (
        asyncio.timeout(60),
        AsyncOpenAI(base_url=base_url, api_key=secret.value) as client,
        client.realtime.connect(model="local") as call,
    ):
        while (event := await call.recv()).type != "session.updated":
            assert event.type == "session.created"
        session: Any = event.session
        assert (session.instructions, session.output_modalities) == ("Be brief.", ["text"])
        await call.conversation.item.create(item=COUNT)
        await call.response.create()
        while (event := await call.recv()).type != "response.output_text.done":
            assert event.type != "error"
        assert event.text == "1, 2, 3."
    trace = await session_of(voxgate, "project:secrets")
    assert trace["metadata"] == {"safety_identifier": "user_of_the_secret"}
