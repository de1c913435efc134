"""The load notices what a relay does to its messages: otherwise no figure of the benchmark means anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson
import pytest
from bench.messages import DOWN, UP, Counts, Sink, Source, Text

from voxgate.realtime.frames import PING, TEXT, FrameDecoder, encode_frame


class Way:
    """One direction of a call: what is sent, and what came of it."""

    def __init__(self, *, masked: bool = False, burst: int = 1) -> None:
        self.counts = Counts()
        text = Text(UP if masked else DOWN, 1000, seed=1)
        self._source = Source(text, masked=masked, burst=burst, counts=self.counts)
        self.sink = Sink(text, masked=masked, counts=self.counts)

    def sent(self) -> bytes:
        return bytes(self._source.frames())

    def arrives(self, data: bytes) -> int:
        return self.sink.feed(data, len(data))

    @property
    def found(self) -> tuple[int, int, int]:
        """Arrived, wrong, with a latency."""
        return self.counts.received, self.counts.wrong, len(self.counts.latencies_ns)


def messages(frames: bytes) -> list[bytes]:
    return [message.payload for message in FrameDecoder().feed(frames)]


def written_again(frame: bytes) -> bytes:
    [payload] = messages(frame)
    return encode_frame(TEXT, orjson.dumps(orjson.loads(payload), option=orjson.OPT_INDENT_2))


@pytest.mark.parametrize("masked", [True, False])
def test_messages_that_arrive_as_they_were_sent_are_right(masked: bool) -> None:
    way = Way(masked=masked, burst=5)
    for _ in range(3):
        assert way.arrives(way.sent()) == 5
    assert way.found == (15, 0, 15)


@pytest.mark.parametrize("size", [1, 7, 999, 1500])
def test_messages_may_arrive_in_any_pieces(size: int) -> None:
    way = Way(masked=True)
    stream = b"".join(way.sent() for _ in range(6))
    for at in range(0, len(stream), size):
        way.arrives(stream[at : at + size])
    assert way.found == (6, 0, 6)


def test_what_is_sent_is_a_frame_of_json() -> None:
    [payload] = messages(Way(masked=True).sent())
    assert orjson.loads(payload)["type"] == "input_audio_buffer.append"
    assert abs(len(payload) - 1000) < 50


@pytest.mark.parametrize(
    "again", [written_again, lambda frame: encode_frame(TEXT, *messages(frame), masked=True)]
)
def test_a_relay_may_write_or_mask_a_message_anew(again: Callable[[bytes], bytes]) -> None:
    way = Way()
    for _ in range(3):
        way.arrives(again(way.sent()))
    assert way.found == (3, 0, 3)


def test_every_altered_byte_of_a_message_is_found() -> None:
    frame = Way().sent()
    head = len(frame) - len(messages(frame)[0])
    for at in range(head, len(frame)):
        way = Way()
        altered = bytearray(way.sent())
        altered[at] ^= 1
        way.arrives(bytes(altered))
        way.arrives(way.sent())
        assert way.counts.wrong, at


def test_a_message_written_anew_with_other_sound_is_wrong() -> None:
    way = Way()
    fields = orjson.loads(messages(way.sent())[0])
    way.arrives(encode_frame(TEXT, orjson.dumps({**fields, "delta": fields["delta"][:-4]})))
    assert way.found == (1, 1, 0)


def dropped(frames: Iterator[bytes]) -> list[bytes]:
    first, _, third = frames
    return [first, third]


def doubled(frames: Iterator[bytes]) -> list[bytes]:
    first, second, third = frames
    return [first, second, second, third]


def swapped(frames: Iterator[bytes]) -> list[bytes]:
    first, second, third = frames
    return [first, third, second]


@pytest.mark.parametrize(("fault", "wrong"), [(dropped, 1), (doubled, 1), (swapped, 2)])
def test_a_message_that_is_missing_doubled_or_out_of_order_is_found(
    fault: Callable[[Iterator[bytes]], list[bytes]], wrong: int
) -> None:
    way = Way()
    for frame in fault(way.sent() for _ in range(3)):
        way.arrives(frame)
    assert way.counts.wrong == wrong
    way.arrives(way.sent())
    assert way.counts.wrong == wrong  # what comes after it is right again


def test_what_never_arrives_is_missing_in_the_count() -> None:
    way = Way()
    way.arrives(way.sent())
    way.sent()
    assert way.counts.sent - way.counts.received == 1


def test_a_ping_of_the_relay_is_no_message() -> None:
    way = Way()
    assert way.arrives(encode_frame(PING, b"there?") + way.sent()) == 1
    assert way.sink.pings == [b"there?"]
    assert way.found == (1, 0, 1)
