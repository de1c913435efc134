"""Lanes are rendered as the sum of their pieces, in blocks of any size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voxgate.audio.mixing import LaneRenderer, Piece, stereo

TRACK = (np.arange(60) * 997 % 65536 - 32768).astype(np.int16)
PIECES = st.builds(Piece, st.integers(0, 90), st.integers(0, 59), st.integers(1, 30))


def read(start: int, frames: int) -> np.ndarray:
    return TRACK[start : start + frames]


@given(st.lists(PIECES, max_size=5), st.integers(1, 40))
def test_a_lane_is_the_clipped_sum_of_its_pieces(pieces: list[Piece], block: int) -> None:
    expected = np.zeros(200, np.int64)
    for piece in pieces:
        samples = read(piece.from_frame, piece.frames)
        expected[piece.at_frame : piece.at_frame + len(samples)] += samples
    lane = LaneRenderer(pieces, read)
    rendered = np.concatenate([lane.block(at, block) for at in range(0, 200, block)])
    assert np.array_equal(rendered[:200], np.clip(expected, -32768, 32767))


def test_stereo_has_left_and_right_in_turns() -> None:
    assert stereo(np.array([1, 2], np.int16), np.array([3, 4], np.int16)).tolist() == [1, 3, 2, 4]
