"""Tracks from chunks, resampling, WAV headers, peaks and mixing."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.audio.g711 import decode_alaw, decode_ulaw
from voxgate.audio.mixing import LaneRenderer, Piece, stereo
from voxgate.audio.pcm import StreamResampler, TrackDecoder, to_bytes, to_samples
from voxgate.audio.peaks import peaks
from voxgate.audio.wav import wav_header


def tone(rate: int, seconds: float, hertz: float = 440) -> np.ndarray:
    return (np.sin(np.arange(round(rate * seconds)) * 2 * np.pi * hertz / rate) * 12_000).astype(np.int16)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    return pieces


@given(st.binary(max_size=2000), st.lists(st.integers(1, 300), min_size=1))
def test_pcm_of_the_tracks_own_format_stays_byte_for_byte(data: bytes, sizes: list[int]) -> None:
    decoder = TrackDecoder(24_000)
    out = b"".join(decoder.feed("pcm", 24_000, piece, 0) for piece in cut(data, sizes))
    assert out + decoder.flush() == data[: len(data) // 2 * 2]


@pytest.mark.parametrize(("kind", "decode"), [("pcmu", decode_ulaw), ("pcma", decode_alaw)])
def test_g711_becomes_pcm_at_eight_kilohertz(kind: str, decode) -> None:
    data = bytes(range(256)) * 3
    decoder = TrackDecoder(8000)
    out = b"".join(decoder.feed(kind, 8000, piece, len(piece)) for piece in cut(data, [7, 100]))
    assert out == to_bytes(decode(data))


def test_a_change_of_format_is_resampled_to_the_tracks_rate_and_exactly_as_long() -> None:
    decoder = TrackDecoder(8000)
    quiet = decoder.feed("pcmu", 8000, b"\xff" * 800, 800)
    pieces = cut(to_bytes(tone(24_000, 1.0)), [2400])
    loud = b"".join(decoder.feed("pcm", 24_000, piece, 400) for piece in pieces)
    back = decoder.feed("pcmu", 8000, b"\xff" * 80, 80)
    samples = to_samples(quiet + loud + back + decoder.flush())
    assert len(samples) == 800 + 8000 + 80
    assert not samples[:700].any()
    middle = samples[2000:6000].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * 8000 / len(middle) - 440) < 4
    assert 11_000 < np.abs(middle).max() < 13_000


def test_a_stream_is_resampled_block_by_block() -> None:
    resampler = StreamResampler(8000, 24_000)
    data = to_bytes(tone(8000, 0.5))
    out = b"".join(resampler.feed(piece) for piece in cut(data, [1000])) + resampler.feed(b"", last=True)
    assert abs(len(out) // 2 - 12_000) <= 1


def test_a_wav_header_makes_a_file_that_others_read() -> None:
    data = to_bytes(tone(8000, 0.1))
    with wave.open(io.BytesIO(wav_header(8000, 1, len(data)) + data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.readframes(file.getnframes()) == data


def test_a_wav_header_for_more_than_its_sizes_can_say() -> None:
    assert len(wav_header(24_000, 2, 1 << 33)) == 44


def test_peaks_are_the_largest_amplitudes_of_twenty_milliseconds() -> None:
    samples = np.zeros(480 * 2 + 100, np.int16)
    samples[10], samples[500], samples[-1] = -32768, 16384, 3277
    assert peaks(samples, 24_000).tolist() == [1000, 500, 100]
    assert peaks(samples[:0], 24_000).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=8), st.integers(1, 90))
def test_a_lane_in_blocks_is_the_lane_in_one(places: list[tuple[int, int]], size: int) -> None:
    track = np.arange(1, 1000, dtype=np.int16)

    def read(start: int, frames: int) -> np.ndarray:
        return track[start : start + frames]

    pieces, start = [], 0
    for at, frames in places:
        pieces.append(Piece(at, start, frames))
        start += frames
    expected = np.zeros(400, np.int32)
    for piece in pieces:
        expected[piece.at_frame : piece.end_frame] += read(piece.from_frame, piece.frames)
    lane = LaneRenderer(pieces, read)
    blocks = [lane.block(at, min(size, 400 - at)) for at in range(0, 400, size)]
    assert np.array_equal(np.concatenate(blocks), expected)


def test_a_track_that_is_shorter_than_its_piece_ends_in_silence() -> None:
    lane = LaneRenderer(
        [Piece(2, 0, 6)], lambda start, frames: np.ones(10, np.int16)[start : start + frames][:3]
    )
    assert lane.block(0, 10).tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]


def test_stereo_is_left_and_right_in_turn() -> None:
    assert stereo(np.array([1, 2], np.int16), np.array([3, 4], np.int16)).tolist() == [1, 3, 2, 4]


@given(
    st.sampled_from([(8000, 24_000), (24_000, 8000), (16_000, 24_000), (44_100, 24_000)]),
    st.lists(st.integers(0, 700), min_size=1, max_size=12),
)
def test_what_is_resampled_is_as_long_as_its_chunks_say(rates: tuple[int, int], sizes: list[int]) -> None:
    source, rate = rates
    decoder, out, sent, counted = TrackDecoder(rate), b"", 0, 0
    for size in sizes:
        sent += size
        frames = sent * rate // source - counted
        counted += frames
        out += decoder.feed("pcm", source, b"\1\0" * size, frames)
        assert len(out) <= counted * 2
    assert len(out + decoder.flush()) == counted * 2
