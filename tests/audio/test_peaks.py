"""Peaks are the largest amplitudes, whatever the sign."""

from __future__ import annotations

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from voxgate.audio.peaks import WAVE_BARS, peaks, peaks_json, wave


@given(st.lists(st.integers(-32768, 32767), max_size=70), st.sampled_from([50, 500, 1000]))
def test_each_peak_is_the_loudest_sample_of_its_20_ms(samples: list[int], rate: int) -> None:
    size = rate // 50
    pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
    expected = [round(max(map(abs, piece)) / 32768, 3) for piece in pieces]
    found = peaks(np.array(samples, np.int16), rate)
    assert (found / 1000).tolist() == expected
    assert orjson.loads(peaks_json({"user": found.tolist()})) == {"per_second": 50, "user": expected}


def test_a_wave_shows_where_it_is_loud_and_where_silent() -> None:
    silent, quiet, loud = [0] * 100, [40] * 100, [1000] * 100
    assert wave(silent + loud) == "0" * 30 + "f" * 30
    bars = wave(quiet + loud + silent)
    assert (bars[0] in "234", bars[25], bars[-1]) == (True, "f", "0")
    assert len(wave([1000])) == len(wave([])) == len(wave([1000] * 7)) == WAVE_BARS
