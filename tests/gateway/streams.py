"""Strategies for what the peers of a call may send: messages in any frames, and the pieces they go out in."""

from __future__ import annotations

import itertools
import random

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.gateway.wire import Part, write_close, write_frame
from voxgate.realtime.frames import BINARY, CONTINUATION, PING, PONG, TEXT

over_one_gateway = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a lost byte costs seconds: no shrinking
    report_multiple_bugs=False,
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
_LENGTHS_AT_THE_EDGES = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537]
_LARGEST = 300_000


def seeded_bytes(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


_lengths = st.one_of(st.sampled_from(_LENGTHS_AT_THE_EDGES), st.integers(0, _LARGEST))
payloads: SearchStrategy[bytes] = st.one_of(
    st.sampled_from(EVENTS),
    st.binary(max_size=300),
    st.text(max_size=60).map(str.encode),
    st.builds(seeded_bytes, st.integers(0, 999), _lengths),
)
some_mask = st.one_of(st.binary(min_size=4, max_size=4), st.just(b"\0\0\0\0"))
no_mask = st.just(b"")


def masks(masked: bool) -> SearchStrategy[bytes]:
    return some_mask if masked else no_mask


@st.composite
def control_frames(draw: DrawFn, masked: bool, lawful: bool = False) -> bytes:
    """A ping or a pong, and rarely an opcode that means nothing."""
    opcode = draw(st.sampled_from([PING, PONG] if lawful else [PING, PONG, PING, PONG, 0xB, 0xF]))
    return write_frame(opcode, draw(st.binary(max_size=125)), mask=draw(masks(masked)))


@st.composite
def messages(draw: DrawFn, masked: bool, lawful: bool = False) -> bytes:
    """One message in one to five frames, with control frames in between."""
    payload = draw(payloads)
    cuts = draw(st.lists(st.integers(0, len(payload)), max_size=4).map(sorted))
    opcode, stream = draw(st.sampled_from([TEXT, BINARY])), b""
    for number, (start, end) in enumerate(itertools.pairwise([0, *cuts, len(payload)])):
        if number:
            stream += b"".join(draw(st.lists(control_frames(masked, lawful), max_size=2)))
        stream += write_frame(
            CONTINUATION if number else opcode,
            payload[start:end],
            mask=draw(masks(masked)),
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
        mask=draw(masks(masked != draw(st.sampled_from([False, False, True])))),
        reserved=draw(st.integers(0, 7)),
        final=draw(st.booleans()),
    )


def _turns(values: SearchStrategy[int]) -> SearchStrategy[list[int]]:
    return st.lists(values, min_size=1, max_size=5)


@st.composite
def parts(draw: DrawFn, masked: bool, lawful: bool = False) -> Part:
    """A side that sends messages and then a close frame. `lawful`: nothing that RFC 6455 forbids."""
    said = st.one_of(messages(masked, lawful), messages(masked, lawful), control_frames(masked, lawful))
    if not lawful:
        said |= strange_frames(masked)
    end = write_close(draw(st.sampled_from([None, 1000, 4321])), mask=draw(masks(masked)))
    stream = b"".join(draw(st.lists(said, max_size=6))) + end
    smallest = 1 if len(stream) < 3000 else 1 + len(stream) // 300  # or it takes too long
    sizes = st.one_of(st.just(smallest), st.integers(smallest, smallest + 20), st.integers(smallest, 200_000))
    return Part(
        stream,
        piece_sizes=draw(_turns(sizes)),
        rounds=draw(_turns(st.sampled_from([0, 1, 2, 5]))),
        early_bytes=draw(st.one_of(st.just(0), st.integers(0, len(stream)))),
        read_sizes=draw(_turns(st.integers(1000, 200_000))),
    )
