"""Voice activity and turns, on the audio clock."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("_webrtcvad")

from voxgate.audio.g711 import encode_ulaw
from voxgate.providers.local.input_audio import InputAudio
from voxgate.providers.local.session_config import SEMANTIC_VAD, SERVER_VAD
from voxgate.providers.local.turns import Mark, SpeechStarted, SpeechStopped, TurnDetector, TurnRules
from voxgate.providers.local.vad import EnergyGate, SpeechFrames

Samples = np.ndarray[Any, np.dtype[np.int16]]
RULES = TurnRules(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=200)


def marks_of(decisions: str) -> list[Mark]:
    """`#` is a frame of 20 ms with speech, `.` one without."""
    detector = TurnDetector(RULES)
    return [mark for decision in decisions if (mark := detector.push(decision == "#"))]


def test_a_turn_starts_before_its_first_sound_and_ends_after_the_silence() -> None:
    marks = marks_of("." * 50 + "#" * 25 + "." * 50)
    assert marks == [SpeechStarted(1000 - 300), SpeechStopped(1500 + 200)]


def test_a_click_is_no_turn() -> None:
    assert marks_of("." * 20 + "###" + "." * 20 + "#" + "." * 20) == []


def test_a_pause_shorter_than_the_silence_does_not_end_a_turn() -> None:
    assert len(marks_of("#" * 20 + "." * 9 + "#" * 20 + "." * 30)) == 2


def test_lone_frames_of_noise_do_not_keep_a_turn_alive() -> None:
    assert marks_of("#" * 20 + ".....#....." + "." * 5)[-1] == SpeechStopped(400 + 200 + 20)


def test_the_padding_does_not_reach_into_the_turn_before() -> None:
    marks = marks_of("#" * 20 + "." * 10 + "..." + "#" * 20)
    assert marks[1:] == [SpeechStopped(600), SpeechStarted(600)]


def marks_in(audio: bytes, cuts: list[int], format_type: str = "audio/pcm") -> list[Mark]:
    buffer = InputAudio(format_type, SERVER_VAD)
    edges = [0, *sorted(cut % (len(audio) + 1) for cut in cuts), len(audio)]
    pieces = [audio[start:end] for start, end in pairwise(edges)]
    return [mark for piece in pieces for mark in buffer.append(piece)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 200_000), max_size=40))
@pytest.mark.parametrize("format_type", ["audio/pcm", "audio/pcmu"])
def test_the_same_audio_gives_the_same_marks_however_it_is_cut(
    question: Samples, format_type: str, cuts: list[int]
) -> None:
    audio = question.tobytes() if format_type == "audio/pcm" else encode_ulaw(question[::3].copy())
    expected = marks_in(audio, [], format_type)
    assert [type(mark) for mark in expected] == [SpeechStarted, SpeechStopped]
    assert marks_in(audio, cuts, format_type) == expected


def test_speech_is_found_where_it_is(question: Samples) -> None:
    started, stopped = marks_in(np.concatenate([np.zeros(48_000, np.int16), question]).tobytes(), [])
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    # By ear the words are from 2.44 s to 3.6 s.
    assert started.audio_start_ms == pytest.approx(2440 - 300, abs=80)
    assert stopped.audio_end_ms == pytest.approx(3640 + 200, abs=150)


@pytest.mark.parametrize("level", [0, 30, 300, 1500])
def test_noise_is_not_speech(level: int) -> None:
    noise = np.random.default_rng(level).normal(0, 1, 24_000 * 4) * level
    assert marks_in(noise.astype(np.int16).tobytes(), []) == []


@pytest.mark.parametrize("hertz", [50, 60, 100])
def test_the_hum_of_the_mains_is_not_speech(hertz: int) -> None:
    seconds = np.arange(24_000 * 3) / 24_000
    hum = 1000 * np.sin(2 * np.pi * hertz * seconds) * (seconds % 1 > 0.5)
    assert marks_in(hum.astype(np.int16).tobytes(), []) == []


def test_what_is_loud_is_not_yet_a_voice() -> None:
    """The gate hears how loud it is, the detector what it is: a classifier that says no has the last word."""

    class Deaf:
        def is_speech(self, pcm: bytes, sample_rate: int) -> bool:
            return False

    loud = np.random.default_rng(0).normal(0, 3000, 24_000).astype(np.int16)
    loud[:12_000] //= 100
    gate = EnergyGate(0.5)
    assert [gate.is_open(frame) for frame in (loud[:160], loud[-160:])] == [False, True]
    assert not any(SpeechFrames(24_000, 0.5, Deaf()).push(loud))


def test_speech_is_found_in_noise(question: Samples) -> None:
    noise = np.random.default_rng(1).normal(0, 200, len(question) + 48_000)
    noise[48_000:] += question
    assert len(marks_in(noise.astype(np.int16).tobytes(), [])) == 2


def test_a_higher_threshold_wants_louder_speech(question: Samples) -> None:
    quiet = (question / 40).astype(np.int16).tobytes()

    def found(threshold: float) -> int:
        return len(InputAudio("audio/pcm", {**SERVER_VAD, "threshold": threshold}).append(quiet))

    assert found(0.1) == 2
    assert found(1.0) == 0


def test_eagerness_becomes_the_length_of_the_silence() -> None:
    waits = [
        TurnRules.of({**SEMANTIC_VAD, "eagerness": name}).silence_duration_ms
        for name in ("high", "medium", "low")
    ]
    assert waits == sorted(waits)
    assert len(set(waits)) == 3


def test_a_turn_is_cut_out_of_the_buffer_at_its_marks(question: Samples) -> None:
    buffer = InputAudio("audio/pcm", SERVER_VAD)
    buffer.append(question.tobytes())
    turn = buffer.take(500, 900)
    assert np.array_equal(turn, question[500 * 24 : 900 * 24])
    assert buffer.buffered_ms == pytest.approx(buffer.clock_ms - 900, abs=1)


def test_silence_is_not_kept_for_ever() -> None:
    buffer = InputAudio("audio/pcm", SERVER_VAD)
    for _ in range(60):
        buffer.append(bytes(48_000))
    assert buffer.clock_ms == 60_000
    assert 30_000 <= buffer.buffered_ms <= 31_000


def test_a_change_of_format_keeps_what_is_buffered(question: Samples) -> None:
    buffer = InputAudio("audio/pcm", None)
    buffer.append(question.tobytes())
    buffer.change_format("audio/pcmu")
    assert buffer.buffered_ms == pytest.approx(len(question) / 24, abs=1)
    assert buffer.clock_ms == len(question) // 24
