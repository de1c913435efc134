"""What goes wrong in a whole, running Voxgate: each time the right error, a process that stays up, and a
trace of what happened.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.running import Voxgate, start_voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.local]
SESSION_HEADER = "x-voxgate-session-id"


@asynccontextmanager
async def calling(
    voxgate: Voxgate, key: str | None = None, model: str = "local"
) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A call and its session id."""
    headers = {"Authorization": f"Bearer {key or voxgate.key}"}
    async with connect(
        f"{voxgate.ws_url}?model={model}", additional_headers=headers, max_size=None
    ) as socket:
        assert socket.response is not None
        yield socket, socket.response.headers[SESSION_HEADER]


async def event(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of a kind; others are passed over."""
    async with asyncio.timeout(60):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def events_of(voxgate: Voxgate, session_id: str) -> list[dict[str, Any]]:
    data = await voxgate.request("GET", f"/api/sessions/{session_id}/events")
    return [json.loads(line) for line in data.splitlines()]


async def still_up(voxgate: Voxgate) -> None:
    assert (await voxgate.request("GET", "/healthz"))["status"] == "ok"
    async with calling(voxgate) as (socket, _):
        assert (await event(socket, "session.created"))["session"]["model"] == "local"


@pytest.mark.parametrize(
    ("message", "code", "kept"),
    [
        ("{garbage", "invalid_json", "raw"),
        (b"\x00\x01", "invalid_event", "binary"),
        ('{"type":"nope"}', "invalid_value", "msg"),
        ("[]", None, "msg"),
    ],
)
async def test_a_message_that_is_none_gets_an_error_and_the_call_goes_on(
    voxgate: Voxgate, message: str | bytes, code: str | None, kept: str
) -> None:
    async with calling(voxgate) as (socket, session_id):
        await socket.send(message)
        error = (await event(socket, "error"))["error"]
        assert error["type"] == "invalid_request_error"
        assert code is None or error["code"] == code
        await socket.send('{"type":"input_audio_buffer.clear"}')
        await event(socket, "input_audio_buffer.cleared")
    trace = await voxgate.finished_session(session_id)
    assert trace["status"] == "complete"
    assert any(kept in line for line in await events_of(voxgate, session_id) if line["dir"] == "client")


async def test_an_unknown_model_is_refused_by_name(voxgate: Voxgate) -> None:
    async with calling(voxgate, model="unheard-of") as (socket, session_id):
        error = (await event(socket, "error"))["error"]
        assert error["code"] == "invalid_model"
        assert "unheard-of" in error["message"]
        assert "local" in error["message"]
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (4000, "invalid_request_error.invalid_model")
    trace = await voxgate.finished_session(session_id)
    assert trace["status"] == "failed"
    assert trace["errors"][0]["code"] == "invalid_model"
    await still_up(voxgate)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    """Without a key for OpenAI. Its provider may be killed: it comes back."""
    running = start_voxgate(tmp_path_factory.mktemp("own"), environ={"OPENAI_API_KEY": ""})
    yield running
    assert running.stop() == 0


async def test_a_provider_without_a_key_is_a_failed_call_that_says_what_to_set(own: Voxgate) -> None:
    async with calling(own, model="gpt-realtime") as (socket, session_id):
        assert "OPENAI_API_KEY" in (await event(socket, "error"))["error"]["message"]
        await socket.wait_closed()
        assert socket.close_code == 1011
    assert (await own.finished_session(session_id))["status"] == "failed"


async def test_an_expired_credential_is_refused_and_its_attempt_is_kept(voxgate: Voxgate) -> None:
    minted = await voxgate.mint(model="local", ttl_seconds=1, logging={"project_name": "late"})
    while True:  # until its second is over
        async with calling(voxgate, minted["key"]) as (socket, session_id):
            first = json.loads(await socket.recv())
            if first["type"] == "error":
                break
    assert first["error"]["code"] == "expired_api_key"
    trace = await voxgate.finished_session(session_id)
    assert (trace["project"], trace["status"]) == ("late", "failed")
    assert trace["errors"][0]["code"] == "expired_api_key"


async def test_an_altered_credential_opens_nothing_and_mints_nothing(voxgate: Voxgate) -> None:
    key = (await voxgate.mint(model="local"))["key"]
    altered = key[:60] + ("x" if key[60] != "x" else "y") + key[61:]
    async with calling(voxgate, altered) as (socket, _):
        assert (await event(socket, "error"))["error"]["code"] == "invalid_api_key"
        await socket.wait_closed()
        assert socket.close_code == 3000
    for bad, status in ((altered, 401), (key, 403)):
        headers = {"Authorization": f"Bearer {bad}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{voxgate.url}/v1/credentials", json={}) as answer,
        ):
            assert answer.status == status
            assert (await answer.json())["error"]["message"]
    await still_up(voxgate)


async def test_a_message_over_the_largest_size_ends_the_call_with_1009(voxgate: Voxgate) -> None:
    async with calling(voxgate) as (socket, session_id):
        await event(socket, "session.created")
        await socket.send("x" * ((32 << 20) + 1))
        assert (await event(socket, "error"))["error"]["code"] == "message_too_large"
        await socket.wait_closed()
        assert socket.close_code == 1009
    trace = await voxgate.finished_session(session_id)
    assert trace["close"]["code"] == 1009
    assert trace["close"]["side"] == "gateway"
    await still_up(voxgate)


async def test_a_client_that_vanishes_leaves_a_whole_trace(voxgate: Voxgate) -> None:
    async with calling(voxgate) as (socket, session_id):
        await _ask(socket, "Good morning")
        await event(socket, "response.created")
        socket.transport.abort()
    trace = await voxgate.finished_session(session_id)
    assert trace["close"] == {"code": 1006, "side": "client"} | {"reason": trace["close"]["reason"]}
    assert [span["type"] for span in trace["spans"]].count("response") == 1


async def test_a_provider_that_dies_mid_answer_is_told_and_recorded(own: Voxgate) -> None:
    async with calling(own) as (socket, session_id):
        await _ask(socket, "Tell me something long, please, about the weather and everything else")
        await event(socket, "response.output_audio.delta")
        os.kill(_provider_of(own), signal.SIGKILL)
        error = (await event(socket, "error"))["error"]
        assert error["code"] == "upstream_lost"
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1011, "server_error.upstream_lost")
    trace = await own.finished_session(session_id)
    assert trace["status"] == "failed"
    response = next(span for span in trace["spans"] if span["type"] == "response")
    assert response["status"] not in {"completed", "ok"}
    assert trace["tracks"]["assistant"]["bytes"] > 0
    async with asyncio.timeout(60):  # the provider is started again
        await still_up(own)


async def _ask(socket: ClientConnection, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await socket.send('{"type":"response.create"}')


def _provider_of(voxgate: Voxgate) -> int:
    parent = voxgate.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next(
        int(child)
        for child in children
        if Path(f"/proc/{child}/cmdline").read_text().rstrip("\0").endswith("local")
    )
