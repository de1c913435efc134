"""Loudness against the levels that the standards give for their test signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.audio.tones import Pcm, joined, noise, silence, tone

from voxgate.audio.hearing import Hearing

# One channel has half the energy of the two that EBU Tech 3341 gives its levels for.
ONE_CHANNEL_LU = -3.01


def lufs(sound: Pcm, rate: int = 24_000) -> float | None:
    hearing = Hearing(rate)
    hearing.feed(sound)
    return hearing.finish().loudness_lufs


def filtered_lufs(sound: Pcm, rate: int) -> float:
    """Ungated, by the standard's own two filters, sample by sample; for 48 kHz as its tables are."""
    assert rate == 48_000
    wave = sound.astype(np.float64) / 32768
    stages = [
        ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)),
        ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)),
    ]
    for (b0, b1, b2), (a1, a2) in stages:
        x1 = x2 = y1 = y2 = 0.0
        out = np.empty_like(wave)
        for index, x0 in enumerate(wave.tolist()):
            y0 = b0 * x0 + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            x1, x2, y1, y2 = x0, x1, y0, y1
            out[index] = y0
        wave = out
    return -0.691 + 10 * np.log10(np.mean(wave**2))


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_a_sine_of_997_hertz_at_full_scale_has_minus_3_lufs(rate: int) -> None:
    """BS.1770, annex 1."""
    assert lufs(tone(5000, hz=997, db=0, rate=rate), rate) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("db", [-23, -33])
def test_steady_tones_have_the_levels_of_ebu_tech_3341(db: int) -> None:
    """Its cases 1 and 2."""
    assert lufs(tone(20_000, db=db)) == pytest.approx(db + ONE_CHANNEL_LU, abs=0.1)


def test_quiet_passages_are_gated_out() -> None:
    """Tech 3341, case 3: quiet stretches do not lower the level of the programme."""
    sound = joined(tone(10_000, db=-36), tone(60_000, db=-23), tone(10_000, db=-36))
    assert lufs(sound) == pytest.approx(-23 + ONE_CHANNEL_LU, abs=0.1)


def test_what_is_below_the_absolute_gate_does_not_move_the_relative_one() -> None:
    """Tech 3341, case 4."""
    programme = joined(tone(10_000, db=-36), tone(60_000, db=-23), tone(10_000, db=-36))
    sound = joined(tone(10_000, db=-72), programme, tone(10_000, db=-72))
    assert lufs(sound) == pytest.approx(-23 + ONE_CHANNEL_LU, abs=0.1)


def test_a_relative_gate_that_ends_in_the_middle() -> None:
    """Tech 3341, case 5: 20 s at -26, 20.1 s at -20 and 20 s at -26 dBFS are -23 LUFS."""
    sound = joined(tone(20_000, db=-26), tone(20_100, db=-20), tone(20_000, db=-26))
    assert lufs(sound) == pytest.approx(-23 + ONE_CHANNEL_LU, abs=0.1)


@pytest.mark.parametrize(("hz", "weight_db"), [(50, -3.6), (100, -1.1), (500, 0.0), (2000, 3.1), (6000, 4.0)])
def test_low_tones_count_less_and_high_ones_more(hz: float, weight_db: float) -> None:
    """Against -0.691 + the level: the curve of annex 1, figure 4."""
    level = lufs(tone(5000, hz=hz, db=-20))
    assert level == pytest.approx(-20 - 3.01 - 0.691 + weight_db, abs=0.35)


def test_noise_has_the_loudness_that_the_standards_filters_give() -> None:
    sound = noise(1500, rms_db=-20, rate=48_000)
    assert lufs(sound, 48_000) == pytest.approx(filtered_lufs(sound, 48_000), abs=0.1)


def test_speech_has_the_loudness_that_the_standards_filters_give(shared: Path) -> None:
    """The gate is left out of the comparison: all of it is speech."""
    import soxr

    wave, rate = soundfile.read(shared / "fixtures/speech/weather_question.wav", dtype="int16")
    at_48 = soxr.resample(wave, rate, 48_000)
    voiced = at_48[24_000 : 24_000 + 48_000]
    assert lufs(voiced, 48_000) == pytest.approx(filtered_lufs(voiced, 48_000), abs=0.5)


def test_silence_and_what_is_shorter_than_a_block_have_none() -> None:
    assert lufs(silence(5000)) is None
    assert lufs(tone(390)) is None
    assert lufs(tone(5000, db=-80)) is None
