"""The compiled part of the relay against the Python that it stands for: the same bytes in the same pieces."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxgate.gateway import relay
from voxgate.gateway.relay import Leg
from voxgate.gateway.sockets import SocketTransport
from voxgate.realtime.frames import CLOSE, CONTINUATION, PING, TEXT, FrameFollower, encode_frame
from voxgate.recording.spool import CHUNK, ENTRY, SEGMENT, Gap, Spool, WireLog
from voxgate.recording.wirelog import CLIENT

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 40_000
T_NS = slice(16, 24)


@pytest.fixture(autouse=True)
def _built() -> None:
    if relay._compiled is None:
        pytest.skip("the compiled part was not built: python hatch_build.py --native")


class Loop:
    """An event loop that is asked for readers and writers, and calls none."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, *what: Any) -> None:
        self.soon.append(what)

    def add_reader(self, *_: Any) -> None: ...
    def remove_reader(self, *_: Any) -> None: ...
    def add_writer(self, *_: Any) -> None: ...
    def remove_writer(self, *_: Any) -> None: ...
    def call_later(self, *_: Any) -> None: ...


def bare_spool() -> Spool:
    """The memory of a spool, without a writer."""
    spool = Spool.__new__(Spool)
    spool.view, spool.end, spool.fill = memoryview(bytearray(SEGMENT)), 0, 7
    spool.full, spool.armed = False, True
    return spool


@dataclass
class Side:
    """One leg between two pairs of sockets: what it is sent, and what it sent on."""

    compiled: bool
    sockets: ExitStack
    near: socket.socket | None = None
    notices: list[str] = field(default_factory=list)
    loop: Loop = field(default_factory=Loop)

    def __post_init__(self) -> None:
        self.far, near = self._pair()
        if self.near is not None:
            near = self.near
            near.setblocking(False)
        out, self.peer_far = self._pair()
        self.transport, self.peer = (self._transport(each) for each in (near, out))
        self.spool = bare_spool()
        self.log = WireLog(self.spool, 3, "session")
        self.log._origin_ns = 0
        self.leg = Leg(self.transport, CLIENT, LARGEST, self.log, self._noticed, self._lost)
        self.transport.set_protocol(self.leg)
        self.peer.set_protocol(asyncio.Protocol())
        self.leg.join(self.peer)
        self.transport._reading = True
        self.read = relay._compiled.reader(self.leg) if self.compiled else self.leg.splice
        self.take_in = relay._compiled.taker(self.leg) if self.compiled else self.leg.take_in

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        for each in pair:
            each.setblocking(False)
            self.sockets.enter_context(each)
        return pair

    def _transport(self, sock: socket.socket) -> SocketTransport:
        transport = SocketTransport.__new__(SocketTransport)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("voxgate.gateway.sockets.reset_watch", lambda _: _Resets())
            transport.__init__(self.loop, sock, 1 << 30)  # type: ignore[misc,arg-type]
        return transport

    def _noticed(self, leg: Leg) -> None:
        self.notices.append("notice")

    def _lost(self, _: Leg, error: Exception | None) -> None:
        self.notices.append(f"lost {error!r}")

    def taken(self) -> bytes:
        try:
            return self.peer_far.recv(1 << 20)
        except BlockingIOError:
            return b""

    def state(self) -> dict[str, Any]:
        """Everything that a later read or the log's writer goes by, but the time."""
        follower = {name: getattr(self.leg.follower, name) for name in FrameFollower.__slots__}
        entries, at = [], 0
        while at < self.spool.end:
            head = bytearray(self.spool.view[at : at + ENTRY.size])
            head[T_NS] = bytes(8)
            size = ENTRY.unpack_from(self.spool.view, at)[-1]
            entries.append((bytes(head), bytes(self.spool.view[at + ENTRY.size : at + ENTRY.size + size])))
            at += ENTRY.size + size
        return {
            **follower,
            "entries": entries,
            "offset": self.log._offset,
            "received": self.leg.received_bytes,
            "refused": bytes(self.leg.refused),
            "pending": self.peer.get_write_buffer_size(),
            "notices": self.notices,
            "reading": self.transport.is_reading(),
        }


class _Resets:
    def watch(self, *_: Any) -> None: ...
    def forget(self, *_: Any) -> None: ...


def frame(opcode: int, size: int, masked: bool, final: bool) -> bytes:
    payload = struct.pack("!H", 1000) + b"x" * (size - 2) if opcode == CLOSE and size >= 2 else b"t" * size
    whole = encode_frame(opcode, payload, masked=masked)
    return whole if final else bytes([whole[0] & 0x7F]) + whole[1:]


def pieces(stream: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Of these sizes; what is left over in pieces of what is read at once."""
    at = 0
    for size in [*sizes, *[CHUNK] * (len(stream) // CHUNK + 1)]:
        if at < len(stream):
            yield stream[at : at + size]
        at += size


SIZES = st.sampled_from([0, 1, 12, 125, 126, 300, 4_000, 20_000, LARGEST, LARGEST + 1, 65_536])
ANY = st.builds(
    frame,
    st.sampled_from([TEXT] * 12 + [CONTINUATION, PING, CLOSE]),
    SIZES,
    st.booleans(),
    st.sampled_from([True] * 6 + [False]),
)
USUAL = st.builds(
    frame, st.just(TEXT), SIZES.filter(lambda size: size <= LARGEST), st.booleans(), st.just(True)
)


# What chance seldom finds: messages behind a close frame, behind one that was too large, in the middle of a
# fragmented one; and a peer that takes something again while more is pending.
SELDOM = [
    ([frame(TEXT, LARGEST, False, False), frame(TEXT, 300, False, True)], [LARGEST + 4], [True]),
    ([frame(CLOSE, 2, False, True), frame(TEXT, 300, False, True)], [4], [True]),
    ([frame(TEXT, LARGEST + 1, False, True), frame(TEXT, 300, False, True)], [LARGEST + 5], [True]),
    ([frame(TEXT, LARGEST, False, True)] * 9, [], [False, False, False, False, True]),
]


def seldom(test: Any) -> Any:
    for frames, cuts, takes in SELDOM:
        for from_memory in (False, True):
            case = {"frames": frames, "cuts": cuts, "takes": takes, "from_memory": from_memory}
            test = example(**case, watched=False, hang_up=True)(test)
    return test


@seldom
@settings(max_examples=400, deadline=None)
@given(
    frames=st.one_of(st.lists(USUAL, min_size=1, max_size=8), st.lists(ANY, min_size=1, max_size=8)),
    cuts=st.lists(st.one_of(st.integers(1, 40), st.integers(1, CHUNK)), max_size=30),
    takes=st.lists(st.booleans(), min_size=1, max_size=5),
    watched=st.booleans(),
    from_memory=st.booleans(),
    hang_up=st.booleans(),
)
def test_both_do_the_same_with_the_same_pieces(
    frames: list[bytes], cuts: list[int], takes: list[bool], watched: bool, from_memory: bool, hang_up: bool
) -> None:
    stream, taking = b"".join(frames), itertools.cycle(takes)
    with ExitStack() as sockets:
        python, compiled = Side(False, sockets), Side(True, sockets)
        for piece in pieces(stream, cuts):
            for side in (python, compiled):
                side.leg.watched = watched
                if from_memory:
                    side.take_in(piece)
                else:
                    side.far.send(piece)
                    side.read()
            assert compiled.state() == python.state()
            if next(taking):
                assert compiled.taken() == python.taken()
        for side in (python, compiled):
            if hang_up:
                side.far.close()
            if side.transport.is_reading():
                side.read()
        assert compiled.state() == python.state()
        assert compiled.taken() == python.taken()


def test_a_gap_of_the_log_is_told_by_both() -> None:
    with ExitStack() as sockets:
        sides, sent = (Side(False, sockets), Side(True, sockets)), frame(TEXT, 50, True, True)
        for side in sides:
            side.log.gaps[CLIENT] = Gap(1, 100)
            side.spool.held = deque()
            side.far.send(sent)
            side.read()
            side.log.gaps[CLIENT] = Gap(1, 100)
            side.take_in(sent)
        assert sides[0].state() == sides[1].state()
        assert b"gateway.lost" in sides[1].state()["entries"][0][1]


def test_a_reset_connection_fails_with_its_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as sockets:
        client = socket.create_connection(server.getsockname())
        side = Side(True, sockets, near=sockets.enter_context(server.accept()[0]))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        side.read()
        assert not side.transport.is_reading()
        assert [type(error) for _, error in side.loop.soon] == [ConnectionResetError]


def test_what_is_mediated_is_judged() -> None:
    with ExitStack() as sockets:
        side, judged = Side(True, sockets), list[bytes]()
        side.leg.mediate(judged.append)
        side.take_in(sent := frame(TEXT, 50, True, True))
        assert judged == [sent]
        assert not side.taken()


def test_what_finds_no_room_in_the_segment_is_left_to_python() -> None:
    with ExitStack() as sockets:
        side = Side(True, sockets)
        side.spool.end = SEGMENT - ENTRY.size - CHUNK + 1
        turned: list[int] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Spool, "turn", lambda spool: (turned.append(spool.end), setattr(spool, "end", 0)))
            side.far.send(frame(TEXT, 50, True, True))
            side.read()
            side.spool.end = SEGMENT - 60
            side.take_in(frame(TEXT, 50, True, True))
        assert turned == [SEGMENT - ENTRY.size - CHUNK + 1, SEGMENT - 60]
        assert len(side.state()["entries"]) == 1


def test_it_can_be_built_from_its_source(tmp_path: Path) -> None:
    (tmp_path / "src/voxgate/gateway").mkdir(parents=True)
    for name in ("hatch_build.py", "src/voxgate/gateway/_splice.c"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    built = subprocess.run(
        [sys.executable, "hatch_build.py", "--native"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "relay: compiled into" in built.stdout
    assert list((tmp_path / "src/voxgate/gateway").glob("_splice.*.so"))
