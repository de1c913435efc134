"""An echo is found with the delay and the level that it was made with, and none where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voxgate.audio.echo import EchoParameters, echoes
from voxgate.audio.levels import mean_square

Wave = NDArray[np.float32]
RATE = 24_000


@pytest.fixture(scope="module")
def said(request: pytest.FixtureRequest) -> Wave:
    """A sentence, from 1.7 s to 3.9 s."""
    path = request.getfixturevalue("shared") / "fixtures/speech/marcelo_24khz.pcm"
    return np.frombuffer(path.read_bytes(), "<i2").astype(np.float32) / np.float32(32768)


def echo_of(said: Wave, lag_ms: float, level_db: float, rate: int = RATE) -> Wave:
    late = np.zeros_like(said)
    lag = round(lag_ms * rate / 1000)
    late[lag:] = said[: len(said) - lag]
    return (late * 10 ** (level_db / 20)).astype(np.float32)


def hiss(like: Wave, db: float) -> Wave:
    return (np.random.default_rng(5).standard_normal(len(like)) * 10 ** (db / 20)).astype(np.float32)


@pytest.mark.parametrize("lag_ms", [0, 40, 180, 480])
@pytest.mark.parametrize("level_db", [-6, -20, -35])
def test_an_echo_has_the_lag_and_the_level_it_was_made_with(said: Wave, lag_ms: int, level_db: int) -> None:
    found = echoes(echo_of(said, lag_ms, level_db), said, RATE)
    assert [round(one.start_ms, -2) for one in found] == [1700, 3200]
    for one in found:
        assert one.correlation == pytest.approx(1, abs=0.01)
        assert one.lag_ms == pytest.approx(lag_ms, abs=0.2)
        assert one.level_db == pytest.approx(level_db, abs=0.2)


def test_an_echo_is_found_under_noise_and_behind_the_users_own_voice(said: Wave, shared: Path) -> None:
    echo = echo_of(said, 180, -20)
    question = np.resize(
        soundfile.read(shared / "fixtures/speech/weather_question.wav", dtype="float32")[0], said.shape
    )
    for near in (echo + hiss(said, -46), echo + question):
        for one in echoes(near, said, RATE):
            assert one.correlation > 0.3
            assert one.lag_ms == pytest.approx(180, abs=0.2)
            assert one.level_db == pytest.approx(-20, abs=0.5)


def test_another_voice_or_noise_is_no_echo(said: Wave, shared: Path) -> None:
    question = soundfile.read(shared / "fixtures/speech/weather_question.wav", dtype="float32")[0]
    for near in (np.resize(question, said.shape), hiss(said, -40)):
        assert max(one.correlation for one in echoes(near, said, RATE)) < 0.12


def test_an_echo_that_is_later_than_is_looked_for_is_not_found(said: Wave) -> None:
    near = echo_of(said, 700, -20)
    assert max(one.correlation for one in echoes(near, said, RATE)) < 0.2
    found = echoes(near, said, RATE, EchoParameters(longest_lag_ms=1000))
    assert [one.lag_ms for one in found] == pytest.approx([700, 700], abs=0.2)


def test_what_nobody_can_hear_is_no_echo(said: Wave) -> None:
    assert mean_square(said) > 0
    assert [one.correlation for one in echoes(echo_of(said, 180, -70), said, RATE)] == [0, 0]


def test_an_echo_upside_down_is_one(said: Wave) -> None:
    assert all(one.correlation > 0.99 for one in echoes(-echo_of(said, 180, -20), said, RATE))


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_the_rate_does_not_matter(said: Wave, rate: int) -> None:
    thin = (
        said[:: RATE // rate]
        if rate == 8_000
        else np.interp(np.arange(0, len(said), 1.5), np.arange(len(said)), said).astype(np.float32)
    )
    found = echoes(echo_of(thin, 180, -20, rate), thin, rate)
    assert [one.lag_ms for one in found] == pytest.approx([180, 180], abs=0.2)
    assert [one.level_db for one in found] == pytest.approx([-20, -20], abs=0.2)


def test_without_speech_or_without_sound_there_is_nothing_to_come_back(said: Wave) -> None:
    silent = np.zeros_like(said)
    assert echoes(said, silent, RATE) == []
    assert [one.correlation for one in echoes(silent, said, RATE)] == [0, 0]
    assert [one.correlation for one in echoes(silent[:0], said, RATE)] == [0, 0]
    assert echoes(said[:0], said[:0], RATE) == []
    assert echoes(said[:100], said[:100], RATE) == []


def test_long_speech_is_looked_at_in_pieces(said: Wave) -> None:
    long = np.tile(said[RATE * 17 // 10 : RATE * 3], 5)
    found = echoes(echo_of(long, 100, -20), long, RATE, EchoParameters(longest_ms=1000))
    assert all(400 <= one.end_ms - one.start_ms <= 1000 for one in found)
    assert len(found) >= 5
