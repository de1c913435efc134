"""What is sent on one side of a call comes out on the other: the same bytes and no other, whatever they are
and in whatever pieces they come."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.gateway.conftest import RunningGateway, StartGateway
from tests.gateway.wire import RawProvider, Sending, cross, seeded_bytes, write_close, write_frame
from voxgate.realtime.frames import BINARY, CONTINUATION, PING, PONG, TEXT
from voxgate.recording.wirelog import CLIENT, SERVER

pytestmark = pytest.mark.anyio

over_one_gateway = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

EVENTS = [
    b"",
    b'{"type":"response.create","event_id":"agents_py_1","response":{"metadata":{"client_event_id":"x"}}}',
    b'{"type":"something.nobody.knows","event_id":"event_1","extra":{"deep":[1,2,{"x":null}]}}',
    b'{"type": "spaces  ", "dup": 1, "dup": 2, "number": 1.0e+2, "text": "\\u00fc \xc3\xbc"}',
    b"{not json",
    b'{"half":',
    b"\xff\xfe not utf-8 \xc3",
    b"null",
]
LENGTHS_AT_THE_EDGES = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537]


@dataclass(frozen=True)
class Place:
    gateway: RunningGateway
    provider: RawProvider


@pytest.fixture
async def place(start_gateway: StartGateway) -> AsyncIterator[Place]:
    """One gateway for all examples of a test."""
    async with RawProvider() as provider, start_gateway(provider.base_url) as gateway:
        yield Place(gateway, provider)


payloads: SearchStrategy[bytes] = st.one_of(
    st.sampled_from(EVENTS),
    st.binary(max_size=300),
    st.text(max_size=60).map(str.encode),
    st.builds(
        seeded_bytes,
        st.integers(0, 999),
        st.one_of(st.sampled_from(LENGTHS_AT_THE_EDGES), st.integers(0, 300_000)),
    ),
)
masks = st.one_of(st.binary(min_size=4, max_size=4), st.just(b"\0\0\0\0"))


@st.composite
def control_frames(draw: DrawFn, masked: bool) -> bytes:
    """A ping or a pong, and rarely an opcode that means nothing."""
    opcode = draw(st.sampled_from([PING, PONG, PING, PONG, 0xB, 0xF]))
    return write_frame(opcode, draw(st.binary(max_size=125)), mask=draw(masks) if masked else b"")


@st.composite
def messages(draw: DrawFn, masked: bool) -> bytes:
    """One message in one to five frames, with control frames in between."""
    payload = draw(payloads)
    cuts = draw(st.lists(st.integers(0, len(payload)), max_size=4).map(sorted))
    edges = [0, *cuts, len(payload)]
    opcode, stream = draw(st.sampled_from([TEXT, BINARY])), b""
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        if number:
            stream += b"".join(draw(st.lists(control_frames(masked), max_size=2)))
        stream += write_frame(
            CONTINUATION if number else opcode,
            payload[start:end],
            mask=draw(masks) if masked else b"",
            final=number == len(cuts),
            length_bytes=draw(st.sampled_from([0, 0, 0, 2, 8])),
        )
    return stream


@st.composite
def strange_frames(draw: DrawFn, masked: bool) -> bytes:
    """Frames that RFC 6455 forbids: reserved bits, opcodes without a meaning, continuations of nothing, masks
    on the wrong side. Whether they are right is the peers' business."""
    return write_frame(
        draw(st.sampled_from([0, 1, 2, 3, 7, 9, 0xB, 0xF])),
        draw(st.binary(max_size=125)),
        mask=draw(masks) if masked != draw(st.sampled_from([False, False, True])) else b"",
        reserved=draw(st.integers(0, 7)),
        final=draw(st.booleans()),
    )


@st.composite
def sendings(draw: DrawFn, masked: bool) -> Sending:
    """A side's messages up to its close frame, and how they are cut into writes."""
    parts = st.one_of(messages(masked), messages(masked), control_frames(masked), strange_frames(masked))
    end = write_close(draw(st.sampled_from([None, 1000, 4321])), mask=b"mask" if masked else b"")
    stream = b"".join(draw(st.lists(parts, max_size=6))) + end
    smallest = 1 if len(stream) < 3000 else 1 + len(stream) // 300  # or it takes too long
    sizes = st.one_of(st.just(smallest), st.integers(smallest, smallest + 20), st.integers(smallest, 200_000))
    return Sending(
        stream,
        piece_sizes=draw(st.lists(sizes, min_size=1, max_size=5)),
        rounds=draw(st.lists(st.sampled_from([0, 1, 2, 5]), min_size=1, max_size=5)),
        early_bytes=draw(st.one_of(st.just(0), st.integers(0, len(stream)))),
    )


@over_one_gateway
@given(from_client=sendings(masked=True), from_provider=sendings(masked=False))
async def test_all_bytes_come_out_unchanged_on_the_other_side_and_in_the_log(
    place: Place, from_client: Sending, from_provider: Sending
) -> None:
    crossed = await cross(place.gateway, place.provider, from_client, from_provider)
    assert crossed.at_provider == from_client.stream
    assert crossed.at_client == from_provider.stream
    records = await place.gateway.records(crossed.session_id)
    assert b"".join(r.data for r in records if r.kind == CLIENT) == from_client.stream
    assert b"".join(r.data for r in records if r.kind == SERVER) == from_provider.stream
    assert [r.t_ns for r in records] == sorted(r.t_ns for r in records)
