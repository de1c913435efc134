"""G.711 against the values of the standard and against itself."""

from __future__ import annotations

import numpy as np
import pytest

from voxgate.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw

ALL_CODES = bytes(range(256))


def pcm(*values: int) -> np.ndarray:
    return np.array(values, np.int16)


def test_mu_law_decodes_to_the_values_of_the_standard() -> None:
    # G.711 table 2a/2b (scaled from 14 to 16 bits): first and last step of the ends and of segment borders
    codes = bytes([0xFF, 0xFE, 0xF0, 0xEF, 0x80, 0x8F, 0x7F, 0x7E, 0x70, 0x00])
    assert decode_ulaw(codes).tolist() == [0, 8, 120, 132, 32124, 16764, 0, -8, -120, -32124]


def test_a_law_decodes_to_the_values_of_the_standard() -> None:
    # G.711 table 1a/1b (scaled from 13 to 16 bits), even bits inverted
    codes = bytes([0xD5, 0xD4, 0x55, 0x54, 0xAA, 0x2A, 0xC5, 0x80])
    assert decode_alaw(codes).tolist() == [8, 24, -8, -24, 32256, -32256, 264, 5504]


def test_mu_law_encodes_the_ends_silence_and_overload() -> None:
    assert encode_ulaw(pcm(0, 32767, -32768, 32124, -32124, 8, -8)).hex() == "ff80008000fe7e"


def test_a_law_encodes_the_ends_silence_and_overload() -> None:
    assert encode_alaw(pcm(0, -1, 32767, -32768, 32256, -32256)).hex() == "d555aa2aaa2a"


def test_every_a_law_code_survives_decode_and_encode() -> None:
    assert encode_alaw(decode_alaw(ALL_CODES)) == ALL_CODES


def test_every_mu_law_code_but_negative_zero_survives_decode_and_encode() -> None:
    assert encode_ulaw(decode_ulaw(ALL_CODES)) == ALL_CODES.replace(b"\x7f", b"\xff")


@pytest.mark.parametrize(("encode", "decode"), [(encode_ulaw, decode_ulaw), (encode_alaw, decode_alaw)])
def test_every_sample_goes_to_a_code_at_most_half_a_step_away(encode, decode) -> None:
    samples = np.arange(-32768, 32768, dtype=np.int16)
    levels = np.unique(decode(ALL_CODES).astype(np.int32))
    decoded = decode(encode(samples)).astype(np.int32)
    gaps = np.pad(np.diff(levels), 1, mode="edge")
    half_step = np.maximum(gaps[:-1], gaps[1:])[np.searchsorted(levels, decoded)] / 2
    error = abs(decoded - samples)
    inside = abs(samples.astype(np.int32)) < levels[-1]
    assert (error <= half_step)[inside].all()
    assert (np.diff(decoded) >= 0).all()


def test_a_strided_view_and_no_samples_are_encoded() -> None:
    stereo = pcm(0, 5, 32767, 5)
    assert encode_ulaw(stereo[::2]).hex() == "ff80"
    assert encode_ulaw(pcm()) == b""
    assert decode_ulaw(b"").dtype == np.int16
