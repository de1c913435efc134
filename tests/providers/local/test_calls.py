"""Whole calls over a real socket, with the real ear, brain and voice; every event fits the schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pybase64
import pytest

pytest.importorskip("faster_whisper")

from tests.providers.local.conftest import Caller, Check, Server
from voxgate.audio.g711 import encode_alaw, encode_ulaw
from voxgate.providers.local.ears import WhisperEar
from voxgate.providers.local.items import Item
from voxgate.providers.local.session_config import PCM, SERVER_VAD

pytestmark = pytest.mark.local
Samples = np.ndarray[Any, np.dtype[np.int16]]

RESPONSE = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]
TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Look up the weather for a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
def ear() -> WhisperEar:
    return WhisperEar()


def words(text: str) -> str:
    return re.sub(r"[^a-z0-9' ]", "", text.lower().replace("-", " "))


def transcript_of(ear: WhisperEar, audio: bytes, format_type: str = "audio/pcm") -> str:
    return ear._transcribe(Item({"id": "item_1"}, audio=audio, format_type=format_type))


def test_a_spoken_question_is_heard_and_answered_aloud(
    caller: Caller, question: Samples, ear: WhisperEar
) -> None:
    caller.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    caller.seen.clear()
    caller.append(question.tobytes())
    caller.until("rate_limits.updated")

    kind = "conversation.item.input_audio_transcription"
    [completed] = caller.of(f"{kind}.completed")
    assert words(completed["transcript"]) == "what is the weather in paris"
    assert "".join(event["delta"] for event in caller.of(f"{kind}.delta")) == completed["transcript"]
    assert completed["usage"] == {"type": "duration", "seconds": 2}
    assert [name for name in caller.types() if not name.startswith(kind)] == TURN + RESPONSE

    said = caller.of("response.output_audio_transcript.done")[0]["transcript"]
    assert "weather in Paris" in said
    assert "".join(event["delta"] for event in caller.of("response.output_audio_transcript.delta")) == said
    assert jiwer.wer(words(said), words(transcript_of(ear, caller.audio()))) < 0.2


def test_usage_adds_up_and_grows_with_the_call(caller: Caller, question: Samples) -> None:
    caller.update(instructions="Answer as shortly as you can. " * 20)
    for _ in range(2):
        caller.append(question.tobytes())
        caller.until("rate_limits.updated")
    first, second = (event["response"]["usage"] for event in caller.of("response.done"))
    for usage in (first, second):
        taken, given = usage["input_token_details"], usage["output_token_details"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_tokens"] == taken["text_tokens"] + taken["audio_tokens"]
        assert usage["output_tokens"] == given["text_tokens"] + given["audio_tokens"]
        assert taken["cached_tokens"] == sum(taken["cached_tokens_details"].values())
    spoken_ms = caller.of("response.output_audio.done") and len(caller.audio()) / 48
    assert first["output_token_details"]["audio_tokens"] == pytest.approx(spoken_ms / 2 / 50, rel=0.1)
    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_tokens"] > first["input_tokens"]
    assert second["input_token_details"]["cached_tokens_details"]["text_tokens"] >= 64


def test_without_turn_detection_the_client_commits_and_asks(caller: Caller, question: Samples) -> None:
    caller.update(audio={"input": {"turn_detection": None}}, output_modalities=["text"])
    caller.seen.clear()
    caller.append(question.tobytes())
    caller.send("input_audio_buffer.commit")
    caller.send("response.create")
    done = caller.until("response.done")
    assert caller.types() == [
        *TURN[2:],
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    [item] = done["response"]["output"]
    assert "weather in Paris" in item["content"][0]["text"]


def test_a_tool_is_called_and_its_result_spoken(caller: Caller, question: Samples, ear: WhisperEar) -> None:
    caller.update(tools=[WEATHER])
    caller.seen.clear()
    caller.append(question.tobytes())
    done = caller.until("response.done")
    assert caller.types() == [
        *TURN,
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    [call] = done["response"]["output"]
    assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})
    deltas = caller.of("response.function_call_arguments.delta")
    assert "".join(event["delta"] for event in deltas) == call["arguments"]

    output = json.dumps({"sky": "clear", "temperature": 18})
    item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
    caller.send("conversation.item.create", item=item)
    caller.send("response.create")
    caller.until("response.done")
    assert caller.until("rate_limits.updated")
    said = caller.of("response.output_audio_transcript.done")[0]["transcript"]
    assert said == "The sky is clear and the temperature is 18."
    assert jiwer.wer(words(said), words(transcript_of(ear, caller.audio()))) < 0.3


def test_speech_interrupts_a_response_and_truncation_makes_it_forget(
    caller: Caller, question: Samples
) -> None:
    caller.write("Tell me a story.")
    caller.send("response.create")
    caller.until("response.output_audio.delta")
    for _ in range(3):
        caller.until("response.output_audio.delta")
    caller.append(question.tobytes())
    cancelled = caller.until("response.done")["response"]
    assert cancelled["status"] == "cancelled"
    assert cancelled["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert cancelled["usage"]["output_token_details"]["audio_tokens"] > 0
    [item] = cancelled["output"]
    assert item["status"] == "incomplete"
    said = item["content"][0]["transcript"]
    assert said
    assert "That is the whole story" not in said

    sent_ms = len(caller.audio()) // 48
    caller.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=300)
    assert caller.until("conversation.item.truncated")["audio_end_ms"] == 300
    caller.send("conversation.item.retrieve", item_id=item["id"])
    kept = caller.until("conversation.item.retrieved")["item"]["content"][0]
    assert said.startswith(kept["transcript"])
    assert 1 <= len(kept["transcript"].split()) <= 2 < len(said.split())
    assert len(pybase64.b64decode(kept["audio"])) == 300 * 48 < sent_ms * 48

    answered = caller.until("response.done")["response"]
    assert answered["status"] == "completed"
    assert answered["id"] != cancelled["id"]


def test_truncating_past_the_end_complains_and_cuts_at_the_end(caller: Caller) -> None:
    caller.write("Hello!")
    caller.send("response.create")
    item = caller.until("response.done")["response"]["output"][0]
    played_ms = len(caller.audio()) // 48
    caller.send(
        "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=99_000, event_id="e1"
    )
    error = caller.until("error")["error"]
    assert error["message"] == f"Audio content of {played_ms}ms is already shorter than 99000ms"
    assert error["event_id"] == "e1"
    assert caller.until("conversation.item.truncated")["audio_end_ms"] == played_ms


def test_without_interrupt_response_the_answer_is_spoken_to_the_end(
    caller: Caller, question: Samples
) -> None:
    rules = {**SERVER_VAD, "interrupt_response": False, "create_response": False}
    caller.update(audio={"input": {"turn_detection": rules}})
    caller.write("Hello!")
    caller.send("response.create")
    caller.until("response.output_audio.delta")
    caller.append(question.tobytes())
    assert caller.until("response.done")["response"]["status"] == "completed"
    assert "input_audio_buffer.committed" in caller.types()


@pytest.mark.parametrize(("kind", "encode"), [("audio/pcmu", encode_ulaw), ("audio/pcma", encode_alaw)])
def test_telephone_audio_both_ways(
    caller: Caller, question: Samples, ear: WhisperEar, kind: str, encode: Any
) -> None:
    sound = {"format": {"type": kind}}
    caller.update(audio={"input": {**sound, "transcription": {"model": "whisper-1"}}, "output": sound})
    narrow = question.astype(np.float64).reshape(-1, 2).mean(axis=1)
    narrow = np.interp(np.arange(0, len(narrow), 1.5), np.arange(len(narrow)), narrow).astype(np.int16)
    caller.append(encode(narrow), chunk=160)
    caller.until("rate_limits.updated")
    heard = caller.of("conversation.item.input_audio_transcription.completed")[0]["transcript"]
    assert words(heard) == "what is the weather in paris"
    said = caller.of("response.output_audio_transcript.done")[0]["transcript"]
    assert jiwer.wer(words(said), words(transcript_of(ear, caller.audio(), kind))) < 0.25
    assert caller.of("response.created")[0]["response"]["audio"]["output"]["format"] == {"type": kind}


def test_every_voice_is_understood_and_no_two_sound_the_same(caller: Caller, ear: WhisperEar) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    caller.write(f"Repeat after me: {text}")
    spoken = {}
    for voice in ("alloy", "cedar", "shimmer"):
        caller.seen.clear()
        caller.send("response.create", response={"audio": {"output": {"voice": voice, "format": dict(PCM)}}})
        caller.until("response.done")
        spoken[voice] = caller.audio()
        assert jiwer.wer(words(text), words(transcript_of(ear, spoken[voice]))) < 0.2, voice
    assert len(set(spoken.values())) == 3
    lengths = [len(audio) for audio in spoken.values()]
    assert max(lengths) < 1.4 * min(lengths)  # another voice, not another pace


def test_speed_is_honoured(caller: Caller) -> None:
    caller.write("Repeat after me: one two three four five six seven.")
    caller.send("response.create", response={"conversation": "none"})
    caller.until("response.done")
    normal = len(caller.audio())
    caller.update(audio={"output": {"speed": 1.5}})
    caller.seen.clear()
    caller.send("response.create", response={"conversation": "none"})
    caller.until("response.done")
    assert 0.55 < len(caller.audio()) / normal < 0.8


def test_the_same_seed_speaks_the_same_bytes(local_server: Server, valid: Check) -> None:
    def call() -> bytes:
        caller = Caller(f"ws://127.0.0.1:{local_server.port}/v1/realtime?model=local", valid)
        caller.write("Who are you?")
        caller.send("response.create")
        caller.until("response.done")
        caller.close()
        return caller.audio()

    assert call() == call() != b""


def test_several_calls_at_once_are_all_answered(
    local_server: Server, valid: Check, question: Samples
) -> None:
    callers = [Caller(f"ws://127.0.0.1:{local_server.port}/v1/realtime?model=local", valid) for _ in range(4)]
    for caller in callers:
        caller.append(question.tobytes())
    for caller in callers:
        assert caller.until("response.done")["response"]["status"] == "completed"
        assert "weather in Paris" in caller.of("response.output_audio_transcript.done")[0]["transcript"]
        caller.close()


def test_another_speaker_is_heard(caller: Caller, shared: Path) -> None:
    """A recording of a man: "Hello, my name is Marcelo"."""
    caller.append((shared / "fixtures/speech/marcelo_24khz.pcm").read_bytes())
    caller.until("response.done")
    assert caller.of("response.output_audio_transcript.done")[0]["transcript"].startswith("Hello, Marcel")


def test_an_utterance_written_into_an_item_is_heard(caller: Caller, question: Samples) -> None:
    audio = pybase64.b64encode(question.tobytes()).decode()
    content = [{"type": "input_audio", "audio": audio}]
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    caller.send("response.create", response={"output_modalities": ["text"]})
    [item] = caller.until("response.done")["response"]["output"]
    assert "weather in Paris" in item["content"][0]["text"]
