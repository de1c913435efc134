"""A mediated call, compiled and in Python: the same bytes in the same pieces do the same, and never goes on
what the rule forbids."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gateway.sides import LARGEST, Side, pieces
from voxgate.gateway import leg as legs
from voxgate.gateway.glance import Glance
from voxgate.gateway.policies.ruling import UNCHANGED, Foreseen
from voxgate.realtime.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    FrameDecoder,
    apply_mask,
    encode_frame,
)
from voxgate.realtime.peek import SOUND, find_sound
from voxgate.recording.spool import CHUNK, Gap

APPEND, GA, BETA = SOUND
SHUT, OPEN = b'{"type":"shut"}', b'{"type":"open"}'


@pytest.fixture(autouse=True)
def _built() -> None:
    if legs._compiled is None:
        pytest.skip("the compiled part was not built: python hatch_build.py --native")


class Rule:
    """Lets sound pass that it has a name for, while some is left. `shut` and `open` change its mind."""

    def __init__(self, names: dict[bytes, bytes], left: int, counts: bool, foresees: bool) -> None:
        self.names, self.left, self.counts, self.foresees = names, left, counts, foresees
        self.is_shut = False

    def judge(self, text: bytes, kind: bytes, size: int) -> bytes | None:
        name = None if self.is_shut else self.names.get(kind)
        if name is None or not self.count(size):
            return None
        return text if name == kind else text.replace(kind, name, 1)

    def foresee(self) -> Foreseen | None:
        if self.is_shut or not self.foresees:
            return None
        return Foreseen(self.names, self.count if self.counts else None)

    def count(self, size: int) -> bool:
        if not self.counts:
            return True
        if size >= self.left:
            return False
        self.left -= size
        return True


class Mediated:
    """A leg with that rule, and a mediation that lets no sound pass and everything else."""

    def __init__(self, side: Side, rule: Rule, masked: bool) -> None:
        self.side, self.rule, self.masked = side, rule, masked
        self.decoder = FrameDecoder(unmask=apply_mask)
        leg = side.leg
        self.glance = Glance(
            [(rule.judge, rule.foresee)], self.decoder, leg.follower, leg.peer.write, masked=masked
        )
        side.mediate(self._take, self.glance)
        self.read: list[bytes] = []
        self.gone = b""

    def _take(self, data: bytes) -> None:
        for message in self.decoder.feed(data):
            self.glance.forget()
            self.read.append(message.payload)
            if message.payload in (SHUT, OPEN):
                self.rule.is_shut = message.payload == SHUT
            if message.opcode == TEXT and find_sound(message.payload) is None:
                self._say(message.payload)

    def _say(self, text: bytes) -> None:
        frame = encode_frame(TEXT, text)
        self.side.peer.write(frame)
        self.side.leg.record(frame)

    def receive(self, piece: bytes, *, from_memory: bool) -> None:
        if from_memory:
            self.side.take_in(piece)
        elif self.side.transport.is_reading():
            self.side.send(piece)

    def state(self) -> dict[str, Any]:
        state = self.side.state()
        del state["pending"]  # how much the kernel takes at once differs with how it is said
        log = b"".join(data for _, data in state.pop("entries"))
        offset = state.pop("offset")
        assert offset >= len(log)
        held, idle = self.glance.held, self.decoder.idle
        return {**state, "log": log, "held": held, "idle": idle, "left": self.rule.left, "read": self.read}

    def out(self) -> bytes:
        """All that went on, taken or waiting."""
        while data := self.side.taken():
            self.gone += data
        return self.gone + b"".join(self.side.peer._pending)


def without_masks(stream: bytes) -> list[tuple[int, bytes]]:
    return [(message.opcode, message.payload) for message in FrameDecoder().feed(stream)]


def sound(kind: bytes, size: int, before: bytes = b"", padding: bytes = b"") -> bytes:
    return b'{"type":"%b"%b,"%b":"%b%b"}' % (kind, before, SOUND[kind], b"A" * size, padding)


NEAR = 'a"\\,:{} 10=é'
MEMBERS = [
    b"", b',"event_id":"event_1"', b',"output_index":0,"content_index":12', b',"item_id":""',
    b',"event_id":"%b"' % (b"e" * 256), b',"event_id":"%b"' % (b"e" * 257), b',"n":123456789012',
    b',"n":1234567890123', b',"n":01', b',"n":-1', b',"n":null', b',"%b":0' % (b"n" * 32),
    b',"%b":0' % (b"n" * 33), b',"type":"response.done"', b',"audio":"AA"', b',"delta":"AA"',
    b',"event_id":"a\\"b"', b', "event_id": "spaced"', b',"event_id":"\xc3\xa9"', b',"":0', b',"Name":0',
    b',"event_id":"new\nline"', b',"event_id":"zero\x00"', b',"x":""y', b',"session":{}',
]  # fmt: skip
PADDING = [b"", b"=", b"==", b"===", b"=A", b"\\", b"\\\\", b'\\"', b'"', b"\x00"]
SIZES = st.sampled_from([0, 1, 2, 60, 100, 400, 3_200, 16_000, LARGEST - 60, LARGEST, 65_500, 70_000])
SOUNDS = st.builds(
    sound,
    st.sampled_from([*SOUND] * 2 + [APPEND, GA]),
    SIZES,
    st.sampled_from(MEMBERS),
    st.sampled_from(PADDING),
)
USUAL = st.builds(sound, st.sampled_from([*SOUND]), SIZES.filter(lambda size: size < LARGEST - 400))
OTHERS = st.sampled_from([SHUT, OPEN, OPEN, b'{"type":"response.done"}', b"", b"{}", b'{"type":"%b"}' % GA])


@st.composite
def nearly(draw: Callable[..., Any]) -> bytes:
    """Sound with one letter put in, taken out or replaced, mostly at one of its ends."""
    text = bytearray(draw(SOUNDS))
    at = draw(st.integers(0, min(len(text), 120) - 1))
    at = draw(st.sampled_from([at, len(text) - 1 - at]))
    text[at : at + draw(st.integers(0, 1))] = draw(st.sampled_from(["", *NEAR])).encode()
    return bytes(text)


@st.composite
def framed(draw: Callable[..., Any], texts: st.SearchStrategy[bytes], usual: bool) -> bytes:
    text = draw(texts)
    mask = draw(st.sampled_from([b"", b"", bytes(4), b"mask", b"\x00\x01\x02\xff"]))
    first, size = 0x80 | TEXT, len(text)
    if not usual:
        first = draw(
            st.sampled_from([first] * 12 + [TEXT, CONTINUATION, 0x80, 0xC1, 0x80 | BINARY, 0x80 | PING])
        )
        if first & 0x0F == PING or draw(st.integers(0, 60)) == 0:
            first, size = draw(st.sampled_from([0x80 | PING, 0x80 | CLOSE])), 2
    flag = 0x80 if mask else 0
    long_form = not usual and draw(st.integers(0, 9)) == 0
    if size < 126 and not long_form:
        head = bytes((first, flag | size))
    elif size < 65_536 and not (long_form and size > 125):
        head = bytes((first, flag | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, flag | 127)) + size.to_bytes(8, "big")
    return head + mask + apply_mask(text[:size], mask)


STREAMS = st.one_of(
    st.lists(framed(USUAL, usual=True), min_size=1, max_size=8),
    st.lists(framed(st.one_of(USUAL, USUAL, SOUNDS, OTHERS), usual=True), min_size=1, max_size=8),
    st.lists(framed(st.one_of(USUAL, SOUNDS, nearly(), OTHERS), usual=False), min_size=1, max_size=8),
)
NAMES = st.sampled_from([
    *[dict(UNCHANGED)] * 4, *[{**UNCHANGED, GA: BETA}] * 3, {APPEND: APPEND}, {GA: BETA, APPEND: APPEND},
    {GA: BETA, BETA: GA}, {},
    {GA: GA, BETA: b"response." + b"long" * 20}, {APPEND: APPEND, GA: b"x"},
])  # fmt: skip
SHORT = b"".join(encode_frame(TEXT, sound(BETA, size)) for size in range(70, 100)) * 20
WHOLE = encode_frame(TEXT, sound(GA, 400))
BEGUN = bytes((TEXT, 1)) + b"x"
"""A fragment, with more to come."""
CLOSING = encode_frame(CLOSE, b"")


def seldom(test: Any) -> Any:
    """What chance seldom finds."""
    long = {BETA: b"response." + b"long" * 20}
    for stream, cuts, names, left, counts in [
        ([SHORT], [], long, 1 << 40, True),
        ([SHORT], [100], {BETA: GA, GA: GA}, 50_000, True),
        ([encode_frame(TEXT, sound(BETA, 0)) * 1_400], [], long, 0, False),  # twice as much as came
        ([encode_frame(TEXT, sound(GA, LARGEST)), WHOLE], [], UNCHANGED, 0, False),
        ([encode_frame(TEXT, sound(GA, LARGEST)), WHOLE], [20_000], UNCHANGED, 0, False),
        ([encode_frame(TEXT, WHOLE), WHOLE], [4], UNCHANGED, 0, False),  # a frame that holds another
        ([BEGUN, WHOLE, WHOLE], [len(BEGUN)], UNCHANGED, 0, False),
        ([bytes((TEXT,)) + WHOLE[1:], WHOLE], [], UNCHANGED, 0, False),
        ([CLOSING, WHOLE], [len(CLOSING)], UNCHANGED, 0, False),
        ([encode_frame(TEXT, sound(GA, 400), masked=True)], [], {GA: BETA}, 0, False),
    ]:
        case = {"stream": stream, "cuts": cuts, "names": dict(names), "left": left, "counts": counts}
        test = example(**case, takes=[True], foresees=True, masked=False, from_memory=False)(test)
    return test


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@seldom
@settings(max_examples=600, deadline=None)
@given(
    stream=STREAMS,
    cuts=st.one_of(
        st.just([]),
        st.lists(st.one_of(st.integers(1, 40), st.integers(1, CHUNK)), max_size=30),
        st.lists(st.integers(1, CHUNK), max_size=8),
    ),
    takes=st.lists(st.booleans(), min_size=1, max_size=5),
    names=NAMES,
    left=st.sampled_from([0, 500, 3_000, 20_000, 1 << 40, 1 << 40, 1 << 40, 1 << 40]),
    counts=st.booleans(),
    foresees=st.sampled_from([True, True, True, False]),
    masked=st.booleans(),
    from_memory=st.sampled_from([False, False, False, True]),
)
def test_both_let_the_same_sound_pass(
    tls: bool,
    stream: list[bytes],
    cuts: list[int],
    takes: list[bool],
    names: dict[bytes, bytes],
    left: int,
    counts: bool,
    foresees: bool,
    masked: bool,
    from_memory: bool,
) -> None:
    taking = itertools.cycle(takes)
    with ExitStack() as sockets:
        sides = [
            Mediated(Side(compiled, sockets, tls=tls), Rule(names, left, counts, foresees), masked)
            for compiled in (False, True)
        ]
        python, compiled = sides
        for piece in pieces(b"".join(stream), cuts):
            for side in sides:
                side.receive(piece, from_memory=from_memory)
            assert compiled.state() == python.state()
            if next(taking):
                assert without_masks(compiled.out()) == without_masks(python.out())
        assert without_masks(compiled.out()) == without_masks(python.out())
        if not masked:  # a frame of ours has no mask then that chance could have chosen
            assert compiled.out() == python.out()


def neighbours(text: bytes) -> Iterator[bytes]:
    """All with a letter put in, taken out or replaced."""
    for at in range(len(text) + 1):
        for letter in ("", *NEAR):
            yield text[:at] + letter.encode() + text[at:]
            yield text[:at] + letter.encode() + text[at + 1 :]


def odd() -> Iterator[bytes]:
    for kind, members, padding, size in itertools.product(SOUND, MEMBERS, PADDING, (0, 1, 300)):
        yield sound(kind, size, members, padding)
        yield sound(kind, size, members, padding).replace(*MISPLACED)
    for kind in SOUND:
        yield from neighbours(sound(kind, 4, b',"item_id":"item","output_index":0'))


MISPLACED = b'"audio":', b'"delta":'


@pytest.mark.parametrize("masked", [False, True])
def test_what_is_said_oddly_is_sound_to_both_or_to_none(masked: bool) -> None:
    with ExitStack() as sockets:
        python, compiled = sides = [
            Mediated(Side(which, sockets), Rule(dict(UNCHANGED), 1 << 40, True, True), masked)
            for which in (False, True)
        ]
        for text in odd():
            for side in sides:
                side.receive(encode_frame(TEXT, text, masked=masked), from_memory=False)
                side.gone = side.side.taken()
            assert compiled.rule.left == python.rule.left, text
            assert compiled.read[-1:] == python.read[-1:], text
            assert without_masks(compiled.gone) == without_masks(python.gone), text
            for side in sides:
                side.side.spool.end = 0  # it has room for so many
        assert compiled.side.leg.follower.messages > 5_000


def usual(count: int, kind: bytes = GA, size: int = 16_000) -> bytes:
    text = sound(kind, size, b',"event_id":"event_1","response_id":"resp_1","output_index":0')
    return encode_frame(TEXT, text, masked=kind == APPEND) * count


@pytest.mark.parametrize(("kind", "name"), [(APPEND, APPEND), (GA, GA), (GA, BETA)])
def test_no_python_is_asked_about_the_usual_sound_however_it_is_cut(
    kind: bytes, name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as sockets:
        compiled = Mediated(Side(True, sockets), Rule({kind: name}, 0, False, True), kind == APPEND)
        for asked in ("pass_sound", "keeps"):
            monkeypatch.setattr(Glance, asked, lambda *_: pytest.fail("it was asked"))
        stream = usual(9, kind)
        for piece in pieces(stream, [15, 3, 20_000, 64]):
            compiled.receive(piece, from_memory=False)
            compiled.gone += compiled.side.taken()
        said = without_masks(compiled.out())
    assert said == [(TEXT, text.replace(kind, name)) for _, text in without_masks(stream)]
    assert len(said) == 9
    assert compiled.side.leg.follower.messages == 9
    assert compiled.side.leg.received_bytes == len(stream)
    assert compiled.state()["log"] == stream


def test_a_message_that_grows_beyond_64_kb_has_the_longer_header() -> None:
    with ExitStack() as sockets:
        outs = []
        for side in (Side(False, sockets), Side(True, sockets)):
            side.leg.follower.largest_message = 1 << 20
            mediated = Mediated(side, Rule({BETA: b"response." + b"long" * 20}, 0, False, True), False)
            mediated.receive(encode_frame(TEXT, sound(BETA, 65_480)), from_memory=False)
            outs.append(mediated.out())
        assert outs[0] == outs[1]
        assert outs[1][1] == 127


def test_what_grows_beyond_its_room_is_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    passes = Glance.pass_sound
    monkeypatch.setattr(Glance, "pass_sound", lambda *args: asked.append(1) or passes(*args))
    with ExitStack() as sockets:
        compiled = Mediated(Side(True, sockets), Rule({BETA: b"long" * 30}, 0, False, True), False)
        compiled.receive(encode_frame(TEXT, sound(BETA, 0)) * 1_400, from_memory=False)
        assert asked
        assert len(without_masks(compiled.out())) == 1_400


@pytest.mark.parametrize("name", [GA, BETA])
def test_what_the_peer_does_not_take_waits(name: bytes) -> None:
    with ExitStack() as sockets:
        outs = []
        for side in (Side(False, sockets), Side(True, sockets)):
            mediated = Mediated(side, Rule({GA: name}, 0, False, True), False)
            for piece in pieces(usual(60), []):
                mediated.receive(piece, from_memory=False)
            assert side.peer.get_write_buffer_size()
            outs.append(mediated.out())
        assert outs[0] == outs[1]
        assert len(without_masks(outs[1])) == 60


def test_what_was_foreseen_ends_with_what_is_read() -> None:
    with ExitStack() as sockets:
        compiled = Mediated(Side(True, sockets), Rule(dict(UNCHANGED), 0, False, True), False)
        compiled.receive(usual(1), from_memory=False)
        assert compiled.glance.table is not None
        compiled.receive(encode_frame(TEXT, SHUT), from_memory=False)
        assert compiled.glance.table is None
        compiled.receive(usual(1), from_memory=False)
        assert [text for _, text in without_masks(compiled.out())][1:] == [SHUT]


def test_a_stopped_glance_lets_nothing_pass() -> None:
    with ExitStack() as sockets:
        for side in (Side(False, sockets), Side(True, sockets)):
            mediated = Mediated(side, Rule(dict(UNCHANGED), 0, False, True), False)
            mediated.receive(usual(1)[:9_000], from_memory=False)
            assert mediated.glance.held
            mediated.glance.stopped = True
            mediated.receive(usual(1)[9_000:] + usual(1), from_memory=False)
            assert not mediated.out()
            assert len(mediated.read) == 2


def test_a_count_that_fails_leaves_it_to_the_mediation() -> None:
    def fails(_: int) -> bool:
        raise ZeroDivisionError

    with ExitStack() as sockets:
        for side in (Side(False, sockets), Side(True, sockets)):
            mediated = Mediated(side, rule := Rule(dict(UNCHANGED), 0, True, True), False)
            rule.count = fails  # type: ignore[method-assign]
            mediated.receive(usual(1), from_memory=False)
            assert not mediated.out()
            assert len(mediated.read) == 1


def test_another_leg_that_is_read_meanwhile_changes_nothing_of_what_goes_on() -> None:
    """Nothing that counts sound may do that; if it did, no call would get another one's sound."""
    with ExitStack() as sockets:
        one, other = (
            Mediated(Side(True, sockets), Rule({GA: BETA}, 0, False, True), False) for _ in range(2)
        )
        other.side.far.send(encode_frame(TEXT, b'{"type":"%b","delta":"%b"}' % (GA, b"B" * 16_000)))

        def count(_: int) -> bool:
            other.side.read()
            return True

        one.rule.counts, one.rule.count = True, count  # type: ignore[method-assign]
        one.receive(encode_frame(TEXT, sound(GA, 16_000)), from_memory=False)
        assert without_masks(one.out()) == [(TEXT, sound(BETA, 16_000))]
        assert b"B" * 16_000 in other.out()


def test_two_that_count_are_asked_message_by_message() -> None:
    with ExitStack() as sockets:
        side = Side(True, sockets)
        first, second = (Rule(dict(UNCHANGED), left, True, True) for left in (1 << 20, 15_000))
        glance = Glance(
            [(first.judge, first.foresee), (second.judge, second.foresee)],
            FrameDecoder(),
            side.leg.follower,
            side.leg.peer.write,
            masked=False,
        )
        glance.foresee()
        assert glance.table is None
        assert glance.count is None


def test_a_gap_of_the_log_is_told_before_sound_goes_on() -> None:
    with ExitStack() as sockets:
        outs = []
        for side in (Side(False, sockets), Side(True, sockets)):
            mediated = Mediated(side, Rule(dict(UNCHANGED), 0, False, True), False)
            mediated.receive(usual(1)[:5_000], from_memory=False)
            side.log.gaps[0] = Gap(1, 100)
            side.spool.held = deque()
            mediated.receive(usual(1)[5_000:], from_memory=False)
            assert b"gateway.lost" in side.state()["entries"][0][1]
            outs.append(mediated.out())
        assert outs == [usual(1), usual(1)]
