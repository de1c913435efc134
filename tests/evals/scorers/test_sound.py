"""Scorers that listen, on sound of which the right answer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.audio.tones import joined, noise, silence, tone
from tests.evals.scorers.sounding import Wave, call
from tests.evals.subjects import score_of, scores_of, subject_of
from voxgate.audio.perturb import perturb
from voxgate.evals.model import Score
from voxgate.evals.scorers.clipping import clipping
from voxgate.evals.scorers.dropouts import dropouts
from voxgate.evals.scorers.echo import echo
from voxgate.evals.scorers.level_difference import level_difference
from voxgate.evals.scorers.loudness import loudness
from voxgate.evals.scorers.noise import noise as background
from voxgate.evals.scorers.snr import snr

RATES = [8_000, 16_000, 24_000]
SCORERS: list[Callable[[], Any]] = [
    *(lambda of=of, make=make: make(of) for of in ("user", "assistant") for make in (loudness, clipping)),  # type: ignore[misc]
    *(lambda of=of, make=make: make(of) for of in ("user", "assistant") for make in (snr, background)),  # type: ignore[misc]
    *(lambda of=of: dropouts(of) for of in ("user", "assistant")),  # type: ignore[misc]
    level_difference,
    echo,
]


def wave(*pieces: Any) -> Wave:
    return joined(*pieces).astype(np.float32) / np.float32(32768)


def speech(rate: int = 24_000, ms: float = 2000, db: float = -20) -> Wave:
    """Half a second of a quiet room, then something as loud as a voice, and half a second more."""
    room = noise(ms + 1000, rms_db=-70, rate=rate)
    voice = joined(silence(500, rate), noise(ms, rms_db=db, rate=rate, seed=2), silence(500, rate))
    return wave(room) + wave(voice)


def places(score: Score) -> list[tuple[float, float]]:
    return [(round(one.start_ms), round(one.end_ms)) for one in score.evidence]


# Loudness


@pytest.mark.parametrize("rate", RATES)
def test_loudness_is_that_of_the_standards_own_tone(rate: int) -> None:
    # BS.1770-5, annex 1: 997 Hz at 0 dB of full scale in one channel are -3.01 LUFS
    sound = wave(tone(5000, hz=997, db=-20, rate=rate))
    found = score_of(loudness("assistant"), call(assistant=sound, rate=rate))
    assert found.value == pytest.approx(-23.01, abs=0.1)
    assert (found.name, found.unit, found.explanation) == ("loudness_assistant", "LUFS", "-23.0 LUFS")
    assert places(found) == [(0, 5000)]
    paused = np.concatenate((sound, wave(silence(5000, rate))))
    found = score_of(loudness("assistant"), call(assistant=paused, rate=rate))
    assert found.value == pytest.approx(-23.01, abs=0.2)  # the gate leaves silence out, but for the edge
    assert places(found) == [(0, 5300)]


def test_loudness_can_be_the_distance_from_a_target() -> None:
    sound = wave(tone(3000, hz=997, db=-20))
    found = score_of(loudness("user", target_lufs=-16), call(user=sound))
    assert found.value == pytest.approx(7.01, abs=0.1)
    assert (found.name, found.unit, found.direction) == ("loudness_error", "LU", "min")


def test_the_difference_of_both_sides_is_measured() -> None:
    user, assistant = wave(tone(3000, db=-30), silence(3000)), wave(silence(3000), tone(3000, db=-18))
    found = score_of(level_difference(), call(user, assistant))
    assert found.value == pytest.approx(12, abs=0.1)
    assert places(found) == [(0, 3000), (3000, 6000)] or places(found) == [(3000, 6000)]


# Clipping


@pytest.mark.parametrize("rate", RATES)
def test_clipping_is_the_share_of_cut_tops_with_their_place(rate: int) -> None:
    clean = wave(tone(1000, db=-6, hz=200, rate=rate))
    loud = perturb(clean, rate, {"gain": 12})  # two thirds of each period are cut off
    sound = np.concatenate((clean, loud, clean))
    found = score_of(clipping("user"), call(user=sound, rate=rate))
    assert found.value == pytest.approx(2 / 3 / 3, rel=0.06)
    assert np.array(places(found)) == pytest.approx(np.array([(1000, 2000)]), abs=3)
    assert score_of(clipping("user"), call(user=clean, rate=rate)).value == 0


# Noise


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("ratio", [15, 30, 45])
def test_the_ratio_is_the_one_that_the_sound_was_made_with(rate: int, ratio: int) -> None:
    clean = wave(silence(2000, rate), tone(2000, db=-17, rate=rate), silence(2000, rate))
    noisy = perturb(clean, rate, {"noise": {"snr_db": ratio, "colour": "white", "seed": 3}})
    found = score_of(snr("user"), call(user=noisy, rate=rate))
    assert found.value == pytest.approx(ratio, abs=1.2)  # quiet frames lie below the mean of the noise
    assert np.array(places(found)) == pytest.approx(np.array([(2000, 4000)]), abs=10)
    floor = score_of(background("user"), call(user=noisy, rate=rate)).value
    assert floor == pytest.approx(-20 - ratio, abs=1.2)


def test_without_a_background_there_is_no_ratio() -> None:
    found = score_of(snr("user"), call(user=wave(tone(1000), silence(1000))))
    assert found.value is None
    assert "no background" in (found.reason_missing or "")


# Dropouts


@pytest.mark.parametrize("rate", RATES)
def test_dropouts_are_counted_by_minutes_of_voice(rate: int) -> None:
    sound = speech(rate, 6000)
    for at_ms in (1000, 2000, 5000):
        first = at_ms * rate // 1000
        sound[first : first + rate // 25] = 0
    found = score_of(dropouts("assistant"), call(assistant=sound, rate=rate, turns=((0, 3000), (3000, 7000))))
    assert found.value == pytest.approx(30, rel=0.02)
    assert np.array(places(found)) == pytest.approx(
        np.array([(1000, 1040), (2000, 2040), (5000, 5040)]), abs=1
    )
    assert [one.span_id for one in found.evidence] == ["a0", "a0", "a1"]
    assert found.explanation == "3 gaps (120 ms), 0 repeated packets"


def test_repeated_packets_are_dropouts() -> None:
    sound = speech(24_000, 6000)
    sound[48_000:48_480] = sound[47_520:48_000]
    found = score_of(dropouts("assistant"), call(assistant=sound))
    assert found.explanation == "0 gaps (0 ms), 1 repeated packets"
    assert places(found) == [(2000, 2020)]


def test_good_sound_has_no_dropouts() -> None:
    assert score_of(dropouts("assistant"), call(assistant=speech())).value == 0


# Echo


@pytest.mark.parametrize("rate", RATES)
def test_an_echo_is_found_with_its_delay_and_its_level(rate: int) -> None:
    assistant = speech(rate, 4000)
    user = np.roll(assistant, round(0.18 * rate)) * np.float32(0.1)
    worst, share = scores_of(echo(), subject_of(call(user, assistant, rate)))
    assert worst.value == pytest.approx(1, abs=0.02)
    assert worst.explanation == "180 ms later at -20 dB"
    assert (share.name, share.value) == ("echo.share", 1)
    assert np.array(places(worst)) == pytest.approx(np.array([(680, 2680), (2680, 4680)]), abs=15)


def test_half_of_an_echo_is_half_of_the_speech() -> None:
    assistant = np.concatenate((speech(), speech()[::-1]))
    user = np.roll(assistant, 4320) * np.float32(0.1)
    user[72_000:] = 0
    worst, share = scores_of(echo(), subject_of(call(user, assistant)))
    assert worst.value == pytest.approx(1, abs=0.02)
    assert share.value == pytest.approx(0.5, abs=0.02)


def test_a_user_who_speaks_or_is_silent_is_no_echo() -> None:
    assistant = speech()
    for user in (wave(noise(3000, rms_db=-30, seed=9)), wave(silence(3000))):
        worst, share = scores_of(echo(), subject_of(call(user, assistant)))
        assert worst.value is not None
        assert worst.value < 0.1
        assert (worst.explanation, share.value, worst.evidence) == ("nothing came back", 0, ())


# Turns


def test_a_turn_is_measured_by_itself_and_its_evidence_is_on_the_calls_clock() -> None:
    loud, soft = perturb(speech(), 24_000, {"gain": 14}), speech()
    session = call(assistant=np.concatenate((soft, loud)), turns=((0, 3000), (3000, 6000)))
    first, second = session.turns
    assert score_of(clipping("assistant"), first).value == 0
    clipped = score_of(clipping("assistant"), second)
    assert clipped.value
    assert min(one.start_ms for one in clipped.evidence) >= 3500
    assert {one.span_id for one in clipped.evidence} == {"a1"}
    quiet, louder = (score_of(loudness("assistant"), turn).value for turn in (first, second))
    assert quiet is not None
    assert louder is not None
    assert louder - quiet > 12


# Whatever comes


@pytest.mark.parametrize("make", SCORERS)
@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("samples", [0, 1, 239, 5000])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, float("nan")])
def test_sound_of_any_kind_gives_a_number_or_a_reason(
    make: Callable[[], Any], rate: int, samples: int, value: float
) -> None:
    sound = np.full(samples, value, np.float32)
    for score in scores_of(make(), subject_of(call(sound, sound, rate))):
        if score.value is None:
            assert score.reason_missing
            assert "Error" not in score.reason_missing
        else:
            assert np.isfinite(score.value)


@pytest.mark.parametrize("make", SCORERS)
def test_without_a_side_the_scores_say_that_its_sound_is_missing(make: Callable[[], Any]) -> None:
    session = call(speech(), speech(), silent=("user", "assistant", "heard", "mix"))
    for score in scores_of(make(), subject_of(session)):
        assert score.value is None
        assert "there is no sound of the" in (score.reason_missing or "")


@pytest.mark.parametrize("make", SCORERS)
def test_every_scorer_tells_its_version_and_its_parameters(make: Callable[[], Any]) -> None:
    told = make().describe()
    assert told["version"] == "1"
    assert told["name"] in ("level_difference", "echo") or told["params"]["of"] in ("user", "assistant")
    [first, *_] = scores_of(make(), subject_of(call(speech(), speech())))
    assert (first.scorer_version, first.params, first.direction) == ("1", told["params"], told["direction"])
