"""A call of the Realtime API from Python, through a real gateway to a scripted provider."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.conftest import ADMIN_KEY, StartGateway, run_gateway
from voxgate.client.http import Client
from voxgate.client.realtime import RealtimeClosed, RealtimeError, realtime_session
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio


@pytest.fixture
def start_gateway(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> StartGateway:
    """Where `Client` reaches it."""

    def start(*providers: str, **settings: Any) -> Any:
        return run_gateway(tmp_path, *providers, **settings)

    monkeypatch.setenv("VOXGATE_API_KEY", ADMIN_KEY)
    return start


def reach(monkeypatch: pytest.MonkeyPatch, port: int) -> Client:
    monkeypatch.setenv("VOXGATE_URL", f"http://127.0.0.1:{port}")
    return Client()


async def test_events_go_both_ways_and_the_session_says_its_id_tags_and_metadata(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        client = reach(monkeypatch, gateway.port)
        session = realtime_session(
            client, "fake", tags=["replay"], metadata={"case_id": "c1"}, project="shop"
        )
        async with session as call:
            await call.send({"type": "session.update", "session": {"instructions": "é"}})
            assert await call.receive() == {"type": "session.update", "session": {"instructions": "é"}}
            assert (call.id or "").startswith("sess_")
        opened = json.loads((await gateway.facts())[0])
    assert (opened["session_id"], opened["project"]) == (call.id, "shop")
    assert (opened["tags"], opened["metadata"]) == (["replay"], {"case_id": "c1"})


async def test_an_error_is_raised_in_the_servers_words_and_the_call_goes_on(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(call: Upstreamed) -> None:
        for kind in ("invalid_request_error", "server_error"):
            error = {"type": kind, "code": "odd", "message": "No such voice.", "event_id": "e1"}
            await call.send(json.dumps({"type": "error", "error": error}))
        await call.send(json.dumps({"type": "session.updated"}))
        await call.send("no json")
        await call.socket.close(1011, "server_error.gone")

    async with ScriptedProvider(script) as provider, start_gateway(provider.base_url) as gateway:
        async with realtime_session(reach(monkeypatch, gateway.port), "fake") as call:
            with pytest.raises(RealtimeError, match="No such voice") as first:
                await call.receive()
            with pytest.raises(RealtimeError) as second:
                await call.receive()
            assert (await call.receive())["type"] == "session.updated"
            with pytest.raises(RealtimeError, match="no json"):
                await call.receive()
            with pytest.raises(RealtimeClosed, match="No such voice") as closed:
                await call.receive()
            with pytest.raises(RealtimeClosed):
                await call.send({"type": "x"})
    assert [first.value.retryable, second.value.retryable, closed.value.retryable] == [False, True, True]
    assert (first.value.event_id, first.value.error_code) == ("e1", "odd")
    assert closed.value.close_code_seen == 1011


async def test_what_is_refused_says_why_and_whether_to_try_again(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        client = reach(monkeypatch, gateway.port)
        with pytest.raises(RealtimeError, match="none-such") as unknown:
            async with realtime_session(client, "none-such") as call:
                await call.receive()
        with pytest.raises(RealtimeError) as away:
            async with realtime_session(client, "fake") as call:
                await call.receive()
        monkeypatch.setenv("VOXGATE_API_KEY", "vg_wrong_key_of_forty_characters_000000000")
        with pytest.raises(RealtimeClosed, match="key") as wrong:
            async with realtime_session(Client(), "fake"):
                pass
    with pytest.raises(RealtimeClosed, match="No Voxgate answers") as gone:
        async with realtime_session(client, "fake"):
            pass
    refused = [one.value.retryable for one in (unknown, wrong, away, gone)]
    assert refused == [False, False, True, True]


async def test_leaving_the_block_ends_the_call_even_when_it_fails(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        with pytest.raises(ZeroDivisionError):
            async with realtime_session(reach(monkeypatch, gateway.port), "fake"):
                raise ZeroDivisionError
        async with asyncio.timeout(30):
            await provider.calls[0].socket.wait_closed()
