"""`client_secrets`, `sessions`, `transcription_sessions` of `/v1/realtime`: OpenAI's shapes, our keys."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.beta.realtime.session_create_response import SessionCreateResponse
from openai.types.beta.realtime.transcription_session import TranscriptionSession
from openai.types.realtime import ClientSecretCreateResponse
from websockets.asyncio.client import connect

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from voxgate.core.clock import unix_seconds
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop: how they differ matters to the relay, not to these endpoints."""
    return "asyncio"


GA = "/v1/realtime/client_secrets"
BETA = "/v1/realtime/sessions"
TRANSCRIPTION = "/v1/realtime/transcription_sessions"
ANYTHING = [{"model": "*", "providers": ["fake0"]}]
RECORDED: dict[str, Any] = {
    "type": "realtime",
    "model": "fake",
    "instructions": "Be brief.",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24_000},
            "transcription": {"model": "gpt-realtime-whisper"},
            "turn_detection": {"type": "server_vad", "create_response": True, "interrupt_response": True},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin"},
    },
}
"""What a recorded request to the live service said, but for the model."""


async def take_settings(call: Upstreamed) -> None:
    """Says `session.created`, and confirms every session.update."""
    await call.send(
        json.dumps({"type": "session.created", "event_id": "e0", "session": {"type": "realtime"}})
    )
    async for message in call:
        update = json.loads(message)
        await call.send(
            json.dumps({"type": "session.updated", "event_id": "e1", "session": update["session"]})
        )


async def secret(gateway: RunningGateway, body: Any, path: str = GA, key: str | None = ADMIN_KEY) -> Any:
    status, answer = await gateway.post(path, body, key=key)
    assert status == 200, answer
    return answer


async def first_update(gateway: RunningGateway, provider: ScriptedProvider, key: str, query: str = "") -> Any:
    """The session that the provider is told of before the client says a word."""
    before = len(provider.calls)
    async with connect(f"{gateway.url}{query}", additional_headers={"Authorization": f"Bearer {key}"}):
        async with asyncio.timeout(60):
            while len(provider.calls) <= before or not provider.calls[-1].messages:
                await asyncio.sleep(0.005)
    event = json.loads(provider.calls[-1].messages[0])
    assert event["type"] == "session.update"
    return event["session"]


async def test_the_answer_is_the_recorded_one_of_the_live_service(start_gateway: StartGateway) -> None:
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        expiry = {"anchor": "created_at", "seconds": 60}
        answer = await secret(gateway, {"expires_after": expiry, "session": RECORDED})
    assert answer.keys() == {"value", "expires_at", "session"}
    assert answer["value"].startswith("ek_")
    assert 55 <= answer["expires_at"] - unix_seconds() <= 60
    session = answer["session"]
    assert session.pop("id").startswith("sess_")
    assert session == {
        "type": "realtime",
        "object": "realtime.session",
        "model": "fake",
        "instructions": "Be brief.",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "tools": [],
        "tool_choice": "auto",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "expires_at": 0,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "noise_reduction": None,
                "transcription": {"language": None, "model": "gpt-realtime-whisper", "prompt": None},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "speed": 1.0, "voice": "marin"},
        },
    }


async def test_openais_python_sdk_makes_all_three(start_gateway: StartGateway) -> None:
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        base = f"http://127.0.0.1:{gateway.port}/v1"
        async with AsyncOpenAI(base_url=base, api_key=ADMIN_KEY, max_retries=0) as client:
            ga = await client.realtime.client_secrets.create(
                session={"type": "realtime", "model": "fake", "audio": {"output": {"voice": "marin"}}}
            )
            beta = await client.beta.realtime.sessions.create(
                model="fake",  # type: ignore[arg-type]
                voice="alloy",
            )
            transcription = await client.beta.realtime.transcription_sessions.create(
                input_audio_format="pcm16"
            )
    ClientSecretCreateResponse.model_validate(ga.model_dump(), strict=True)
    SessionCreateResponse.model_validate(beta.model_dump(), strict=True)
    TranscriptionSession.model_validate(transcription.model_dump(), strict=True)
    assert ga.value.startswith("ek_")
    assert ga.session.type == "realtime"
    assert beta.client_secret.value.startswith("ek_")
    assert (beta.voice, beta.temperature, beta.modalities) == ("alloy", 0.8, ["audio", "text"])
    assert transcription.client_secret.value.startswith("ek_")
    assert transcription.input_audio_format == "pcm16"


async def test_a_call_with_the_secret_begins_with_its_settings_and_its_model(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider(take_settings) as provider, start_gateway(provider.base_url) as gateway:
        answer = await secret(gateway, {"session": RECORDED})
        told = await first_update(gateway, provider, answer["value"])
        assert told == {key: value for key, value in RECORDED.items() if key != "model"}
        assert "model=fake" in provider.calls[-1].path


async def test_the_client_may_change_the_settings(start_gateway: StartGateway) -> None:
    async with ScriptedProvider(take_settings) as provider, start_gateway(provider.base_url) as gateway:
        answer = await secret(gateway, {"session": RECORDED})
        headers = {"Authorization": f"Bearer {answer['value']}"}
        async with connect(gateway.url, additional_headers=headers) as client:
            changed = {"type": "realtime", "instructions": "Be long."}
            await client.send(json.dumps({"type": "session.update", "session": changed}))
            async with asyncio.timeout(60):
                while True:
                    event = json.loads(await client.recv())
                    assert event["type"] != "error"
                    if event.get("session", {}).get("instructions") == "Be long.":
                        break


async def test_another_model_than_the_secrets_is_refused(start_gateway: StartGateway) -> None:
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        answer = await secret(gateway, {"session": RECORDED})
        headers = {"Authorization": f"Bearer {answer['value']}"}
        async with connect(f"{gateway.url}?model=fake-2", additional_headers=headers) as client:
            assert json.loads(await client.recv())["error"]["code"] == "model_not_allowed"


async def test_a_beta_session_reaches_the_provider_as_ga(start_gateway: StartGateway) -> None:
    body = {
        "model": "fake",
        "voice": "verse",
        "modalities": ["text"],
        "temperature": 1.0,
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
        "max_response_output_tokens": 99,
        "client_secret": {"expires_after": {"anchor": "created_at", "seconds": 90}},
    }
    async with ScriptedProvider(take_settings) as provider, start_gateway(provider.base_url) as gateway:
        answer = await secret(gateway, body, BETA)
        told = await first_update(gateway, provider, answer["client_secret"]["value"], "?model=fake")
    assert told == {
        "type": "realtime",
        "output_modalities": ["text"],
        "max_output_tokens": 99,
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "whisper-1"},
                "turn_detection": None,
            },
            "output": {"voice": "verse"},
        },
    }
    assert 85 <= answer["client_secret"]["expires_at"] - unix_seconds() <= 90
    assert {key: value for key, value in answer.items() if key not in {"client_secret", "id"}} == {
        "object": "realtime.session",
        "expires_at": 0,
        "model": "fake",
        "modalities": ["text"],
        "instructions": "",
        "voice": "verse",
        "speed": 1.0,
        "temperature": 1.0,
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1", "language": None, "prompt": None},
        "input_audio_noise_reduction": None,
        "turn_detection": None,
        "max_response_output_tokens": 99,
        "tools": [],
        "tool_choice": "auto",
        "tracing": None,
        "prompt": None,
    }


TRANSCRIBING: list[tuple[str, Any]] = [
    (GA, {"session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "w"}}}}}),
    (TRANSCRIPTION, {"input_audio_transcription": {"model": "w"}, "modalities": ["text"]}),
]


async def test_a_secret_for_transcription_opens_such_a_session(start_gateway: StartGateway) -> None:
    routes = {"routes": [{"model": "transcription", "providers": ["fake0"]}]}
    async with (
        ScriptedProvider(take_settings) as provider,
        start_gateway(provider.base_url, **routes) as gateway,
    ):
        for path, body in TRANSCRIBING:
            answer = await secret(gateway, body, path)
            key = answer["value"] if path == GA else answer["client_secret"]["value"]
            for query in ("", "?intent=transcription"):
                told = await first_update(gateway, provider, key, query)
                assert told == {
                    "type": "transcription",
                    "audio": {"input": {"transcription": {"model": "w"}}},
                }
                assert provider.calls[-1].path.partition("?")[2] == "intent=transcription"


WRONG: list[tuple[str, Any, str, str | None]] = [
    (GA, {"sesion": {}}, "unknown_parameter", "sesion"),
    (GA, {"session": {"model": "fake"}}, "missing_required_parameter", "session.type"),
    (GA, {"session": {"type": "reeltime"}}, "invalid_value", "session.type"),
    (GA, {"session": {"type": "realtime", "temperature": 1}}, "unknown_parameter", "session.temperature"),
    (
        GA,
        {"session": {"type": "transcription", "instructions": "x"}},
        "unknown_parameter",
        "session.instructions",
    ),
    (GA, {"session": {"type": "realtime", "tools": ["x"]}}, "invalid_type", "session.tools[0]"),
    (GA, {"session": {"type": "realtime", "audio": {"in": 1}}}, "unknown_parameter", "session.audio.in"),
    (GA, {"session": {"type": "realtime", "model": "other"}}, "invalid_model", "session.model"),
    (GA, {"session": {"type": "realtime", "model": "fake*"}}, "invalid_model", "session.model"),
    (GA, {"expires_after": {"seconds": 9}}, "integer_below_min_value", "expires_after.seconds"),
    (GA, {"expires_after": {"seconds": 7201}}, "integer_above_max_value", "expires_after.seconds"),
    (GA, {"expires_after": {"seconds": "60"}}, "invalid_type", "expires_after.seconds"),
    (GA, {"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
    (GA, {"session": {"type": "realtime", "instructions": "x" * 40_000}}, "invalid_value", "session"),
    (BETA, {"model": "other"}, "invalid_model", "model"),
    (BETA, {"output_modalities": ["audio"]}, "unknown_parameter", "output_modalities"),
    (BETA, {"input_audio_format": "mp3"}, "invalid_value", "input_audio_format"),
    (
        BETA,
        {"client_secret": {"expires_after": {"seconds": 1}}},
        "integer_below_min_value",
        "client_secret.expires_after.seconds",
    ),
    (TRANSCRIPTION, {"voice": "alloy"}, "unknown_parameter", "voice"),
    (TRANSCRIPTION, [], "invalid_value", None),
]


async def test_a_wrong_body_is_a_400_in_the_live_services_words(start_gateway: StartGateway) -> None:
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        for path, body, code, param in WRONG:
            status, answer = await gateway.post(path, body)
            error = answer["error"]
            assert (status, error["type"]) == (400, "invalid_request_error"), body
            assert (error["code"], error["param"]) == (code, param), body
            assert code in {"invalid_model", "invalid_value"} or f"'{param}'" in error["message"]


async def test_azures_paths_serve_the_same(start_gateway: StartGateway) -> None:
    query = "?api-version=2025-04-01-preview"
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        for prefix in ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime"):
            assert (await secret(gateway, {}, f"{prefix}/client_secrets{query}"))["value"]
            assert (await secret(gateway, {}, f"{prefix}/sessions{query}"))["client_secret"]
            assert (await secret(gateway, {}, f"{prefix}/transcription_sessions{query}"))["client_secret"]


async def test_who_may_make_secrets(start_gateway: StartGateway) -> None:
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        made = (await secret(gateway, {}))["value"]
        for key, status in ((None, 401), ("vg_wrong", 401), (made, 403)):
            assert (await gateway.post(GA, {}, key=key))[0] == status
        for role, status in (("mint", 200), ("connect", 403), ("read", 403)):
            _, new = await gateway.post("/api/keys", {"name": role, "role": role})
            assert (await gateway.post(GA, {}, key=new["key"]))[0] == status


async def test_of_several_keys_the_first_in_the_documented_order_counts(start_gateway: StartGateway) -> None:
    carriers = ("authorization", "api-key", "x-api-key")
    async with start_gateway() as gateway:
        url = f"http://127.0.0.1:{gateway.port}{GA}"
        bad = {name: "Bearer vg_wrong" if name == "authorization" else "vg_wrong" for name in carriers}
        good = {name: text.replace("vg_wrong", ADMIN_KEY) for name, text in bad.items()}
        for place, carrier in enumerate(carriers):
            later = carriers[place + 1 :]
            for first, others, expected in ((good, bad, 200), (bad, good, 401)):
                headers = {carrier: first[carrier]} | {name: others[name] for name in later}
                async with gateway.http.post(url, json={}, headers=headers) as answer:
                    assert answer.status == expected, headers
        async with gateway.http.post(f"{url}?api-key={ADMIN_KEY}", json={}) as answer:
            assert answer.status == 401


async def test_a_providers_own_key_makes_secrets_for_its_own_models(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        session = {"type": "realtime", "model": "gpt-4o-realtime-preview"}
        answer = await secret(gateway, {"session": session}, key="sk-mine")
        assert answer["session"]["model"] == "gpt-4o-realtime-preview"
        assert "sk-mine" not in str(answer)


async def test_calls_of_a_secret_are_recorded_as_those_of_the_key_that_made_it(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        _, shop = await gateway.post("/api/keys", {"name": "shop", "role": "mint", "project": "shop"})
        headers = {"authorization": f"Bearer {shop['key']}", "OpenAI-Safety-Identifier": "user_7"}
        url = f"http://127.0.0.1:{gateway.port}{GA}"
        async with gateway.http.post(url, json={}, headers=headers) as answer:
            assert answer.status == 200
        await secret(gateway, {})
        _, listed = await gateway.get("/v1/credentials")
    newest, oldest = listed["items"]
    assert (newest["project"], oldest["project"]) == ("default", "shop")
    assert oldest["metadata"] == {"safety_identifier": "user_7"}


async def test_the_credentials_of_mcp_servers_are_not_in_the_answer(start_gateway: StartGateway) -> None:
    tool = {"type": "mcp", "server_label": "x", "server_url": "https://x", "authorization": "s3cret"}
    async with start_gateway("http://127.0.0.1:9/v1") as gateway:
        session = {"type": "realtime", "tools": [tool]}
        assert "s3cret" not in str(await secret(gateway, {"session": session}))


async def test_webrtc_says_what_to_do_instead(start_gateway: StartGateway) -> None:
    paths = ("/v1/realtime/calls", "/openai/v1/realtime/calls", "/v1/realtime/calls/rtc_1/accept")
    async with start_gateway() as gateway:
        for path in paths:
            status, answer = await gateway.post(path, {})
            assert status == 404
            assert "WebRTC" in answer["error"]["message"]
            assert "WebSocket" in answer["error"]["message"]


async def test_the_recorded_requests_of_the_sdks_are_answered(
    start_gateway: StartGateway, shared: Path
) -> None:
    """Word for word but for their keys; those for what this gateway does not do say so."""
    served = 0
    async with start_gateway("http://127.0.0.1:9/v1", routes=ANYTHING) as gateway:
        for path in sorted((shared / "fixtures/realtime/handshakes").glob("*rest*.http")):
            head, _, rest = path.read_text().partition("\n\n")
            head = head.partition("\n")[2].replace("sk-test-key", ADMIN_KEY)
            target, length = head.split(" ")[1], int(re.findall(r"(?i)content-length: (\d+)", head)[0])
            request = head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + rest.encode()[:length].ljust(length)
            status, answer = await raw(gateway, request)
            if target in {GA, BETA, TRANSCRIPTION}:
                served += 1
                assert status == 200, (path.name, answer)
                assert answer["value"] if target == GA else answer["client_secret"]["value"]
            else:
                assert (status, answer["error"]["code"]) == (404, "not_found"), path.name
    assert served >= 5


async def raw(gateway: RunningGateway, request: bytes) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request)
    async with asyncio.timeout(60):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.findall(r"(?i)content-length: (\d+)", head)[0])
        body = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return int(head.split(" ")[1]), json.loads(body)
