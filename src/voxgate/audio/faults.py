"""What is broken in a lane's sound: flat tops, holes in speech, packets that sound twice. Samples of full
scale 1 in, the places in ms out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from voxgate.audio.hearing import CLIP_LEVEL
from voxgate.audio.levels import mean_square
from voxgate.audio.voice import Voice
from voxgate.audio.waves import Runs, Wave, blocks, overlapping

PACKETS_MS: Final = (10.0, 20.0, 30.0, 40.0, 60.0)
"""As long as packets of speech usually are."""
_FULL_SCALE: Final = 32768.0
_SILENCE: Final = 16 / _FULL_SCALE
"""The smallest step of A-law is 8: its silence is not 0."""
_EDGE_MS: Final = 5.0
_LONGEST_REPEAT_MS: Final = 200.0
"""What goes on for longer is a tone, as on hold or when dialling."""


class Clipped(NamedTuple):
    """Samples that lie side by side at one end of the scale."""

    start_ms: float
    end_ms: float
    samples: int


class Hole(NamedTuple):
    """`gap`: digital silence where speech goes on. `repeat`: the packet before once more."""

    start_ms: float
    end_ms: float
    kind: Literal["gap", "repeat"]


def clipped_runs(
    wave: Wave, rate: int, *, level: float = CLIP_LEVEL / _FULL_SCALE, shortest: int = 3
) -> list[Clipped]:
    """Where at least `shortest` samples in a row are beyond `level`, all on one side: a peak that only
    touches the end of the scale is not cut off."""
    above, below = Runs(shortest), Runs(shortest)
    for block in blocks(wave):
        above.add(block >= level)
        below.add(block <= -level)
    runs = sorted([*above.all(), *below.all()])
    return [Clipped(start * 1000 / rate, end * 1000 / rate, end - start) for start, end in runs]


def gaps(
    wave: Wave, rate: int, voice: Voice, *, shortest_ms: float = 5.0, longest_ms: float = 200.0
) -> list[Hole]:
    """Digital silence (samples that are all the same, next to nothing) in the midst of voice: as loud as
    voice up to the 5 ms before it and from the 5 ms after it on. A pause fades away, a hole is cut."""
    if voice.threshold_db is None:
        return []
    least = 10 ** (voice.threshold_db / 10)
    edge = max(round(_EDGE_MS * rate / 1000), 1)
    found = []
    for start, end in _still(wave, shortest_ms * rate / 1000):
        if (end - start) * 1000 / rate > longest_ms:
            continue
        sides = wave[max(start - edge, 0) : start], wave[end : end + edge]
        if all(mean_square(side) > least for side in sides):
            found.append(Hole(start * 1000 / rate, end * 1000 / rate, "gap"))
    return found


def _still(wave: Wave, least: float) -> list[tuple[int, int]]:
    """Where each sample is the one before, and next to nothing."""
    runs, before = Runs(least), np.full(1, np.nan, np.float32)
    for block in blocks(wave):
        joined = np.concatenate((before, block))
        runs.add((joined[1:] == joined[:-1]) & (np.abs(block) < _SILENCE))
        before = block[-1:]
    return runs.all()


def repeats(wave: Wave, rate: int, voice: Voice, packets_ms: Sequence[float] = PACKETS_MS) -> list[Hole]:
    """Voice that is, sample by sample, what was there one packet earlier, for a packet at least. Nobody says
    the same twice; who hides lost packets does."""
    if voice.threshold_db is None:
        return []
    least = 10 ** (voice.threshold_db / 10)
    found: list[Hole] = []
    for size, start, end in _same(wave, [round(ms * rate / 1000) for ms in packets_ms]):
        place = Hole((start + size) * 1000 / rate, (end + size) * 1000 / rate, "repeat")
        is_known = any(one.start_ms < place.end_ms and place.start_ms < one.end_ms for one in found)
        is_short = place.end_ms - place.start_ms < _LONGEST_REPEAT_MS
        if is_short and not is_known and mean_square(wave[start + size : end + size]) > least:
            found.append(place)
    return sorted(found)


def _same(wave: Wave, sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """For each size where the samples `[first, last)` are the same as those so many samples later, for so
    many at least."""
    runs = {size: Runs(size) for size in sizes if size}
    longest = max(runs, default=0)
    for block, own in overlapping(wave, longest):
        for size, run in runs.items():
            later = block[size : size + own]
            run.add(later == block[: len(later)])
    yield from ((size, *place) for size, run in runs.items() for place in run.all())


def merged(places: Sequence[tuple[float, float]], gap_ms: float) -> list[tuple[float, float]]:
    """Places in their order, those as one that are no further apart than this."""
    found: list[tuple[float, float]] = []
    for start, end in places:
        if found and start - found[-1][1] <= gap_ms:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
