"""Flat tops, holes and repeated packets of sound that was made by hand, each where it was put."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from tests.audio.tones import joined, noise, silence, tone

from voxgate.audio.faults import clipped_runs, gaps, merged, repeats
from voxgate.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from voxgate.audio.perturb import perturb
from voxgate.audio.voice import Voice

RATES = [8_000, 16_000, 24_000, 44_100]
Wave = NDArray[np.float32]


def wave(*pieces: NDArray[np.int16]) -> Wave:
    return joined(*pieces).astype(np.float32) / np.float32(32768)


def speech(rate: int, ms: float = 2000) -> Wave:
    """Something as loud as a voice that never says the same twice, between pauses."""
    return wave(
        noise(300, rms_db=-70, rate=rate), noise(ms, rms_db=-20, rate=rate, seed=2), silence(300, rate)
    )


def cut(sound: Wave, rate: int, at_ms: float, ms: float) -> Wave:
    first = round(at_ms * rate / 1000)
    holed = sound.copy()
    holed[first : first + round(ms * rate / 1000)] = 0
    return holed


def gaps_of(sound: Wave, rate: int) -> list[tuple[float, float]]:
    return [(one.start_ms, one.end_ms) for one in gaps(sound, rate, Voice.of(sound, rate))]


def repeats_of(sound: Wave, rate: int) -> list[tuple[float, float]]:
    return [(one.start_ms, one.end_ms) for one in repeats(sound, rate, Voice.of(sound, rate))]


# Flat tops


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_that_is_too_loud_is_clipped_where_it_is(rate: int) -> None:
    clean = wave(silence(500, rate), tone(500, db=-6, hz=200, rate=rate), silence(500, rate))
    assert clipped_runs(clean, rate) == []
    found = clipped_runs(
        perturb(clean, rate, {"gain": 12}), rate
    )  # 6 dB too loud: over 1 for a third of a turn
    assert len(found) == 200  # two tops in each of 100 periods
    assert (found[0].start_ms, found[-1].end_ms) == (pytest.approx(501, abs=1), pytest.approx(999, abs=1))
    assert sum(one.samples for one in found) == pytest.approx(rate / 2 * 2 / 3, rel=0.05)


def test_a_peak_that_only_touches_the_end_of_the_scale_is_not_clipped() -> None:
    peaks = wave(silence(100)).copy()
    peaks[[100, 101, 500, 501]] = 1.0
    assert clipped_runs(peaks, 24_000) == []
    peaks[502] = -1.0
    assert clipped_runs(peaks, 24_000) == []
    peaks[502] = 1.0
    assert [one.samples for one in clipped_runs(peaks, 24_000)] == [3]


def test_a_square_wave_is_clipped_on_both_sides() -> None:
    square = np.tile(np.repeat(np.array([1, -1], np.float32), 10), 50)
    assert [one.samples for one in clipped_runs(square, 8_000)] == [10] * 100


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_what_g711_cut_off_is_clipped_too(law: str) -> None:
    loud = np.clip(tone(500, db=0, hz=200, rate=8_000).astype(np.int32) * 2, -32768, 32767).astype(np.int16)
    coded = decode_ulaw(encode_ulaw(loud)) if law == "ulaw" else decode_alaw(encode_alaw(loud))
    assert len(clipped_runs(wave(coded), 8_000)) == 200


# Holes


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("ms", [10, 20, 60, 150])
def test_a_hole_in_speech_is_found_where_it_is(rate: int, ms: float) -> None:
    assert gaps_of(speech(rate), rate) == []
    found = gaps_of(cut(speech(rate), rate, 1000, ms), rate)
    assert np.array(found) == pytest.approx(np.array([(1000, 1000 + ms)]), abs=1)


def test_a_pause_is_no_hole() -> None:
    fading = speech(24_000)
    fading[24_000:28_800] *= np.linspace(1, 0, 4800, dtype=np.float32) ** 4
    fading[28_800:31_200] = 0
    assert gaps_of(fading, 24_000) == []
    assert gaps_of(cut(speech(24_000), 24_000, 1000, 400), 24_000) == []


def test_a_hole_as_a_law_codes_it_is_found() -> None:
    holed = cut(speech(8_000), 8_000, 1000, 40)
    coded = wave(decode_alaw(encode_alaw((holed * 32767).astype(np.int16))))
    assert coded[8_100] != 0
    assert np.array(gaps_of(coded, 8_000)) == pytest.approx(np.array([(1000, 1040)]), abs=1)


def test_lost_packets_are_found_as_many_as_were_lost() -> None:
    rate, clean = 16_000, speech(16_000, 10_000)
    lossy = perturb(clean, rate, {"packet_loss": {"share": 0.05, "seed": 3}})
    lost = merged(
        [(at * 20.0, at * 20.0 + 20) for at in range(15, 515) if not lossy[at * 320 : at * 320 + 320].any()],
        1,
    )
    assert len(lost) > 10
    assert np.array(gaps_of(lossy, rate)) == pytest.approx(np.array(lost), abs=1)


# Repeated packets


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("packet_ms", [10, 20, 40])
def test_a_packet_that_sounds_twice_is_found_where_it_is(rate: int, packet_ms: int) -> None:
    size, first = rate * packet_ms // 1000, rate
    sound = speech(rate)
    assert repeats_of(sound, rate) == []
    sound[first : first + size] = sound[first - size : first]
    assert np.array(repeats_of(sound, rate)) == pytest.approx(np.array([(1000, 1000 + packet_ms)]), abs=1)


def test_a_lost_packet_that_was_filled_is_found() -> None:
    rate, clean = 16_000, speech(16_000, 10_000)
    filled = perturb(clean, rate, {"packet_loss": {"share": 0.05, "seed": 3, "fill": "repeat"}})
    packets = filled.reshape(-1, 320)
    twice = [at for at in range(16, 515) if np.array_equal(packets[at], packets[at - 1])]
    starts = merged([(at * 20.0, at * 20.0 + 20) for at in twice], 1)
    assert np.array(repeats_of(filled, rate)) == pytest.approx(np.array(starts), abs=1)


def test_a_tone_and_silence_repeat_nothing() -> None:
    assert repeats_of(wave(silence(500), tone(2000, hz=1000), silence(500)), 24_000) == []
    assert repeats_of(wave(silence(2000)), 24_000) == []


# Whatever comes


@pytest.mark.parametrize("name", ["marcelo_24khz.pcm", "weather_question.wav"])
def test_there_is_nothing_wrong_with_good_speech(shared: Path, name: str) -> None:
    path = shared / "fixtures/speech" / name
    if name.endswith(".pcm"):
        sound = np.frombuffer(path.read_bytes(), "<i2").astype(np.float32) / np.float32(32768)
    else:
        sound = soundfile.read(path, dtype="float32")[0]
    for rate, heard in ((24_000, sound), (8_000, perturb(sound, 24_000, {"g711": "ulaw"})[::3].copy())):
        assert gaps_of(heard, rate) == repeats_of(heard, rate) == clipped_runs(heard, rate) == []


@pytest.mark.parametrize("samples", [0, 1, 2, 239, 240, 241])
@pytest.mark.parametrize("value", [0.0, 1.0, float("nan")])
def test_sound_that_is_hardly_any_has_no_faults_and_breaks_nothing(samples: int, value: float) -> None:
    sound = np.full(samples, value, np.float32)
    assert gaps_of(sound, 24_000) == repeats_of(sound, 24_000) == []
    assert len(clipped_runs(sound, 24_000)) == (value == 1.0 and samples >= 3)


def test_places_that_are_close_are_one() -> None:
    assert merged([(0, 10), (15, 20), (50, 60), (60, 70)], 5) == [(0, 20), (50, 70)]
    assert merged([], 5) == []
