"""From sound that was made by hand to the metrics of a session, through the recorder's own steps: tracks,
lanes, listening, trace.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tests.audio.tones import Pcm, add, joined, noise, silence, tone
from tests.traces.calls import Call, spans, vad

from voxgate.audio.g711 import encode_ulaw
from voxgate.jobs.closing import close_trace
from voxgate.jobs.tracks import TrackWriter
from voxgate.store import FolderBlobs
from voxgate.traces import Trace, TraceBuilder


def closed(call: Call, folder: Path) -> Trace:
    blobs, builder = FolderBlobs(folder), TraceBuilder("sess_1")
    writer = TrackWriter(blobs, "sessions/sess_1", builder.layout)
    for event in call.events:
        writer.write(builder.feed(event))
    writer.finish()
    closing = close_trace(builder, blobs, "sessions/sess_1")
    while True:
        try:
            next(closing)
        except StopIteration as end:
            trace: Trace = end.value.trace
            return trace


def raw(sound: Pcm) -> bytes:
    return sound.astype("<i2").tobytes()


def user_sound(rate: int = 24_000) -> Pcm:
    """From 1000 ms of the call on: voice from 1500 to 2900, and again from 5500 to 6200."""
    lead, rest = silence(500, rate), silence(800, rate)
    voices = joined(lead, tone(1400, rate=rate), silence(2600, rate), tone(700, rate=rate), rest)
    return add(voices, noise(6000, rms_db=-60, rate=rate))


def conversation(call: Call) -> Call:
    """Two turns: the first is answered after 700 ms, of which 120 are silence that is played. The user
    speaks into the answer, which stops 400 ms later."""
    answer = joined(silence(120), tone(5000, hz=300, db=-12))
    call.speech("u1", 1800, 3200, audio=(500, 2100)).created(3300, "r1").audio(3480, "r1", "a1", raw(answer))
    call.done(3500, "r1").server(5700, "input_audio_buffer.speech_started", item_id="u2", audio_start_ms=4400)
    call.client(5900, "conversation.item.truncate", item_id="a1", content_index=0, audio_end_ms=2420)
    call.server(6500, "input_audio_buffer.speech_stopped", item_id="u2", audio_end_ms=5400).committed(
        6501, "u2"
    )
    call.created(6600, "r2").audio(6700, "r2", "a2", raw(tone(1000, hz=300, db=-12))).done(6750, "r2")
    return call.close(9000)


EXPECTED = {
    "v2v_p50": (700 + 500) / 2,
    "endpointing_p50": (300 + 300) / 2,
    "lead_silence_p50": (120 + 0) / 2,
    "response_rate": 1.0,
    "yield_rate": 1.0,
    "yield_latency_p50": 400,
    "agent_interruption_rate": 0,
    "ghost_interruption_rate": 0,
    "overlap_ms": 400,
    "dead_air_total": 0,
    "reprompt_rate": 0,
    "missed_last_turn": 0,
    "clipping": 0,
    "interruptions": 1,
}


def check(trace: Trace) -> None:
    assert {name: trace.metrics[name] for name in EXPECTED} == pytest.approx(EXPECTED, abs=10)
    assert trace.metrics["talk_ratio"] == pytest.approx(3300 / (3300 + 2100), abs=0.01)
    assert trace.metrics["snr_db"] == pytest.approx(-23 + 60, abs=1.5)
    # A tone of -23 LUFS; of the 27 blocks of 400 ms that it touches, those at its edges hold some silence.
    assert trace.metrics["loudness"] == pytest.approx(-23.01 + 10 * math.log10(21 / 27), abs=0.1)
    assert trace.data["metric_versions"]["talk_ratio"]["vad"]["kind"] == "energy"


def test_a_conversation_is_measured_in_its_sound(tmp_path: Path) -> None:
    trace = closed(conversation(Call().session().append(1000, raw(user_sound()))), tmp_path)
    check(trace)
    first = spans(trace, "response")[0].metrics
    parts = ("endpointing_delay", "commit_to_response", "model_ttfa", "playback_queue", "lead_silence")
    assert [first[name] for name in parts] == pytest.approx([300, 100, 180, 0, 120], abs=10)
    assert first["v2v_heard"] == round(sum(first[name] for name in parts), 3)


def test_a_telephone_is_measured_beside_an_assistant_of_another_rate(tmp_path: Path) -> None:
    call = Call().session().formats(20, "audio/pcmu", "audio/pcm")
    call.append(1000, encode_ulaw(user_sound(8000)), chunk=800)
    check(closed(conversation(call), tmp_path))


def test_without_the_marks_of_server_vad_the_sound_says_when_speech_ended(tmp_path: Path) -> None:
    call = Call().session(turn_detection=vad("semantic_vad")).append(1000, raw(user_sound()))
    trace = closed(conversation(call), tmp_path)
    user = spans(trace, "user")[0].metrics
    assert (user["true_speech_start_ms"], user["true_speech_end_ms"]) == pytest.approx((1500, 2900), abs=10)
    assert user["speech_source"] == "vad"
    assert trace.metrics["v2v_p50"] == pytest.approx(600, abs=10)


def test_a_shout_is_clipped(tmp_path: Path) -> None:
    sound = user_sound()
    sound[24_000:26_400] = 32_767
    trace = closed(conversation(Call().session().append(1000, raw(sound))), tmp_path)
    assert trace.metrics["clipping"] == pytest.approx(2400 / 144_000, rel=0.05)
    assert trace.metrics["clipping_assistant"] == 0


def test_a_call_of_words_alone_has_no_sound_to_measure(tmp_path: Path) -> None:
    call = Call().session().user_text(50, "hi", id="u").client(60, "response.create").created(100, "r")
    trace = closed(call.done(200, "r").close(300), tmp_path)
    assert trace.metrics["talk_ratio"] is None
    assert trace.data["metric_reasons"]["talk_ratio"] == "there is no sound"


def test_an_assistant_nobody_spoke_to_is_measured_alone(tmp_path: Path) -> None:
    call = Call().session().client(60, "response.create").created(100, "r")
    trace = closed(call.audio(200, "r", "a", raw(tone(1500))).done(300, "r").close(2000), tmp_path)
    assert trace.metrics["talk_ratio"] == 1.0
    assert trace.metrics["loudness"] is None
    assert trace.metrics["loudness_assistant"] == pytest.approx(-23.01 + 10 * math.log10(14.75 / 17), abs=0.1)
    assert trace.metrics["missed_last_turn"] is None
