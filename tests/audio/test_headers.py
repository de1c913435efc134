"""How long a sound is, by the start of its file."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.audio.headers import duration_ms
from voxgate.audio.wav import wav_header

WAV = wav_header(8000, 1, 1600)


def test_a_wav_file_is_as_long_as_its_data_at_its_rate() -> None:
    assert duration_ms(WAV, len(WAV) + 1600) == 100


def test_a_wav_file_that_was_piped_out_is_as_long_as_it_is() -> None:
    piped = WAV[:-4] + struct.pack("<I", 0xFFFFFFFF)
    assert duration_ms(piped, len(piped) + 3200) == 200


def test_chunks_before_the_sound_are_passed_over() -> None:
    listed = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    assert duration_ms(WAV[:36] + listed + WAV[36:], 5000) == 100


def test_of_sound_behind_a_long_chunk_it_is_not_known() -> None:
    long = struct.pack("<4sI", b"LIST", 100_000)
    assert duration_ms(WAV[:36] + long, 200_000) is None


@pytest.mark.parametrize("head", [WAV[:20], WAV[:36], b"RIFF\0\0\0\0WAVE", b"fLaC\0\0"])
def test_half_a_header_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match="not whole"):
        duration_ms(head, len(head))


@given(st.sampled_from([b"", WAV[:12], WAV[:36], b"fLaC"]), st.binary(max_size=80), st.integers(0, 1 << 40))
def test_any_bytes_have_a_length_or_none(start: bytes, rest: bytes, size: int) -> None:
    with contextlib.suppress(ValueError):
        found = duration_ms(start + rest, size)
        assert found is None or found >= 0
