"""Sound that is read block by block says the same as the whole of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.audio.test_faults import speech

from voxgate.audio import waves
from voxgate.audio.faults import clipped_runs, gaps, repeats
from voxgate.audio.loudness import weighted_energies
from voxgate.audio.voice import Voice
from voxgate.audio.waves import Runs, blocks


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_found_wherever_the_blocks_end(seed: int) -> None:
    random = np.random.default_rng(seed)
    has = np.repeat(random.random(60) < 0.5, random.integers(1, 9, 60))
    cuts = [0, *sorted(random.integers(0, len(has), random.integers(0, 30)).tolist()), len(has)]
    runs = Runs(3)
    for first, last in pairwise(cuts):
        runs.add(has[first:last])
    edges = np.flatnonzero(np.diff(np.concatenate(([0], has.astype(int), [0])))).tolist()
    expected = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 3]
    assert runs.all() == expected


def test_blocks_are_all_of_it_in_whole_units() -> None:
    wave = np.arange(3 * waves.BLOCK_SAMPLES + 7, dtype=np.float32)
    pieces = list(blocks(wave, 2400))
    assert all(len(one) % 2400 == 0 and len(one) <= waves.BLOCK_SAMPLES for one in pieces[:-1])
    assert np.array_equal(np.concatenate(pieces), wave)
    assert list(blocks(wave[:0])) == []


@pytest.mark.parametrize("size", [97, 1_000, 24_000])
def test_what_is_measured_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    rate = 24_000
    wave = speech(rate, 2_000)
    wave[20_000:20_600] = 0.0  # a hole
    wave[30_480:30_960] = wave[30_000:30_480]  # a packet twice
    wave[40_000:40_050] = 1.0
    wave[40_050:40_060] = -1.0

    def measured() -> list[object]:
        voice = Voice.of(wave, rate)
        faults = [clipped_runs(wave, rate), gaps(wave, rate, voice), repeats(wave, rate, voice)]
        assert all(faults)
        return [*faults, voice.intervals, weighted_energies(wave, rate).round(6).tolist()]

    whole = measured()
    monkeypatch.setattr(waves, "BLOCK_SAMPLES", size)
    assert measured() == whole
