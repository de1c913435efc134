"""Every kind of provider, played from the recordings of the live services by a stand-in server: what reaches
it, and what a client of either dialect hears.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.gateway.conftest import ADMIN_KEY, ON_UVLOOP, RunningGateway, StartGateway
from tests.gateway.playing import (
    AZURE,
    BETA,
    KEY,
    OPENAI,
    VOICE_LIVE,
    VOICE_LIVE_OPTIONS,
    XAI,
    Heard,
    calling,
    in_dialect,
    place,
    play_client,
    played,
    request_of,
    said,
    trace_of,
)
from tests.recordings import Steps, read_recording
from voxgate.realtime.dialects import Dialect
from voxgate.testing.provider import ScriptedProvider

pytestmark = [pytest.mark.anyio, ON_UVLOOP]


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
                assert running.client.splices
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
