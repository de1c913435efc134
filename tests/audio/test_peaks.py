"""Peaks are the largest amplitudes, whatever the sign."""

from __future__ import annotations

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from voxgate.audio.peaks import peaks, peaks_json


@given(st.lists(st.integers(-32768, 32767), max_size=70), st.sampled_from([50, 500, 1000]))
def test_each_peak_is_the_loudest_sample_of_its_20_ms(samples: list[int], rate: int) -> None:
    size = rate // 50
    pieces = [samples[at : at + size] for at in range(0, len(samples), size)]
    expected = [round(max(map(abs, piece)) / 32768, 3) for piece in pieces]
    found = peaks(np.array(samples, np.int16), rate)
    assert (found / 1000).tolist() == expected
    assert orjson.loads(peaks_json({"user": found.tolist()})) == {"per_second": 50, "user": expected}
