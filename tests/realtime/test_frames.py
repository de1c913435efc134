"""Frames, followed and decoded in whatever pieces they come."""

from __future__ import annotations

import itertools
import os
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from voxgate.realtime.frames import (
    BINARY,
    BROKEN,
    CLOSE,
    PING,
    TEXT,
    Close,
    FrameDecoder,
    FrameFollower,
    Message,
    apply_mask,
    encode_close,
    encode_frame,
)

MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([TEXT, BINARY, PING]),
        st.integers(0, 70_000).filter(lambda n: n < 400 or n % 7 == 0),
        st.booleans(),
    ),
    max_size=6,
)


def stream_of(messages: list[tuple[int, int, bool]]) -> tuple[bytes, list[Message]]:
    expected = [
        Message(opcode, os.urandom(size if opcode != PING else size % 126)) for opcode, size, _ in messages
    ]
    frames = [
        encode_frame(message.opcode, message.payload, masked=masked)
        for message, (_, _, masked) in zip(expected, messages, strict=True)
    ]
    return b"".join(frames), expected


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(MESSAGES, st.lists(st.integers(0, 10**6), max_size=20))
def test_messages_are_decoded_the_same_however_the_bytes_are_cut(
    messages: list[tuple[int, int, bool]], places: list[int]
) -> None:
    data, expected = stream_of(messages)
    decoder = FrameDecoder()
    assert [message for piece in cut(data, places) for message in decoder.feed(piece)] == expected


@given(MESSAGES, st.lists(st.integers(0, 10**6), max_size=20))
def test_the_follower_counts_messages_and_ends_at_a_boundary(
    messages: list[tuple[int, int, bool]], places: list[int]
) -> None:
    data, expected = stream_of(messages)
    follower = FrameFollower(1 << 20)
    for piece in cut(data, places):
        assert follower.feed(piece) == len(piece)
    assert follower.at_boundary
    assert follower.messages == sum(message.opcode != PING for message in expected)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_frames_never_raise(data: bytes) -> None:
    FrameFollower(1000).feed(data)
    FrameDecoder().feed(data)


@given(st.lists(st.integers(0, 10**6), max_size=8), st.booleans())
def test_a_close_frame_is_read_in_any_pieces(places: list[int], masked: bool) -> None:
    follower = FrameFollower(1000)
    data = encode_frame(TEXT, b"hello", masked=masked) + encode_close(3000, "no key", masked=masked)
    for piece in cut(data, places):
        follower.feed(piece)
    assert follower.close == Close(3000, "no key")


def test_a_close_frame_without_a_payload_is_1005() -> None:
    follower = FrameFollower(1000)
    follower.feed(encode_frame(CLOSE, b"", masked=True))
    assert follower.close == Close(1005, "")


def test_only_the_bytes_before_an_oversized_message_go_on() -> None:
    first = encode_frame(TEXT, b"x" * 100)
    follower = FrameFollower(100)
    assert follower.feed(first + encode_frame(TEXT, b"y" * 101)) == len(first)
    assert follower.oversized


def test_fragments_count_together_against_the_largest_message() -> None:
    part = bytes((TEXT, 60)) + b"x" * 60  # FIN is not set
    follower = FrameFollower(100)
    assert follower.feed(part) == len(part)
    assert not follower.at_boundary
    follower.feed(bytes((0x80, 60)) + b"x" * 60)
    assert follower.oversized


def test_fragments_are_joined_around_a_ping() -> None:
    ping = encode_frame(PING, b"?")
    data = bytes((TEXT, 2)) + b"he" + ping + bytes((0x80, 3)) + b"llo"
    assert FrameDecoder().feed(data) == [Message(PING, b"?"), Message(TEXT, b"hello")]


def test_a_message_in_many_fragments_takes_little_more_than_it_is_long() -> None:
    """A client may send as many fragments as it likes, empty ones too."""
    decoder = FrameDecoder()
    begin, more = bytes((TEXT, 2)) + b"{ ", bytes((0, 2)) + b"  " + bytes((0, 0))
    chunk = more * 1000
    decoder.feed(begin)
    tracemalloc.start()
    try:
        for _ in range(100):
            assert decoder.feed(chunk) == []
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 1_000_000
    (message,) = decoder.feed(bytes((0x80, 1)) + b"}")
    assert message.payload == b"{ " + b"  " * 100_000 + b"}"


def test_a_continuation_without_a_beginning_is_broken_and_ends_the_decoding() -> None:
    decoder = FrameDecoder()
    assert [message.opcode for message in decoder.feed(bytes((0x80, 1)) + b"x")] == [BROKEN]
    assert decoder.feed(encode_frame(TEXT, b"later")) == []


@given(st.binary(max_size=200), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_payload_again(payload: bytes, mask: bytes) -> None:
    masked = apply_mask(payload, mask)
    assert masked == bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    assert apply_mask(masked, mask) == payload


def test_a_control_frame_that_is_too_long_goes_no_further() -> None:
    follower = FrameFollower(1 << 40)
    assert follower.feed(b"\x88\xfe\x01\x00\0\0\0\0" + b"x" * 256) == 0
    assert follower.oversized


def test_no_message_of_ours_goes_into_a_header_that_was_passed_on_in_part() -> None:
    follower = FrameFollower(100)
    frame = encode_frame(TEXT, b"x" * 200)
    assert follower.feed(frame[:2]) == 2
    follower.feed(frame[2:])
    assert follower.oversized
    assert not follower.at_boundary
