"""Voice, background and clipping of sound that was made by hand, block by block."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from tests.audio.tones import Pcm, add, joined, noise, silence, tone

from voxgate.audio.hearing import Heard, Hearing


def hear(sound: Pcm, rate: int = 24_000) -> Heard:
    hearing = Hearing(rate)
    hearing.feed(sound)
    return hearing.finish()


# Voice


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100])
def test_voice_is_found_where_it_is(rate: int) -> None:
    sound = joined(
        silence(500, rate), tone(300, rate=rate), silence(400, rate), tone(200, rate=rate), silence(100, rate)
    )
    assert np.array(hear(sound, rate).voiced) == pytest.approx(np.array([(500, 800), (1200, 1400)]), abs=10)


def test_noise_under_the_voice_is_no_voice() -> None:
    sound = joined(silence(1000), tone(1000, db=-20), silence(1000))
    assert hear(add(sound, noise(3000, rms_db=-50))).voiced == [(1000, 2000)]
    assert hear(noise(3000, rms_db=-50)).voiced == []


def test_a_loud_background_is_learnt() -> None:
    sound = joined(silence(2000), tone(1000, db=-10), silence(2000))
    assert hear(add(sound, noise(5000, rms_db=-36))).voiced == [(2000, 3000)]


def test_short_pauses_are_none_and_clicks_are_no_voice() -> None:
    sound = joined(
        tone(100), silence(40), tone(100), silence(60), tone(100), silence(200), tone(20), silence(50)
    )
    assert hear(sound).voiced == [(0, 240), (300, 400)]


def test_a_direct_current_is_no_voice() -> None:
    assert hear(np.full(24_000, 8000, np.int16)).voiced == []


def test_speech_is_voiced_and_what_surrounds_it_is_not(shared: Path) -> None:
    wave, rate = soundfile.read(shared / "fixtures/speech/weather_question.wav", dtype="int16")
    voiced = hear(joined(silence(1000, rate), wave, silence(1000, rate)), rate).voiced
    spoken = sum(end - start for start, end in voiced)
    seconds = len(wave) / rate
    assert voiced[0][0] >= 1000
    assert voiced[-1][1] <= 1000 + seconds * 1000
    assert 0.5 < spoken / 1000 / seconds < 1.0


# Noise and clipping


@pytest.mark.parametrize("background", [-60, -50])
def test_the_signal_to_noise_ratio_is_the_one_it_was_made_with(background: int) -> None:
    sound = joined(silence(2000), tone(2000, db=-17), silence(2000))  # -20 dB RMS
    found = hear(add(sound, noise(6000, rms_db=background))).snr_db
    # The tenth percentile of 10 ms of white noise lies half a decibel below its mean.
    assert found == pytest.approx(-20 - background, abs=1.0)


def test_without_a_background_or_a_voice_there_is_no_signal_to_noise_ratio() -> None:
    assert hear(joined(tone(1000), silence(1000))).snr_db is None
    assert hear(noise(2000, rms_db=-60)).snr_db is None
    assert hear(tone(2000)).snr_db is None


def test_clipping_is_the_share_of_samples_at_the_limit() -> None:
    sound = tone(1000, db=-6)
    assert hear(sound).clipping == 0
    sound[1000:1240] = 32_767
    sound[2000:2240] = -32_768
    sounding = np.count_nonzero(sound)
    assert hear(joined(sound, silence(5000))).clipping == pytest.approx(480 / sounding)


def test_what_is_silent_says_nothing() -> None:
    assert hear(silence(3000)) == Heard()
    assert hear(silence(0)) == Heard()


# In pieces


@given(st.lists(st.integers(0, 5000), max_size=12))
def test_it_is_the_same_in_any_pieces(sizes: list[int]) -> None:
    sound = add(joined(silence(300), tone(400), silence(333)), noise(1033, rms_db=-55))
    hearing, at = Hearing(24_000), 0
    for size in sizes:
        hearing.feed(sound[at : at + size])
        at += size
    hearing.feed(sound[at:])
    found, whole = hearing.finish(), hear(sound)
    assert found.voiced == whole.voiced
    assert (found.clipping, found.snr_db) == (whole.clipping, pytest.approx(whole.snr_db, abs=1e-3))
    assert found.loudness_lufs == pytest.approx(whole.loudness_lufs, abs=1e-3)


def test_an_hour_leaves_a_few_megabytes() -> None:
    block = add(joined(tone(4000), silence(6000)), noise(10_000, rms_db=-60))
    hearing = Hearing(24_000)
    hearing.feed(block)
    tracemalloc.start()
    for _ in range(359):
        hearing.feed(block)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4 << 20
    assert len(hearing.finish().voiced) == 360
