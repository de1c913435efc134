"""`replay:<session id>` as a model of a running Voxgate, which nobody has configured for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.evals.playback.calls import comparable, do_the_same, hear, said, write_log, write_recording
from tests.running import Voxgate

pytestmark = pytest.mark.anyio
TOOLS = "test_openai_ws__test_tool_call_round"
SPOKEN = "test_openai_ws__test_audio_in_server_vad_turn"
VOICE_LIVE = "test_azure_voice_live_ws__test_audio_in_server_vad_turn"
ITEM_DONE = "conversation.item.done"


@asynccontextmanager
async def replaying(
    voxgate: Voxgate, session_id: str, key: str | None = None, query: str = "", **headers: str
) -> AsyncIterator[ClientConnection]:
    sent = {"Authorization": f"Bearer {key or voxgate.key}", **headers}
    url = f"{voxgate.ws_url}?model=replay:{session_id}{query or '&replay_speed=max'}"
    async with connect(url, additional_headers=sent, max_size=None) as socket:
        yield socket


async def import_log(voxgate: Voxgate, path: Path, project: str) -> str:
    params = {"name": path.name, "project": project}
    answer = await voxgate.request("POST", "/api/sessions/import", data=path.read_bytes(), params=params)
    session_id: str = answer["items"][0]["id"]
    await voxgate.finished_session(session_id)
    return session_id


def session_of(socket: ClientConnection) -> str:
    assert socket.response is not None
    return socket.response.headers["x-voxgate-session-id"]


def shape(trace: dict[str, Any]) -> list[Any]:
    """What a replay has in common with the recording: its spans, what was said in them, what was used."""
    found = []
    for span in trace["spans"]:
        output = span["output"] if isinstance(span["output"], dict) else {}
        words = [output.get(name) for name in ("transcript", "text", "arguments")]
        found.append([span["type"], span["name"], span["status"], words, comparable(span["usage"])])
    return found


async def refusal(voxgate: Voxgate, model: str, key: str | None = None, query: str = "") -> Any:
    """The error and the close code of a call that is refused."""
    async with replaying(voxgate, model, key, query) as socket:
        error = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert error["type"] == "error", error
        await asyncio.wait_for(socket.wait_closed(), 60)
        return error["error"], socket.close_code


@pytest.mark.parametrize("name", [TOOLS, SPOKEN, VOICE_LIVE])
async def test_a_replayed_call_is_recorded_with_the_shape_of_the_first(
    voxgate: Voxgate, shared: Path, tmp_path: Path, name: str
) -> None:
    call, path = write_recording(shared, name, tmp_path)
    session_id = await import_log(voxgate, path, "replays")
    recorded = await voxgate.finished_session(session_id)
    beta = {"OpenAI-Beta": "realtime=v1"} if name == VOICE_LIVE else {}
    async with replaying(voxgate, session_id, **beta) as socket:
        # Voice Live says more than a client of the beta knows, to whom it does not go on.
        told = [event for event in said(call, "server") if not beta or event["type"] != ITEM_DONE]
        heard = await do_the_same(socket, call, without=ITEM_DONE if beta else None)
    assert [event["type"] for event in heard] == [event["type"] for event in told]
    if not beta:
        assert comparable(heard) == comparable(told)
    replayed = await voxgate.finished_session(session_of(socket))
    assert replayed["model"] == f"replay:{session_id}"
    assert shape(replayed) == shape(recorded)
    assert replayed["turns"] == recorded["turns"]


async def test_a_client_that_diverges_is_told_what_was_expected_and_the_trace_says_so(
    voxgate: Voxgate, shared: Path, tmp_path: Path
) -> None:
    call, path = write_recording(shared, TOOLS, tmp_path)
    session_id = await import_log(voxgate, path, "replays")
    for matching in ("strict", "lenient"):
        async with replaying(
            voxgate, session_id, query=f"&replay_speed=max&replay_matching={matching}"
        ) as socket:
            await hear(socket, 1)
            await socket.send(json.dumps({"type": "response.cancel", "event_id": "mine"}))
            error = (await hear(socket, 1))[0]["error"]
            assert (error["code"], error["event_id"]) == ("replay_diverged", "mine")
            assert "no answer to response.cancel. What it expects next: session.update;" in error["message"]
            if matching == "strict":
                await asyncio.wait_for(socket.wait_closed(), 60)
                assert (socket.close_code, socket.close_reason) == (
                    4000,
                    "invalid_request_error.replay_diverged",
                )
            else:
                await socket.send(json.dumps(said(call, "client")[0]))
                assert [event["type"] for event in await hear(socket, 1)] == ["session.updated"]
        trace = await voxgate.finished_session(session_of(socket))
        assert [error["code"] for error in trace["errors"]] == ["replay_diverged"]


async def test_only_sessions_of_the_own_project_are_replayed(
    voxgate: Voxgate, shared: Path, tmp_path: Path
) -> None:
    _, path = write_recording(shared, SPOKEN, tmp_path)
    session_id = await import_log(voxgate, path, "shop")
    keys = {
        project: (
            await voxgate.request(
                "POST", "/api/keys", json={"name": project, "role": "mint", "project": project}
            )
        )["key"]
        for project in ("shop", "other")
    }
    error, code = await refusal(voxgate, session_id, keys["other"])
    assert (error["code"], code) == ("not_found", 4000)
    async with replaying(voxgate, session_id, keys["shop"]) as socket:
        assert (await hear(socket, 1))[0]["type"] == "session.created"
    own = {**voxgate.auth, "Authorization": f"Bearer {keys['shop']}"}
    named = await voxgate.request(
        "POST", "/v1/credentials", json={"model": f"replay:{session_id}"}, headers=own
    )
    async with replaying(voxgate, session_id, named["key"]) as socket:
        assert (await hear(socket, 1))[0]["type"] == "session.created"
    error, _ = await refusal(voxgate, "sess_another", named["key"])
    assert error["code"] == "model_not_allowed"
    unnamed = await voxgate.request("POST", "/v1/credentials", json={}, headers=own)
    error, _ = await refusal(voxgate, session_id, unnamed["key"])
    assert (error["code"], error["param"]) == ("model_not_allowed", "model")


async def test_what_cannot_be_replayed_says_why(voxgate: Voxgate, shared: Path, tmp_path: Path) -> None:
    error, code = await refusal(voxgate, "sess_none")
    assert (error["code"], code) == ("not_found", 4000)
    _, path = write_recording(shared, SPOKEN, tmp_path)
    session_id = await import_log(voxgate, path, "replays")
    for name, value in (("replay_matching", "loose"), ("replay_speed", "0"), ("replay_speed", "slow")):
        error, _ = await refusal(voxgate, session_id, query=f"&{name}={value}")
        assert error["param"] == name
    call, _ = write_recording(shared, SPOKEN, tmp_path)
    for event in said(call, "server"):
        if event["type"] == "response.output_audio.delta":
            event["delta"] = "[not recorded: 480 bytes]"
    session_id = await import_log(voxgate, write_log(tmp_path / "silent.jsonl", call.events), "replays")
    error, code = await refusal(voxgate, session_id)
    assert (error["code"], code) == ("not_replayable", 4000)
    assert "sound of this session was not recorded" in error["message"]
