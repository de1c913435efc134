"""How a call ends: close codes and reasons go across, a message that is too large is refused, and of a side
that hangs up without a word the other is told."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.streams import control_frames, messages, over_one_gateway, seeded_bytes
from tests.gateway.wire import (
    MASK,
    SIDES,
    Place,
    Side,
    Wire,
    assert_same,
    by,
    closes_in,
    decode,
    frame_edges,
    mask_of,
    open_place,
    other,
    shown,
    write_close,
    write_frame,
)
from voxgate.gateway import farewell
from voxgate.realtime.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, Close, decode_close

pytestmark = pytest.mark.anyio

CODES = [None, *range(1000, 1015), 3000, 3999, 4000, 4001, 4999]
LIMIT = 5_000


@pytest.fixture(scope="module")
async def place(anyio_backend: object, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with open_place(tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture(scope="module")
async def small_place(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """A gateway whose largest message is small."""
    async with open_place(tmp_path_factory.mktemp("small"), largest_message_bytes=LIMIT) as place:
        yield place


async def close_handshake(place: Place, side: Side, first: bytes, answer: bytes) -> str:
    """`side` closes with `first`, the other answers, and each gets the other's bytes. The session's id."""
    async with place.join() as (client, upstream):
        closer, answerer, _ = by(side, client, upstream)
        await closer.send(first)
        assert await answerer.receive_exactly(len(first)) == first
        await answerer.send(answer)
        assert await closer.receive_until_end() == answer
        assert await answerer.receive_until_end() == first
        return client.session_id


@pytest.mark.parametrize("side", SIDES)
async def test_every_close_code_goes_across_and_so_does_the_answer(place: Place, side: Side) -> None:
    sessions = []
    for code, answer in zip(CODES, reversed(CODES), strict=True):
        first = write_close(code, b"because" if code else b"", mask=mask_of(side))
        sessions.append(
            await close_handshake(place, side, first, write_close(answer, mask=mask_of(other(side))))
        )
    for code, session_id in zip(CODES, sessions, strict=True):
        expected = (code, "because", side) if code else (1005, "", side)
        assert await place.end_of(session_id) == expected


reasons = st.text(max_size=123).map(lambda text: text.encode()[:123].decode(errors="ignore"))


@settings(over_one_gateway, max_examples=12)
@given(
    side=st.sampled_from(SIDES),
    code=st.one_of(st.integers(1000, 1014), st.integers(3000, 4999)),
    reason=st.one_of(reasons, st.just("r" * 123)),
    answer=st.one_of(st.none(), st.integers(3000, 4999)),
    mask=st.binary(min_size=4, max_size=4),
)
async def test_close_codes_and_reasons_go_across_and_into_the_log(
    place: Place, side: Side, code: int, reason: str, answer: int | None, mask: bytes
) -> None:
    masks = (mask, b"") if side == "client" else (b"", mask)
    first = write_close(code, reason.encode(), mask=masks[0])
    session_id = await close_handshake(place, side, first, write_close(answer, mask=masks[1]))
    assert await place.end_of(session_id) == (code, reason, side)


@pytest.mark.parametrize("side", SIDES)
async def test_what_a_side_still_says_after_the_other_has_closed_arrives(place: Place, side: Side) -> None:
    async with place.join() as (client, upstream):
        closer, answerer, mask = by(side, client, upstream)
        first = write_close(1000, b"I am done", mask=mask)
        await closer.send(first)
        await answerer.receive_exactly(len(first))
        mask = mask_of(other(side))
        rest = b"".join(write_frame(TEXT, b"%d" % n * 9_000, mask=mask) for n in range(30))
        rest += write_close(1000, mask=mask)
        await answerer.send(rest)
        assert_same(await closer.receive_until_end(), rest, "at the side that closed")


@pytest.mark.parametrize("side", SIDES)
async def test_a_close_that_is_answered_by_hanging_up_ends_the_call(place: Place, side: Side) -> None:
    async with place.join() as (client, upstream):
        closer, answerer, mask = by(side, client, upstream)
        first = write_close(4000, b"bye", mask=mask)
        await closer.send(first)
        assert await answerer.receive_exactly(len(first)) == first
        answerer.hang_up()
        assert await closer.receive_until_end() == b""
        assert await place.end_of(client.session_id) == (4000, "bye", side)


@pytest.mark.parametrize("side", SIDES)
async def test_a_close_that_is_not_answered_ends_the_call_after_a_while(
    place: Place, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "CLOSE_SECONDS", 0.1)
    async with place.join() as (client, upstream):
        closer, answerer, mask = by(side, client, upstream)
        first = write_close(4000, b"bye", mask=mask)
        await closer.send(first)
        assert await answerer.receive_until_end() == first
        assert await closer.receive_until_end() == b""
        assert await place.end_of(client.session_id) == (4000, "bye", side)


@dataclass(frozen=True, repr=False)
class Cut:
    """What a side sends before it vanishes, and whether that is whole messages, or at least whole frames."""

    stream: bytes
    whole: bool
    whole_frames: bool

    def __repr__(self) -> str:
        return f"Cut({shown(self.stream)}, whole={self.whole}, whole_frames={self.whole_frames})"


@st.composite
def cut_streams(draw: st.DrawFn, side: Side) -> Cut:
    masked = side == "client"
    said = draw(st.lists(st.one_of(messages(masked), control_frames(masked)), max_size=4))
    stream, edges = b"".join(said), [0, *itertools.accumulate(map(len, said))]
    frames = frame_edges(stream)
    end = draw(st.one_of(st.sampled_from(edges), st.sampled_from(frames), st.integers(0, len(stream))))
    return Cut(stream[:end], end in edges, end in frames)


@pytest.mark.parametrize("how", ["hang_up", "reset"])
@settings(over_one_gateway, max_examples=10)
@given(cut=cut_streams("client"))
async def test_a_provider_whose_client_vanishes_is_told_so_where_no_message_is_passing(
    place: Place, how: str, cut: Cut
) -> None:
    stream, whole = cut.stream, cut.whole
    async with place.join() as (client, upstream):
        await client.send(stream)
        await upstream.receive_exactly(len(stream))
        getattr(client, how)()
        got = await upstream.receive_until_end()
        assert_same(got[: len(stream)], stream, "at the provider")
        assert closes_in(got[len(stream) :]) == ([Close(1001, "client disconnected")] if whole else [])
        assert whole or got == stream
        code, _, side = await place.end_of(client.session_id)
        assert (code, side) == (1006, "client")


@pytest.mark.parametrize("how", ["hang_up", "reset"])
@settings(over_one_gateway, max_examples=10)
@given(cut=cut_streams("provider"))
async def test_a_client_whose_provider_vanishes_is_told_so_where_no_message_is_passing(
    place: Place, how: str, cut: Cut
) -> None:
    stream, whole = cut.stream, cut.whole
    async with place.join() as (client, upstream):
        await upstream.send(stream)
        await client.receive_exactly(len(stream))
        getattr(upstream, how)()
        if not whole:
            got = await client.receive_until_end()
            assert_same(got[: len(stream)], stream, "at the client")
            lost = write_close(1011, b"server_error.upstream_lost")  # it may stand between two fragments
            assert got[len(stream) :] in ([b"", lost] if cut.whole_frames else [b""])
            return
        await client.receive_until_close(len(stream))
        assert_same(bytes(client.received[: len(stream)]), stream, "at the client")
        assert_error(client, len(stream), "upstream_lost", 1011, "server_error.upstream_lost")
        code, _, side = await place.end_of(client.session_id)
        assert (code, side) == (1006, "provider")


def assert_error(client: Wire, behind: int, code: str, close_code: int, reason: str) -> None:
    """Behind so many bytes the client got one error event, one close frame and nothing else."""
    event, close = decode(client.received[behind:])
    assert event.opcode == TEXT
    assert json.loads(event.payload)["type"] == "error"
    assert json.loads(event.payload)["error"]["code"] == code
    assert (close.opcode, decode_close(close.payload)) == (CLOSE, Close(close_code, reason))


@st.composite
def frames_around_the_limit(draw: st.DrawFn, side: Side) -> tuple[list[bytes], list[int]]:
    """One message in one to four frames with pings in between, and how long it is after each frame."""
    size = draw(st.one_of(st.integers(LIMIT - 2, LIMIT + 2), st.integers(0, 3 * LIMIT)))
    cuts = draw(st.lists(st.integers(0, size), max_size=3).map(sorted))
    payload, frames, lengths = seeded_bytes(size, size), [], []
    for number, (start, end) in enumerate(itertools.pairwise([0, *cuts, size])):
        opcode, final = CONTINUATION if number else BINARY, number == len(cuts)
        frames.append(write_frame(opcode, payload[start:end], mask=mask_of(side), final=final))
        lengths.append(end)
        if not final and draw(st.booleans()):
            frames.append(write_frame(PING, b"still here", mask=mask_of(side)))
            lengths.append(end)
    return frames, lengths


def passing(frames: list[bytes], lengths: list[int]) -> bytes:
    """The frames before the one that makes the message too large."""
    return b"".join(frame for frame, length in zip(frames, lengths, strict=True) if length <= LIMIT)


TOO_LARGE = ("message_too_large", 1009, "invalid_request_error.message_too_large")


@settings(over_one_gateway, max_examples=15)
@given(message=frames_around_the_limit("client"), before=st.integers(0, 2))
async def test_a_message_of_the_client_passes_up_to_the_limit_and_not_beyond(
    small_place: Place, message: tuple[list[bytes], list[int]], before: int
) -> None:
    frames, lengths = message
    first = write_frame(TEXT, b"x" * LIMIT, mask=MASK) * before
    passed = first + passing(frames, lengths)
    async with small_place.join() as (client, upstream):
        await client.send(first + b"".join(frames))
        if lengths[-1] <= LIMIT:
            assert_same(await upstream.receive_exactly(len(passed)), passed, "at the provider")
            return
        await client.receive_until_close()
        assert_error(client, 0, *TOO_LARGE)
        got = await upstream.receive_until_end()
        assert_same(got[: len(passed)], passed, "at the provider")
        if passed == first:  # else a part of the message has passed already, and our frame would be in it
            assert closes_in(got[len(passed) :]) == [Close(1009, TOO_LARGE[2])]
        assert await small_place.end_of(client.session_id) == (1009, TOO_LARGE[2], "gateway")


@settings(over_one_gateway, max_examples=15)
@given(message=frames_around_the_limit("provider"), before=st.integers(0, 2))
async def test_a_message_of_the_provider_passes_up_to_the_limit_and_not_beyond(
    small_place: Place, message: tuple[list[bytes], list[int]], before: int
) -> None:
    frames, lengths = message
    first = write_frame(TEXT, b"x" * LIMIT) * before
    passed = first + passing(frames, lengths)
    async with small_place.join() as (client, upstream):
        await upstream.send(first + b"".join(frames))
        if lengths[-1] <= LIMIT:
            assert_same(await client.receive_exactly(len(passed)), passed, "at the client")
            return
        assert closes_in(await upstream.receive_until_end()) == [Close(1009, TOO_LARGE[2])]
        if passed == first:
            await client.receive_until_close(len(passed))
            assert_error(client, len(passed), *TOO_LARGE)
        assert_same(await client.receive_exactly(len(passed)), passed, "at the client")
        assert await small_place.end_of(client.session_id) == (1009, TOO_LARGE[2], "gateway")


async def test_a_close_frame_says_that_a_fragmented_message_of_the_provider_is_too_large(
    small_place: Place,
) -> None:
    """A control frame may stand between two fragments (RFC 6455 section 5.4)."""
    begun = write_frame(TEXT, b"x" * LIMIT, final=False)
    async with small_place.join() as (client, upstream):
        await upstream.send(begun + write_frame(CONTINUATION, b"y"))
        got = await client.receive_until_end()
        assert got[: len(begun)] == begun
        assert closes_in(got) == [Close(1009, TOO_LARGE[2])]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("claimed", [LIMIT + 1, 1 << 62, (1 << 64) - 1])
async def test_a_header_alone_is_enough_to_refuse_a_message(
    small_place: Place, side: Side, claimed: int
) -> None:
    async with small_place.join() as (client, upstream):
        sender, _, mask = by(side, client, upstream)
        await sender.send(bytes((0x82, (0x80 if mask else 0) | 127)) + claimed.to_bytes(8, "big") + mask)
        await client.receive_until_close()
        assert_error(client, 0, *TOO_LARGE)


@pytest.mark.parametrize("side", SIDES)
async def test_no_frame_of_ours_gets_into_a_header_that_came_in_two_pieces(
    small_place: Place, side: Side
) -> None:
    frame = write_frame(TEXT, b"z" * (LIMIT + 1), mask=mask_of(side))
    for place in range(1, 8 if side == "client" else 4):
        async with small_place.join() as (client, upstream):
            sender, receiver, _ = by(side, client, upstream)
            await sender.send(frame[:place])
            assert await receiver.receive_exactly(place) == frame[:place]
            await sender.send(frame[place:])
            assert await receiver.receive_until_end() == frame[:place]
            if side == "client":
                await client.receive_until_close()
                assert_error(client, 0, *TOO_LARGE)
            assert (await small_place.end_of(client.session_id))[0] == 1009
