"""Where a call goes when a route has providers of several kinds, and what they are told on the way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncAzureOpenAI
from websockets.asyncio.client import connect

from tests.gateway.conftest import ADMIN_KEY, ON_UVLOOP, StartGateway
from tests.gateway.playing import (
    AZURE,
    KEY,
    OPENAI,
    VOICE_LIVE,
    VOICE_LIVE_OPTIONS,
    calling,
    in_dialect,
    place,
    play_client,
    played,
    request_of,
    said,
)
from tests.recordings import Steps, read_recording
from tests.running import start_voxgate
from voxgate.realtime.dialects import Dialect
from voxgate.testing.provider import ScriptedProvider

pytestmark = [pytest.mark.anyio, ON_UVLOOP]


async def test_a_call_goes_on_at_openai_when_azure_does_not_answer(
    start_gateway: StartGateway, shared: Path
) -> None:
    steps = read_recording(shared, OPENAI)
    async with ScriptedProvider(refuse_status=503) as broken, ScriptedProvider(played(steps)) as well:
        names = {"gpt-realtime": "house-deployment"}
        azure = {"kind": "azure", "base_url": place(broken), "api_key": "az", "models": names}
        openai = {"kind": "openai", "base_url": place(well, "/v1"), "api_key": KEY}
        settings = {
            "providers": {"azure": azure, "openai": openai},
            "routes": [{"model": "gpt-realtime", "providers": ["azure", "openai"]}],
        }
        async with start_gateway(**settings) as gateway:
            listed = (await gateway.get("/v1/models"))[1]["data"]
            (model,) = [entry for entry in listed if entry["id"] == "gpt-realtime"]
            assert (model["provider"], model["served_by"]) == ("azure", "house-deployment")
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            url = f"{gateway.url}?model=gpt-realtime"
            async with connect(url, additional_headers=headers) as socket:
                heard = await play_client(socket, said(steps, "sent"))
                assert (
                    heard.texts
                    == [json.dumps(event) for event in said(steps, "received")][: len(heard.texts)]
                )
            path, bearer, plain = request_of(well)
            assert (path, bearer, plain) == ("/v1/realtime?model=gpt-realtime", f"Bearer {KEY}", None)
            facts = [json.loads(fact) for fact in await gateway.facts()]
            failed, dialled = (
                next(f for f in facts if f["type"] == f"gateway.{name}")
                for name in ("dial_failed", "dialled")
            )
            assert failed["provider"] == "azure"
            assert (dialled["provider"], dialled["dialect"]) == ("openai", "ga")


async def test_a_client_keeps_its_models_name_when_openai_does_not_answer_and_azure_does(
    start_gateway: StartGateway, shared: Path
) -> None:
    steps = read_recording(shared, AZURE)
    async with ScriptedProvider(refuse_status=429) as busy, ScriptedProvider(played(steps)) as well:
        names = {"gpt-realtime-2*": "house-deployment"}
        azure = {"kind": "azure", "base_url": place(well), "api_key": KEY, "models": names}
        openai = {"kind": "openai", "base_url": place(busy, "/v1"), "api_key": "sk-1"}
        routes = [{"model": "gpt-*", "providers": ["openai", "azure"]}]
        async with start_gateway(providers={"azure": azure, "openai": openai}, routes=routes) as gateway:
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            async with connect(f"{gateway.url}?model=gpt-realtime-2.1", additional_headers=headers) as socket:
                heard = await play_client(socket, said(steps, "sent"))
            assert request_of(well) == ("/openai/v1/realtime?model=house-deployment", None, KEY)
            assert heard.first("session.created")["session"]["model"] == "gpt-realtime-2.1"


async def test_a_key_that_a_provider_quotes_is_not_on_the_trace(start_gateway: StartGateway) -> None:
    body = f"Access denied due to invalid key {KEY}."
    async with ScriptedProvider(refuse_status=401, refuse_body=body) as provider:
        settings = {"kind": "azure", "base_url": place(provider), "api_key": KEY}
        routes = [{"model": "asked", "providers": ["live"]}]
        async with start_gateway(providers={"live": settings}, routes=routes) as gateway:
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            async with connect(f"{gateway.url}?model=asked", additional_headers=headers) as socket:
                assert json.loads(await socket.recv())["error"]["code"] == "upstream_refused"
            facts = b"".join(await gateway.facts())
            assert b"Access denied due to invalid key" in facts
            assert KEY.encode() not in facts


async def test_a_transcription_session_goes_to_a_provider_that_has_them(start_gateway: StartGateway) -> None:
    created = {"type": "session.created", "session": {"type": "transcription"}}
    async with ScriptedProvider(played([("received", created)])) as provider:
        voice_live = {"base_url": place(provider, "/voice-live"), "api_key": KEY, **VOICE_LIVE_OPTIONS}
        azure = {"base_url": place(provider), "api_key": KEY, "kind": "azure"}
        routes = [{"model": "gpt-*", "providers": ["live", "azure"]}]
        async with start_gateway(providers={"live": voice_live, "azure": azure}, routes=routes) as gateway:
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            url = f"{gateway.url}?intent=transcription"
            async with connect(url, additional_headers=headers) as socket:
                await socket.recv()
            (call,) = provider.calls
            assert call.path == "/openai/v1/realtime?intent=transcription"


@pytest.mark.parametrize(
    ("session", "heard_as"),
    [({"modalities": ["text"]}, "modalities"), ({"type": "realtime"}, "output_modalities")],
)
async def test_azures_older_path_is_for_clients_of_both_dialects(
    start_gateway: StartGateway, session: dict[str, Any], heard_as: str
) -> None:
    created = {"type": "session.created", "session": {"modalities": ["text", "audio"], "voice": "ash"}}
    updated = {"type": "session.updated", "session": {"modalities": ["text"], "voice": "ash"}}
    steps: Steps = [("received", created), ("sent", {}), ("received", updated)]
    options = {"kind": "azure", "api_version": "2025-04-01-preview", "models": {"theirs": "asked"}}
    query = "/openai/realtime?api-version=2024-10-01-preview&deployment=asked"
    async with calling(start_gateway, steps, options, query=query) as (socket, provider, gateway):
        assert json.loads(await socket.recv()) == created, "as the provider says it"
        update = {"type": "session.update", "session": session}
        heard = await play_client(socket, [update], until="session.updated")
        assert heard_as in heard.events[0]["session"]
        assert provider.calls[0].path == ("/openai/realtime?api-version=2025-04-01-preview&deployment=asked")
        got = json.loads(provider.calls[0].messages[0])["session"]
        assert got == {name: value for name, value in session.items() if name != "type"}
        (running,) = gateway.worker.gateway.calls.all()
        assert (running.client.splices) == (heard_as == "modalities"), "relayed unseen"


async def test_a_call_opened_to_transcribe_names_only_its_credentials_models(
    start_gateway: StartGateway,
) -> None:
    steps: Steps = [("received", {"type": "session.created", "session": {}}), ("sent", {})]
    async with ScriptedProvider(played(steps)) as provider:
        openai = {"kind": "openai", "base_url": place(provider, "/v1"), "api_key": KEY}
        async with start_gateway(providers={"openai": openai}) as gateway:
            key = await gateway.mint(
                model=["transcription", "gpt-realtime-whisper"], logging={"project_name": "answered"}
            )
            headers = {"Authorization": f"Bearer {key}"}
            async with connect(f"{gateway.url}?intent=transcription", additional_headers=headers) as socket:
                await socket.recv()
                for kind in ({}, {"type": "realtime"}, {"type": "transcription"}):
                    audio = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}
                    update = {"type": "session.update", "session": {**kind, "audio": audio}}
                    await socket.send(json.dumps(update))
                    error = json.loads(await asyncio.wait_for(socket.recv(), 30))["error"]
                    assert error["code"] == "model_not_allowed", kind
                assert provider.calls[0].path == "/v1/realtime?intent=transcription"
            assert provider.calls[0].messages == []
            facts = [json.loads(fact) for fact in await gateway.facts()]
            answered = [fact["message"]["error"] for fact in facts if fact["type"] == "gateway.answered"]
            assert [error["code"] for error in answered] == ["model_not_allowed"] * 3


async def test_a_whole_voxgate_with_a_file_of_settings_shows_the_trace_and_the_sound(
    tmp_path: Path, shared: Path
) -> None:
    steps = read_recording(shared, VOICE_LIVE)
    async with ScriptedProvider(played(steps)) as provider:
        config = tmp_path / "voxgate.toml"
        config.write_text(
            f'[providers.live]\nkind = "azure_voice_live"\napi_version = "2025-10-01"\n'
            f'base_url = "{place(provider)}"\n[providers.live.models]\n"voice-*" = "gpt-realtime"\n'
            '[[routes]]\nmodel = "voice-live"\nproviders = ["live"]\n'
        )
        environ = {"AZURE_VOICELIVE_API_KEY": KEY}
        voxgate = start_voxgate(tmp_path, "--config", str(config), environ=environ, local=False)
        try:
            listed = (await voxgate.request("GET", "/v1/models"))["data"]
            assert [entry["served_by"] for entry in listed if entry["id"] == "voice-live"] == ["gpt-realtime"]
            url = f"{voxgate.ws_url}?model=voice-live"
            async with connect(url, additional_headers=voxgate.auth) as socket:
                assert socket.response is not None
                session_id = socket.response.headers["x-voxgate-session-id"]
                heard = await play_client(socket, in_dialect(said(steps, "sent"), Dialect.BETA, Dialect.GA))
                assert heard.first("session.created")["session"]["model"] == "voice-live"
            path, _, key = request_of(provider)
            assert (path, key) == (
                "/voice-live/realtime?api-version=2025-10-01&model=gpt-realtime",
                KEY,
            )
            trace = await voxgate.finished_session(session_id)
            assert (trace["provider"], trace["turns"]) == ("live", 1)
            assert (trace["requested_model"], trace["live_model"]) == ("voice-live", "voice-live")
            assert (trace["upstream_model"], trace["provider_dialect"]) == ("gpt-realtime", "beta")
            sound = f"/api/sessions/{session_id}/audio?track=assistant"
            assert len(await voxgate.request("GET", sound)) > 44
        finally:
            assert voxgate.stop() == 0


@pytest.mark.parametrize("options", [{}, {"api_version": "2025-04-01-preview"}], ids=["ga", "beta"])
@pytest.mark.parametrize("speaks", [Dialect.GA, Dialect.BETA])
async def test_the_official_client_of_azure_reaches_azure_in_either_form(
    start_gateway: StartGateway, options: dict[str, Any], speaks: Dialect
) -> None:
    form = Dialect.BETA if options else Dialect.GA
    shown: dict[Dialect, dict[str, Any]] = {
        Dialect.GA: {"type": "realtime", "output_modalities": ["text"]},
        Dialect.BETA: {"modalities": ["text"]},
    }
    updated = {"type": "session.updated", "event_id": "e", "session": {"model": "d", **shown[form]}}
    steps: Steps = [("sent", {}), ("received", updated)]
    async with calling(start_gateway, steps, {"kind": "azure", **options}) as (socket, _, gateway):
        await socket.close()
        client = AsyncAzureOpenAI(
            azure_endpoint="http://unused.invalid",
            websocket_base_url=f"ws://127.0.0.1:{gateway.port}/openai",
            api_version="2024-10-01-preview",
            api_key=ADMIN_KEY,
        )
        realtime: Any = client.realtime if speaks is Dialect.GA else client.beta.realtime
        async with realtime.connect(model="asked") as connection:
            await connection.session.update(session=shown[speaks])
            heard = json.loads(await connection.recv_bytes())
            assert shown[speaks].items() <= heard["session"].items()
            assert heard["session"]["model"] == "asked"
        await client.close()


@pytest.mark.parametrize(
    ("options", "priced"),
    [
        ({"kind": "azure"}, True),
        (VOICE_LIVE_OPTIONS, False),
        ({"kind": "azure", "models": {"gpt-realtime-2": "gpt-unheard-of"}}, True),
    ],
)
async def test_a_deployment_costs_what_its_model_costs_but_at_voice_live_nobody_knows(
    start_gateway: StartGateway, options: dict[str, Any], priced: bool
) -> None:
    usage = {"total_tokens": 1_000_000, "input_tokens": 0, "output_tokens": 1_000_000}
    usage |= {"output_token_details": {"text_tokens": 1_000_000, "audio_tokens": 0}}
    done = {"type": "response.done", "response": {"id": "r", "status": "completed", "usage": usage}}
    steps: Steps = [("received", {"type": "response.created", "response": {"id": "r"}}), ("received", done)]
    async with ScriptedProvider(played(steps)) as provider:
        live = {
            "models": {"gpt-realtime-2": "my-own"},
            "base_url": place(provider),
            "api_key": KEY,
            **options,
        }
        routes = [{"model": "gpt-*", "providers": ["live"]}]
        async with start_gateway(providers={"live": live}, routes=routes) as gateway:
            key = await gateway.mint(model="gpt-realtime-2", max_cost_usd=1.0)
            headers = {"Authorization": f"Bearer {key}"}
            async with connect(f"{gateway.url}?model=gpt-realtime-2", additional_headers=headers) as socket:
                if priced:
                    await play_client(socket, [])
                else:
                    assert json.loads(await socket.recv())["error"]["code"] == "price_unknown"
            if priced:
                async with connect(
                    f"{gateway.url}?model=gpt-realtime-2", additional_headers=headers
                ) as socket:
                    assert json.loads(await socket.recv())["error"]["code"] == "budget_spent"
