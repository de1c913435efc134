"""Every kind of provider, played from the recordings of the live services by a stand-in server: what reaches
it, and what a client of either dialect hears.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.playing import Heard, in_dialect, play_client, played, said, trace_of
from tests.recordings import Steps, read_recording
from voxgate.realtime.dialects import Dialect
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio

KEY = "provider-key-of-32-letters-000000"
BETA = {"OpenAI-Beta": "realtime=v1"}
OPENAI = "test_openai_ws__test_audio_in_server_vad_turn"
AZURE = "test_azure_ws__test_text_in_audio_out_turn"
VOICE_LIVE = "test_azure_voice_live_ws__test_audio_in_server_vad_turn"
XAI = "test_xai_ws__test_audio_in_server_vad_turn"
VOICE_LIVE_OPTIONS = {"kind": "azure_voice_live", "api_version": "2025-10-01"}


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


def audio(steps: Steps, name: str) -> str:
    return "".join(event["delta"] for event in said(steps, "received") if event["type"] == name)


async def check_trace(gateway: RunningGateway, transcript: str, **usage: int) -> None:
    trace = await trace_of(gateway)
    (response,) = [span for span in trace.spans if span.type == "response"]
    assert response.output["transcript"] == transcript
    assert response.metrics["audio_generated_ms"] > 0
    assert {name: response.usage[name] for name in usage} == usage
    assert trace.summary["status"] == "complete"
    assert trace.summary["turns"] == 1


@pytest.mark.parametrize("headers", [{}, BETA], ids=["ga", "beta"])
async def test_openai(start_gateway: StartGateway, shared: Path, headers: dict[str, str]) -> None:
    steps = read_recording(shared, OPENAI)
    is_beta = bool(headers)
    sent = said(steps, "sent")
    ours = in_dialect(sent, Dialect.GA, Dialect.BETA) if is_beta else sent
    async with calling(start_gateway, steps, {"kind": "openai"}, "/v1", headers=headers) as (
        socket,
        provider,
        gateway,
    ):
        heard = await play_client(socket, ours)
        assert [json.loads(message) for message in provider.calls[0].messages] == sent
        assert provider.calls[0].header("openai-beta") is None
        assert request_of(provider) == ("/v1/realtime?model=theirs", f"Bearer {KEY}", None)
        delta = "response.audio.delta" if is_beta else "response.output_audio.delta"
        assert heard.words(delta) == audio(steps, "response.output_audio.delta") != ""
        assert heard.first("session.created")["session"]["model"] == "asked"
        assert ("modalities" in heard.first("session.updated")["session"]) == is_beta
        await socket.close()
        transcript = "Hello, Marcelo! Great to meet you. How can I help you today?"
        await check_trace(gateway, transcript, input_tokens=41, output_audio_tokens=136)


@pytest.mark.parametrize("headers", [{}, BETA], ids=["ga", "beta"])
async def test_azure_openai(start_gateway: StartGateway, shared: Path, headers: dict[str, str]) -> None:
    steps = read_recording(shared, AZURE)
    is_beta, sent = bool(headers), said(steps, "sent")
    ours = in_dialect(sent, Dialect.GA, Dialect.BETA) if is_beta else sent
    async with calling(start_gateway, steps, {"kind": "azure"}, headers=headers) as (
        socket,
        provider,
        gateway,
    ):
        heard = await play_client(socket, ours)
        assert [json.loads(message) for message in provider.calls[0].messages] == sent
        assert request_of(provider) == ("/openai/v1/realtime?model=theirs", None, KEY)
        if is_beta:
            assert heard.words("response.audio_transcript.delta") == "Hello there! Great to meet you!"
            assert "conversation.item.done" not in heard.names
        else:
            assert len(heard.events) == len(said(steps, "received"))
            unnamed = [event for event in heard.events if "session" not in event]
            assert unnamed == [event for event in said(steps, "received") if "session" not in event]
        await socket.close()
        await check_trace(gateway, "Hello there! Great to meet you!")


def check_voice_live_as_ga(heard: Heard, steps: Steps) -> None:
    assert heard.first("session.created")["session"]["audio"]["output"]["voice"] == "alloy"
    assert heard.first("session.created")["session"]["model"] == "asked"
    updated = heard.first("session.updated")["session"]
    assert updated["type"] == "realtime"
    assert updated["output_modalities"] == ["audio"]
    assert updated["audio"]["input"]["transcription"]["model"] == "whisper-1"
    assert not {"modalities", "input_audio_format", "voice"} & updated.keys()
    assert heard.words("response.output_audio.delta") == audio(steps, "response.audio.delta") != ""
    hello = "Hi Marcelo, nice to meet you! How can I help you today?"
    assert heard.words("response.output_audio_transcript.delta") == hello
    assert heard.names.count("conversation.item.added") == heard.names.count("conversation.item.done") == 2
    assert heard.names[-3:] == ["conversation.item.done", "response.output_item.done", "response.done"]
    done = heard.first("response.done")["response"]
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": hello}]
    assert not {
        name for name in heard.names if name.startswith(("response.audio", "conversation.item.created"))
    }


async def test_a_client_of_today_on_azure_voice_live(start_gateway: StartGateway, shared: Path) -> None:
    steps = read_recording(shared, VOICE_LIVE)
    sent = said(steps, "sent")
    ours = in_dialect(sent, Dialect.BETA, Dialect.GA)
    ours[0]["session"] |= {"tracing": "auto", "truncation": "auto"}  # which it does not know
    async with calling(start_gateway, steps, VOICE_LIVE_OPTIONS) as (socket, provider, gateway):
        heard = await play_client(socket, ours)
        check_voice_live_as_ga(heard, steps)
        target = "/voice-live/realtime?api-version=2025-10-01&model=theirs"
        assert request_of(provider) == (target, None, KEY)
        assert heard.first("session.updated")["session"]["tracing"] == "auto"
        got = [json.loads(message) for message in provider.calls[0].messages]
        assert got[1:] == sent[1:]
        settings = {name: value for name, value in sent[0]["session"].items() if name != "modalities"}
        settings.pop("input_audio_sampling_rate")  # 24000, which is what pcm16 means
        assert settings.items() <= got[0]["session"].items()
        assert set(got[0]["session"]["modalities"]) == {"text", "audio"}
        assert not {"type", "audio", "tracing", "truncation"} & got[0]["session"].keys()
        await socket.close()
        hello = "Hi Marcelo, nice to meet you! How can I help you today?"
        await check_trace(gateway, hello, output_audio_tokens=72)


@pytest.mark.parametrize(
    ("query", "headers"),
    [("/v1/realtime?model=theirs", BETA), ("/voice-live/realtime?api-version=2026-07-15&model=theirs", {})],
)
async def test_a_client_of_azure_voice_live_is_relayed_unseen(
    start_gateway: StartGateway, shared: Path, query: str, headers: dict[str, str]
) -> None:
    steps = read_recording(shared, VOICE_LIVE)
    async with ScriptedProvider(played(steps)) as provider:
        settings = {"base_url": place(provider), "api_key": KEY, **VOICE_LIVE_OPTIONS}
        routes = [{"model": "theirs", "providers": ["live"]}]
        async with start_gateway(providers={"live": settings}, routes=routes) as gateway:
            sent = {"Authorization": f"Bearer {ADMIN_KEY}", **headers}
            async with connect(f"ws://127.0.0.1:{gateway.port}{query}", additional_headers=sent) as socket:
                heard = await play_client(socket, said(steps, "sent"))
                (running,) = gateway.worker.gateway.calls.all()
                assert running.client.room == running.log.buffer
                assert heard.texts == [json.dumps(event) for event in said(steps, "received")]
            assert provider.calls[0].header("openai-beta") is None
            assert provider.calls[0].messages == [json.dumps(event) for event in said(steps, "sent")]


@pytest.mark.parametrize("headers", [{}, BETA], ids=["ga", "beta"])
async def test_rules_see_what_a_client_of_azure_voice_live_says_as_of_today(
    start_gateway: StartGateway, shared: Path, headers: dict[str, str]
) -> None:
    steps = read_recording(shared, VOICE_LIVE)
    beta = said(steps, "sent")
    ours = beta if headers else in_dialect(beta, Dialect.BETA, Dialect.GA)
    scopes = {
        "session": {
            "instructions": "Never say PLUM.",
            "audio": {"output": {"voice": "cedar"}},
            "lock": ["instructions", "audio.output.voice"],
        },
        "allowed_tools": [],
    }
    ours[0]["session"].pop("instructions")
    loud: dict[str, Any] = {"audio": {"output": {"voice": "alloy"}}, "type": "realtime"}
    locked = {"type": "session.update", "session": {"voice": "alloy"} if headers else loud}
    async with calling(start_gateway, steps, VOICE_LIVE_OPTIONS, headers=headers, scopes=scopes) as (
        socket,
        provider,
        _,
    ):
        heard = await play_client(socket, [locked, *ours])
        refused = heard.first("error")["error"]
        assert refused["code"] == "session_field_locked"
        assert refused["param"] == ("session.voice" if headers else "session.audio.output.voice")
        opening = json.loads(provider.calls[0].messages[0])
        assert opening["session"]["instructions"] == "Never say PLUM."
        assert opening["session"]["voice"] == "cedar"
        assert not {"type", "audio"} & opening["session"].keys()
        got = [json.loads(message) for message in provider.calls[0].messages]
        assert got[2:] == beta[1:]
        assert not any(json.dumps("alloy") in json.dumps(message) for message in got)
        assert all("instructions" not in event["session"] for event in heard.events if "session" in event)
        if headers:
            assert heard.words("response.audio.delta") == audio(steps, "response.audio.delta")
            assert "conversation.item.done" not in heard.names
        else:
            assert heard.words("response.output_audio.delta") == audio(steps, "response.audio.delta")


async def test_a_beta_clients_temperature_passes_the_rules_to_a_beta_provider(
    start_gateway: StartGateway,
) -> None:
    settings = {"temperature": 0.6, "voice": "ash", "modalities": ["text", "audio"]}
    updated = {"type": "session.updated", "session": {**settings, "temperature": 0.61}}
    steps: Steps = [("sent", {}), ("received", updated)]
    options = {"dialect": "beta"}
    async with calling(start_gateway, steps, options, headers=BETA, scopes={"allowed_tools": ["mine"]}) as (
        socket,
        provider,
        _,
    ):
        heard = await play_client(
            socket, [{"type": "session.update", "session": settings}], until="session.updated"
        )
        got = json.loads(provider.calls[0].messages[0])
        assert got["session"]["temperature"] == 0.6
        assert set(got["session"]["modalities"]) == {"audio", "text"}
        assert got["session"]["voice"] == "ash"
        assert heard.first("session.updated")["session"]["temperature"] == 0.61
        assert provider.calls[0].header("openai-beta") == "realtime=v1"


async def test_a_client_that_does_not_say_what_it_speaks_is_of_today_until_it_shows_otherwise(
    start_gateway: StartGateway,
) -> None:
    created = {"type": "session.created", "session": {"modalities": ["text", "audio"], "voice": "ash"}}
    updated = {"type": "session.updated", "session": {"modalities": ["text"], "voice": "ash"}}
    steps: Steps = [("received", created), ("sent", {}), ("received", updated)]
    async with calling(start_gateway, steps, {"dialect": "beta"}) as (socket, provider, _):
        first = json.loads(await socket.recv())
        assert first["session"]["output_modalities"] == ["audio"]
        update = {"type": "session.update", "session": {"modalities": ["text"]}}
        heard = await play_client(socket, [update], until="session.updated")
        assert heard.events[0]["session"]["modalities"] == ["text"]
        assert json.loads(provider.calls[0].messages[0])["session"] == {"modalities": ["text"]}


@pytest.mark.parametrize("headers", [{}, BETA], ids=["ga", "beta"])
async def test_xai(start_gateway: StartGateway, shared: Path, headers: dict[str, str]) -> None:
    steps = read_recording(shared, XAI)
    sent, is_beta = said(steps, "sent"), bool(headers)
    session = {name: value for name, value in sent[0]["session"].items() if name != "turn_detection"}
    inside = {**session["audio"]["input"], "turn_detection": sent[0]["session"]["turn_detection"]}
    outside = {**session["audio"]["output"], "voice": "ara"}
    session = {**session, "type": "realtime", "audio": {"input": inside, "output": outside}}
    ours = [{"type": "session.update", "session": session}, *sent[1:]]
    if is_beta:
        ours = in_dialect(ours, Dialect.GA, Dialect.BETA)
    async with calling(start_gateway, steps, {"kind": "xai"}, "/v1", headers=headers) as (
        socket,
        provider,
        gateway,
    ):
        heard = await play_client(socket, ours)
        got = [json.loads(message) for message in provider.calls[0].messages]
        assert got[1:] == sent[1:]
        told = {**sent[0]["session"], "voice": "ara", "type": "realtime"}
        assert got[0] == {"type": "session.update", "session": told}
        assert request_of(provider) == ("/v1/realtime?model=theirs", f"Bearer {KEY}", None)
        ping = json.dumps(next(event for event in said(steps, "received") if event["type"] == "ping"))
        assert ping in heard.texts
        assert heard.first("response.done")["response"]["usage"]["total_tokens"] == 341
        hello = "Hello Marcelo! Nice to meet you. How can I help you today?"
        name = "response.audio_transcript.delta" if is_beta else "response.output_audio_transcript.delta"
        assert heard.words(name).replace(".", ". ").replace("  ", " ") == hello or hello in heard.words(name)
        created = heard.first("session.created")["session"]
        if is_beta:
            assert created["voice"] == "ara"
            assert "audio" not in created
        else:
            assert created["type"] == "realtime"
            assert created["audio"]["output"]["voice"] == created["voice"] == "ara"
            assert created["audio"]["input"]["turn_detection"] is None
            assert created["turn_detection"] == {"type": None}
        await socket.close()
        await check_trace(gateway, hello, input_audio_tokens=146, output_audio_tokens=170)


async def test_a_client_of_xai_itself_hears_and_says_everything_as_before(
    start_gateway: StartGateway, shared: Path
) -> None:
    steps = read_recording(shared, XAI)
    async with calling(start_gateway, steps, {"kind": "xai", "models": {"theirs": "asked"}}) as (
        socket,
        provider,
        _,
    ):
        heard = await play_client(socket, said(steps, "sent"))
        assert provider.calls[0].messages == [json.dumps(event) for event in said(steps, "sent")]
        for got, theirs in zip(heard.events, said(steps, "received"), strict=False):
            session = theirs.get("session", {})
            for name in session.keys() - {"audio", "model"}:
                assert got["session"][name] == session[name]
            if not session and theirs["type"] != "response.done":
                assert got == theirs


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
        assert (running.client.room == running.log.buffer) == (heard_as == "modalities"), "relayed unseen"


async def test_a_call_opened_to_transcribe_names_only_its_credentials_models(
    start_gateway: StartGateway,
) -> None:
    steps: Steps = [("received", {"type": "session.created", "session": {}}), ("sent", {})]
    async with ScriptedProvider(played(steps)) as provider:
        openai = {"kind": "openai", "base_url": place(provider, "/v1"), "api_key": KEY}
        async with start_gateway(providers={"openai": openai}) as gateway:
            key = await gateway.mint(model=["transcription", "gpt-realtime-whisper"])
            headers = {"Authorization": f"Bearer {key}"}
            async with connect(f"{gateway.url}?intent=transcription", additional_headers=headers) as socket:
                await socket.recv()
                for kind in ({}, {"type": "realtime"}, {"type": "transcription"}):
                    audio = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}
                    update = {"type": "session.update", "session": {**kind, "audio": audio}}
                    await socket.send(json.dumps(update))
                    error = json.loads(await socket.recv())["error"]
                    assert error["code"] == "model_not_allowed", kind
                assert provider.calls[0].path == "/v1/realtime?intent=transcription"
            assert provider.calls[0].messages == []
