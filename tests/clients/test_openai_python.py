"""OpenAI's own Python package against a whole Voxgate: only the address and the key are changed, and what was
recorded is what the client sent and got.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from openai import AsyncOpenAI, AuthenticationError
from websockets.exceptions import ConnectionClosed

from tests.clients.conftest import Voice
from tests.clients.official import TRANSCRIPTION, VAD, OfficialCall, calling, messages
from tests.clients.programs import session_of
from tests.running import Voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.local]

LOGGED = {"logging": {"project_name": "clients"}}
GET_WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The current weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


async def recorded_track(
    voxgate: Voxgate, trace: dict[str, Any], track: str
) -> tuple[NDArray[np.int16], int]:
    path = f"/api/sessions/{trace['id']}/audio?track={track}&format=wav"
    samples, rate = soundfile.read(io.BytesIO(await voxgate.request("GET", path)), dtype="int16")
    return samples, rate


def samples_of(pcm: bytes) -> NDArray[np.int16]:
    return np.frombuffer(pcm, "<i2").astype(np.int16)


# libsndfile's own G.711, so that ours is not held against itself.


def encoded_ulaw(samples: NDArray[np.int16]) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, samples, 8_000, format="RAW", subtype="ULAW")
    return target.getvalue()


def decoded_ulaw(data: bytes) -> NDArray[np.int16]:
    raw = {"format": "RAW", "subtype": "ULAW", "samplerate": 8_000, "channels": 1}
    return soundfile.read(io.BytesIO(data), dtype="int16", **raw)[0]


def spans_of(trace: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [span for span in trace["spans"] if span["type"] == kind]


async def say(call: OfficialCall, text: str) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await call.send(type="conversation.item.create", item=item)


async def test_a_spoken_call_is_answered_aloud_and_recorded_sample_for_sample(
    voxgate: Voxgate, question: bytes
) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    async with calling(voxgate, credential["key"]) as call:
        created = await call.until("session.created")
        await call.configure(audio={"input": {"transcription": TRANSCRIPTION, "turn_detection": VAD}})
        await call.append(question, silence_ms=1000)
        await call.until(
            "conversation.item.input_audio_transcription.completed", "response.done", "rate_limits.updated"
        )
    trace = await session_of(voxgate, f"credential:{credential['id']}")

    # The call itself: the words were heard, and an answer was spoken.
    assert created.session.model == "local"
    heard = call.of("conversation.item.input_audio_transcription.completed")[0].transcript
    said = call.of("response.output_audio_transcript.done")[0].transcript
    assert "weather in paris" in heard.lower()
    assert "weather in paris" in said.lower()
    assert len(call.audio) > 48 * 1000

    # The sound: what was sent and what came, sample for sample, and both sides of the call in stereo.
    assert trace["status"] == "complete"
    for track, pcm in (("user", call.appended), ("assistant", call.audio)):
        samples, rate = await recorded_track(voxgate, trace, track)
        assert rate == 24_000
        np.testing.assert_array_equal(samples, samples_of(pcm))
    mix, rate = await recorded_track(voxgate, trace, "mix")
    assert rate == 24_000
    assert mix.ndim == 2
    assert mix.shape[1] == 2
    assert np.abs(mix.astype(int)).max(axis=0).min() > 1000  # somebody speaks on either side

    # The events: each message of the call, in its order, and nothing else.
    log = await voxgate.request("GET", f"/api/sessions/{trace['id']}/events")
    assert [message["type"] for message in messages(log, "client")] == [event["type"] for event in call.sent]
    ids = [event.event_id for event in call.received]
    assert [message["event_id"] for message in messages(log, "server")] == ids
    between = [line for line in log.splitlines() if json.loads(line)["dir"] != "gateway"]
    assert (
        trace["events_count"] == len(between) == len(call.sent) + len(call.received) + 2
    )  # two close frames

    # The trace: one turn, with what was said on both sides.
    (session,), (turn,) = spans_of(trace, "session"), spans_of(trace, "turn")
    (user,), (response,) = spans_of(trace, "user"), spans_of(trace, "response")
    assert turn["parent_id"] == session["id"]
    assert user["parent_id"] == response["parent_id"] == turn["id"]
    assert user["input"]["transcript"] == heard
    assert response["output"]["transcript"] == said
    assert (trace["turns"], trace["interruptions"], trace["project"]) == (1, 0, "clients")


async def test_a_tool_is_called_and_its_result_is_told(voxgate: Voxgate, question: bytes) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    async with calling(voxgate, credential["key"]) as call:
        await call.until("session.created")
        await call.configure(
            tools=[GET_WEATHER], audio={"input": {"transcription": TRANSCRIPTION, "turn_detection": VAD}}
        )
        await call.append(question, silence_ms=1000)
        await call.until("response.done", "rate_limits.updated")
        (asked,) = call.of("response.function_call_arguments.done")
        output = {"type": "function_call_output", "call_id": asked.call_id, "output": '{"forecast": "sunny"}'}
        await call.send(type="conversation.item.create", item=output)
        await call.send(type="response.create")
        await call.until("response.done", "rate_limits.updated")
    trace = await session_of(voxgate, f"credential:{credential['id']}")

    assert asked.name == "get_weather"
    assert json.loads(asked.arguments) == {"city": "Paris"}
    assert "sunny" in call.of("response.output_audio_transcript.done")[0].transcript.lower()
    (tool,) = spans_of(trace, "tool")
    assert tool["name"] == "get_weather"
    assert "Paris" in json.dumps(tool["input"])
    assert "sunny" in json.dumps(tool["output"])
    assert len(spans_of(trace, "response")) == 2


async def test_text_is_answered_with_text(voxgate: Voxgate) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    async with calling(voxgate, credential["key"]) as call:
        await call.until("session.created")
        await call.configure(output_modalities=["text"])
        await say(call, "Please count to three.")
        await call.send(type="response.create")
        done = await call.until("response.done", "rate_limits.updated")
    trace = await session_of(voxgate, f"credential:{credential['id']}")

    text = call.of("response.output_text.done")[0].text
    assert done.type == "rate_limits.updated"
    assert text == "1, 2, 3."
    assert "".join(event.delta for event in call.of("response.output_text.delta")) == text
    assert call.audio == b""
    (user,), (response,) = spans_of(trace, "user"), spans_of(trace, "response")
    assert user["input"]["text"] == "Please count to three."
    assert response["output"]["text"] == text


async def test_a_turn_that_the_client_commits_itself(voxgate: Voxgate, question: bytes) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    async with calling(voxgate, credential["key"]) as call:
        await call.until("session.created")
        await call.configure(audio={"input": {"transcription": TRANSCRIPTION, "turn_detection": None}})
        await call.append(question)
        await call.send(type="input_audio_buffer.commit")
        committed = await call.until("input_audio_buffer.committed")
        await call.send(type="response.create")
        await call.until(
            "conversation.item.input_audio_transcription.completed", "response.done", "rate_limits.updated"
        )
    trace = await session_of(voxgate, f"credential:{credential['id']}")

    assert not call.of("input_audio_buffer.speech_started")
    heard = call.of("conversation.item.input_audio_transcription.completed")[0]
    assert heard.item_id == committed.item_id
    assert "weather" in heard.transcript.lower()
    (user,) = spans_of(trace, "user")
    assert user["input"]["transcript"] == heard.transcript
    samples, _ = await recorded_track(voxgate, trace, "user")
    np.testing.assert_array_equal(samples, samples_of(question))


async def test_speaking_interrupts_the_answer_and_the_trace_knows_what_was_heard(
    voxgate: Voxgate, voice: Voice, question: bytes
) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    async with calling(voxgate, credential["key"]) as call:
        await call.until("session.created")
        await call.configure(audio={"input": {"transcription": TRANSCRIPTION, "turn_detection": VAD}})
        await call.append(voice("Tell me a story.").astype("<i2").tobytes(), silence_ms=1000)
        first = await call.until("response.output_audio.delta")
        began = time.monotonic()  # … to play the story, which comes faster than it plays
        while time.monotonic() - began < 0.7:
            await call.until("response.output_audio.delta")
        await call.append(question, silence_ms=1000)
        await call.until("input_audio_buffer.speech_started")
        come_ms = len(call.audio_of(first.item_id)) // 48
        played_ms = min(int((time.monotonic() - began) * 1000), come_ms // 2)
        cut = await call.until("response.done")
        story = call.audio_of(first.item_id)
        heard = {"item_id": first.item_id, "content_index": 0, "audio_end_ms": played_ms}
        await call.send(type="conversation.item.truncate", **heard)
        await call.until("conversation.item.truncated")
        if len(call.of("response.done")) == 1:  # the second may have come before the truncation
            await call.until("response.done")
        await call.until("rate_limits.updated")
    trace = await session_of(voxgate, f"credential:{credential['id']}")

    assert cut.response.status == "cancelled"
    assert cut.response.status_details.reason == "turn_detected"
    (truncated,) = call.of("conversation.item.truncated")
    assert (truncated.item_id, truncated.audio_end_ms) == (first.item_id, played_ms)
    assert (trace["turns"], trace["interruptions"]) == (2, 1)
    assert [span["status"] for span in spans_of(trace, "response")] == ["cancelled", "completed"]
    # `assistant` holds everything that came; `heard` has of the story only what was played.
    assistant, _ = await recorded_track(voxgate, trace, "assistant")
    np.testing.assert_array_equal(assistant, samples_of(call.audio))
    heard_track = (await recorded_track(voxgate, trace, "heard"))[0].tobytes()
    assert len(story) > played_ms * 48
    assert story[: played_ms * 48] in heard_track
    assert story not in heard_track


async def test_a_telephone_call_in_g711_is_recorded_at_8_khz(voxgate: Voxgate, voice: Voice) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    ulaw = encoded_ulaw(soxr.resample(voice("What is the weather in Paris?"), 24_000, 8_000))
    async with calling(voxgate, credential["key"]) as call:
        await call.until("session.created")
        audio_format = {"type": "audio/pcmu"}
        await call.configure(
            audio={
                "input": {"format": audio_format, "transcription": TRANSCRIPTION, "turn_detection": VAD},
                "output": {"format": audio_format},
            }
        )
        await call.append(ulaw, bytes_per_ms=8, silence_ms=1000, silence=0xFF)
        await call.until(
            "conversation.item.input_audio_transcription.completed", "response.done", "rate_limits.updated"
        )
    trace = await session_of(voxgate, f"credential:{credential['id']}")

    assert "weather" in call.of("conversation.item.input_audio_transcription.completed")[0].transcript.lower()
    for track, data in (("user", call.appended), ("assistant", call.audio)):
        samples, rate = await recorded_track(voxgate, trace, track)
        assert rate == 8_000
        np.testing.assert_array_equal(samples, decoded_ulaw(data))


async def test_a_wrong_key_is_an_error_event_and_close_3000(voxgate: Voxgate) -> None:
    async with calling(voxgate, "ek_nonsense") as call:
        error = await call.until("error")
        with pytest.raises(ConnectionClosed) as closed:
            await call.connection.recv()
    assert (error.error.type, error.error.code) == ("invalid_request_error", "invalid_api_key")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        3000,
        "invalid_request_error.invalid_api_key",
    )


async def test_a_model_that_the_credential_does_not_name_is_refused(voxgate: Voxgate) -> None:
    credential = await voxgate.mint(model="gpt-realtime", **LOGGED)
    async with calling(voxgate, credential["key"], model="local") as call:
        error = await call.until("error")
        with pytest.raises(ConnectionClosed) as closed:
            await call.connection.recv()
    assert error.error.code == "model_not_allowed"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4003
    trace = await session_of(voxgate, f"credential:{credential['id']}")
    assert trace["status"] == "failed"


async def test_a_call_outlives_its_credential(voxgate: Voxgate) -> None:
    credential = await voxgate.mint(model="local", ttl_seconds=4)
    async with calling(voxgate, credential["key"]) as call:
        await call.until("session.created")
        while time.time() <= credential["expires_at"]:
            await asyncio.sleep(0.05)
        await call.configure(output_modalities=["text"])
    async with calling(voxgate, credential["key"]) as call:
        assert (await call.until("error")).error.code == "expired_api_key"


async def test_revoking_a_credential_ends_its_running_call_if_asked_to(voxgate: Voxgate) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    async with calling(voxgate, credential["key"]) as call:
        await call.until("session.created")
        path = f"/v1/credentials/{credential['id']}"
        await voxgate.request("DELETE", path, params={"end_sessions": "true"})
        assert (await call.until("error")).error.code == "session_ended"
        with pytest.raises(ConnectionClosed):
            await call.connection.recv()
    async with calling(voxgate, credential["key"]) as call:
        assert (await call.until("error")).error.code == "invalid_api_key"


async def test_the_list_of_models_comes_with_the_same_client(voxgate: Voxgate) -> None:
    credential = await voxgate.mint(model="local")
    async with AsyncOpenAI(base_url=f"{voxgate.url}/v1", api_key=credential["key"]) as client:
        assert "local" in [model.id async for model in client.models.list()]
    async with AsyncOpenAI(base_url=f"{voxgate.url}/v1", api_key="nonsense", max_retries=0) as client:
        with pytest.raises(AuthenticationError):
            await client.models.list()
