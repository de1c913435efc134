"""The compiled part of the relay against the Python that it stands for: the same bytes in the same pieces."""

from __future__ import annotations

import itertools
import socket
import struct
import subprocess
import sys
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.gateway.sides import LARGEST, Side, frame, pieces
from voxgate.gateway import leg as legs
from voxgate.gateway.tls import LARGEST_RECORD
from voxgate.realtime.frames import CLOSE, CONTINUATION, PING, TEXT
from voxgate.recording.layout import ENTRY, SEGMENT
from voxgate.recording.spool import CHUNK, Gap, Spool
from voxgate.recording.wirelog import CLIENT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _built() -> None:
    if legs._compiled is None:
        pytest.skip("the compiled part was not built: python hatch_build.py --native")


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
    ([frame(TEXT, 20_000, False, True)], [LARGEST_RECORD], [True]),  # and of TLS there is no more
]


def seldom(test: Any) -> Any:
    for frames, cuts, takes in SELDOM:
        for from_memory in (False, True):
            case = {"frames": frames, "cuts": cuts, "takes": takes, "from_memory": from_memory}
            test = example(**case, watched=False, hang_up=True)(test)
    return test


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
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
    tls: bool,
    frames: list[bytes],
    cuts: list[int],
    takes: list[bool],
    watched: bool,
    from_memory: bool,
    hang_up: bool,
) -> None:
    stream, taking = b"".join(frames), itertools.cycle(takes)
    with ExitStack() as sockets:
        python, compiled = Side(False, sockets, tls=tls), Side(True, sockets, tls=tls)
        for piece in pieces(stream, cuts):
            for side in (python, compiled):
                side.leg.watched = watched
                if from_memory:
                    side.take_in(piece)
                else:
                    side.send(piece)
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
    sources = [ROOT / "hatch_build.py", *(ROOT / "src/voxgate/gateway").glob("*.[ch]")]
    for source in sources:
        (tmp_path / source.relative_to(ROOT)).write_bytes(source.read_bytes())
    built = subprocess.run(
        [sys.executable, "hatch_build.py", "--native"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "relay: compiled into" in built.stdout
    assert list((tmp_path / "src/voxgate/gateway").glob("_splice.*.so"))
