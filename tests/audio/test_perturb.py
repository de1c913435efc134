"""Sound made worse by as much as was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.audio.tones import joined, silence, tone

from voxgate.audio.perturb import Noise, PacketLoss, perturb, perturbations, voice_mean_square
from voxgate.core.errors import InvalidRequest

RATES = [8_000, 16_000, 24_000]


def wave(*pieces: NDArray[np.int16]) -> NDArray[np.float32]:
    return joined(*pieces).astype(np.float32) / np.float32(32768)


def voice(rate: int = 24_000, db: float = -30.0) -> NDArray[np.float32]:
    """A second of a tone between pauses."""
    return wave(silence(500, rate), tone(1000, db=db, rate=rate), silence(500, rate))


def level_db(samples: NDArray[np.floating[Any]]) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))


# Noise


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-5, 40),
    st.sampled_from(["white", "speech"]),
    st.sampled_from(RATES),
    st.integers(0, 2**32),
)
def test_noise_has_the_ratio_to_the_voice_that_was_asked_for(
    snr_db: float, colour: str, rate: int, seed: int
) -> None:
    clean = voice(rate)
    noisy = perturb(clean, rate, {"noise": {"snr_db": snr_db, "colour": colour, "seed": seed}})
    assert len(noisy) == len(clean)
    spoken = slice(rate // 2, rate * 3 // 2)
    assert level_db(clean[spoken]) - level_db(noisy - clean) == pytest.approx(snr_db, abs=0.5)


def test_pauses_do_not_count_for_the_level_of_the_voice() -> None:
    short, long = voice(), np.concatenate((voice(), np.zeros(240_000, np.float32)))
    assert voice_mean_square(short, 24_000) == pytest.approx(voice_mean_square(long, 24_000))


def test_noise_like_speech_has_the_spectrum_of_speech_and_white_noise_is_flat() -> None:
    clean = voice()
    assert bands(perturb(clean, 24_000, {"noise": {"snr_db": 10, "colour": "white"}}) - clean) == (
        pytest.approx([0, 0, 0], abs=1)
    )
    # 34.27 dB at 500 Hz, 25.01 at 1 kHz, 9.33 at 4 kHz, 2.59 at 6.3 kHz
    assert bands(perturb(clean, 24_000, {"noise": {"snr_db": 10, "colour": "speech"}}) - clean) == (
        pytest.approx([25.01 - 34.27, 9.33 - 34.27, 2.59 - 34.27], abs=1)
    )


def bands(noise: NDArray[np.float32]) -> list[float]:
    """The level per hertz around 1, 4 and 6.3 kHz, compared with 500 Hz."""
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / 24_000)
    at = [10 * np.log10(power[np.abs(hz - f) < f * 0.06].mean()) for f in (500, 1000, 4000, 6300)]
    return [float(one - at[0]) for one in at[1:]]


def test_silence_gets_no_noise() -> None:
    assert not perturb(np.zeros(24_000, np.float32), 24_000, {"noise": 10}).any()


# A telephone line


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_a_telephone_line_keeps_what_lies_under_4_khz(rate: int, law: str) -> None:
    clean = wave(tone(1000, hz=440, db=-12, rate=rate))
    heard = perturb(clean, rate, {"g711": law})
    assert len(heard) == len(clean)
    inner = slice(rate // 10, -rate // 10)
    error = level_db(heard[inner] - clean[inner]) - level_db(clean[inner])
    assert -50 < error < -30  # G.711's distance to its own noise is about 38 dB


def test_a_telephone_line_loses_what_lies_over_4_khz() -> None:
    clean = wave(tone(1000, hz=6000, db=-12))
    assert level_db(perturb(clean, 24_000, {"g711": "ulaw"})) < level_db(clean) - 40


def test_telephone_speech_that_was_g711_already_is_not_changed() -> None:
    coded = perturb(voice(8_000), 8_000, {"g711": "ulaw"})
    assert np.array_equal(perturb(coded, 8_000, {"g711": "ulaw"}), coded)


# Lost packets


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.sampled_from(RATES), st.integers(0, 2**32))
def test_as_many_packets_are_lost_as_were_asked_for(share: float, rate: int, seed: int) -> None:
    clean = np.full(rate * 20, 0.5, np.float32)
    left = perturb(clean, rate, {"packet_loss": {"share": share, "seed": seed}})
    packets = left.reshape(-1, rate // 50)
    assert set(packets.min(axis=1)) | set(packets.max(axis=1)) <= {np.float32(0), np.float32(0.5)}
    assert (packets.min(axis=1) == packets.max(axis=1)).all()
    assert float((packets[:, 0] == 0).mean()) == pytest.approx(share, abs=0.08)


def test_a_lost_packet_is_the_one_before_once_more() -> None:
    clean = np.repeat(np.arange(1, 101, dtype=np.float32) / 100, 160)  # each packet has a value of its own
    gaps = PacketLoss(0.3, "zero", seed=3).apply(clean, 8_000).reshape(-1, 160)[:, 0]
    filled = PacketLoss(0.3, "repeat", seed=3).apply(clean, 8_000).reshape(-1, 160)[:, 0]
    assert 0 < (gaps == 0).sum() < 60
    last = 0.0
    for gap, repeated in zip(gaps, filled, strict=True):
        last = gap or last
        assert repeated == last


def test_all_or_nothing_of_the_packets_can_be_lost() -> None:
    clean = voice()
    assert np.array_equal(perturb(clean, 24_000, {"packet_loss": 0.0}), clean)
    for fill in ("zero", "repeat"):
        assert not perturb(clean, 24_000, {"packet_loss": {"share": 1.0, "fill": fill}}).any()


# Gain


@pytest.mark.parametrize("db", [-12, -3, 6, 20])
def test_gain_changes_the_level_by_as_much(db: float) -> None:
    clean = voice(db=-30)
    assert level_db(perturb(clean, 24_000, {"gain": db})) - level_db(clean) == pytest.approx(db, abs=0.01)


def test_too_much_gain_clips_unless_it_is_told_not_to() -> None:
    clean = voice(db=-6)
    clipped = perturb(clean, 24_000, {"gain": 20})
    assert (np.abs(clipped) == 1).mean() > 0.3
    safe = perturb(clean, 24_000, {"gain": {"db": 20, "clip_safe": True}})
    assert np.abs(safe).max() == pytest.approx(1)
    assert level_db(safe) - level_db(clean) == pytest.approx(6.02, abs=0.1)


# What is asked for


def test_perturbations_are_applied_in_the_order_in_which_they_are_written() -> None:
    clean = voice(db=-6)
    first = perturb(clean, 24_000, {"gain": 20, "packet_loss": 0.5})
    other = perturb(clean, 24_000, {"packet_loss": 0.5, "gain": -20})
    assert np.abs(first).max() == 1
    assert np.abs(other).max() < 0.06
    assert [one.kind for one in perturbations({"gain": 1, "g711": "alaw", "noise": 3})] == (
        ["gain", "g711", "noise"]
    )


def test_the_same_seed_gives_the_same_sound_and_another_one_another() -> None:
    spec = {"noise": 10, "packet_loss": 0.2}
    assert np.array_equal(perturb(voice(), 24_000, spec, 7), perturb(voice(), 24_000, spec, 7))
    assert not np.array_equal(perturb(voice(), 24_000, spec, 7), perturb(voice(), 24_000, spec, 8))
    assert perturbations({"noise": {"snr_db": 1, "seed": 5}}, seed=7) == [Noise(1, seed=5)]


def test_a_description_makes_the_same_perturbation_again() -> None:
    spec: dict[str, Any] = {
        "noise": {"snr_db": 3, "colour": "white"},
        "g711": "alaw",
        "packet_loss": 0.1,
        "gain": {"db": 1},
    }
    made = perturbations(spec, seed=4)
    assert perturbations({one.kind: one.describe() for one in made}) == made


@pytest.mark.parametrize(
    ("spec", "param"),
    [
        ({"hiss": 3}, "perturb.hiss"),
        ({"noise": {"snr": 3}}, "perturb.noise"),
        ({"noise": {}}, "perturb.noise"),
        ({"noise": "loud"}, "perturb.noise.snr_db"),
        ({"noise": float("nan")}, "perturb.noise.snr_db"),
        ({"noise": {"snr_db": 3, "colour": "pink"}}, "perturb.noise.colour"),
        ({"packet_loss": 1.5}, "perturb.packet_loss.share"),
        ({"packet_loss": {"share": 0.5, "fill": "guess"}}, "perturb.packet_loss.fill"),
        ({"g711": "opus"}, "perturb.g711.law"),
        ({"gain": True}, "perturb.gain.db"),
    ],
)
def test_what_is_no_perturbation_is_refused_by_its_name(spec: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        perturbations(spec)
    assert refused.value.param == param


@pytest.mark.parametrize("samples", [0, 1, 7, 159])
@pytest.mark.parametrize("spec", [{"noise": 3}, {"g711": "ulaw"}, {"packet_loss": 0.5}, {"gain": 3}])
def test_sound_of_any_length_keeps_it(samples: int, spec: dict[str, Any]) -> None:
    found = perturb(np.full(samples, 0.1, np.float32), 24_000, spec)
    assert (len(found), found.dtype) == (samples, np.float32)


def test_what_is_no_number_does_not_spread() -> None:
    broken = voice()
    broken[12_345] = np.nan
    broken[23_456] = np.inf
    for spec in ({"noise": 3}, {"g711": "ulaw"}, {"gain": 3}):
        assert np.isfinite(perturb(broken, 24_000, spec)).all()


def test_speech_with_noise_measures_as_noisy_as_it_was_made(shared: Path) -> None:
    samples, rate = soundfile.read(shared / "fixtures/speech/weather_question.wav", dtype="float32")
    noisy = perturb(samples, rate, {"noise": {"snr_db": 10}})
    measured = 10 * np.log10(voice_mean_square(samples, rate)) - level_db(noisy - samples)
    assert measured == pytest.approx(10, abs=0.5)
