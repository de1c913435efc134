"""Traces are built again from what was put away: a real store, real files, and the recorder that does it."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.recording.logs import FORMATS, PREFIX, RecordedCall, message
from tests.recordings import read_recording

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.closing import close_trace, row_of
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.rebuilding import Rebuilder
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.store import REBUILD, REBUILD_FAILED, REBUILT, FolderBlobs, Store
from voxgate.traces.changes import span_json

SECONDS = 30.0


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(f"sqlite:///{folder / 'voxgate.db'}")
        self.blobs = FolderBlobs(folder / "blobs")
        self.rebuilder = Rebuilder(self.store, self.blobs)
        self.rebuilder.step()

    def add(self, call: RecordedCall) -> None:
        """As the recorder saves it, and as it is put away."""
        closing, closed = close_trace(call.finish(), self.blobs, PREFIX), None
        while closed is None:
            try:
                next(closing)
            except StopIteration as end:
                closed = end.value
        spans = [span_json(span) for span in closed.trace.spans]
        self.store.save_trace(row_of(closed.trace), spans)
        compactor = Compactor(self.store, self.blobs, self.folder / "compact")
        compactor.add("sess_1")
        work(compactor.step, lambda: not any((self.folder / "compact").iterdir()))
        compactor.close()

    def rebuild(self) -> str:
        before = self.store.last_signal_id()
        self.store.add_signal(REBUILD, "sess_1")
        answers: list[str] = []

        def answered() -> bool:
            answers[:] = [kind for _, kind, _ in self.store.signals_after(before) if kind != REBUILD]
            return bool(answers)

        work(self.rebuilder.step, answered)
        return answers[0]

    def trace(self) -> dict[str, Any]:
        row = self.store.get_session("sess_1")
        assert row is not None
        return {key: value for key, value in row.items() if key != "revision"}


def work(step: Callable[[], bool], until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < deadline, "it did not happen in time"
        if not step():
            time.sleep(0.001)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("voxgate.jobs.rebuilding._LOOK_SECONDS", 0.0)
    made = World(tmp_path)
    yield made
    made.store.close()


def live_call(world: World, shared: Path, name: str) -> RecordedCall:
    call = RecordedCall(world.blobs.root)
    for direction, event in read_recording(shared, name):
        call.text(CLIENT if direction == "sent" else SERVER, message(**event))
    call.fact({"type": "gateway.closed", "code": 1000, "reason": "", "side": "client"})
    return call


@pytest.mark.parametrize(
    "name",
    [
        "test_openai_ws__test_audio_in_server_vad_turn",
        "test_xai_ws__test_audio_in_server_vad_turn",
        "test_openai_ws__test_tool_call_round",
    ],
)
def test_a_rebuilt_trace_is_the_same_and_a_damaged_one_becomes_it_again(
    world: World, shared: Path, name: str
) -> None:
    world.add(live_call(world, shared, name))
    before, blobs = world.trace(), world.blobs.list()
    assert before["data"]["metrics"]
    assert len(before["spans"]) > 3
    assert world.rebuild() == REBUILT
    assert world.trace() == before
    assert world.blobs.list() == blobs
    damaged = {"id": "sess_1", "title": "wrong", "turns": 77, "data": {"metrics": {}}}
    world.store.save_trace(damaged, [{"id": "of a former version", "type": "turn", "start_ms": 0}])
    assert world.trace() != before
    assert world.rebuild() == REBUILT
    assert world.trace() == before


def test_what_was_encoded_of_the_former_mix_is_made_again(world: World) -> None:
    call = RecordedCall(world.blobs.root)
    sound = base64.b64encode(random.Random(1).randbytes(9600)).decode()
    call.text(SERVER, message(type="session.created", session={"audio": {"input": {"format": FORMATS[0]}}}))
    call.text(CLIENT, message(type="input_audio_buffer.append", audio=sound))
    world.add(call)
    before = world.blobs.list()
    for name in ("mix.ogg", "heard.flac", "user.ogg"):
        world.blobs.put(f"{PREFIX}/{name}", b"of the former one")
    assert world.rebuild() == REBUILT
    assert set(world.blobs.list()) - set(before) == {f"{PREFIX}/user.ogg"}


def test_a_log_that_cannot_be_read_leaves_the_trace_as_it_was(world: World) -> None:
    call = RecordedCall(world.blobs.root)
    call.text(CLIENT, message(type="x"))
    world.add(call)
    before = world.trace()
    world.blobs.put(f"{PREFIX}/events.zst", b"damaged")
    assert world.rebuild() == REBUILD_FAILED
    assert world.trace() == before


def test_a_session_that_is_live_or_gone_is_not_rebuilt(world: World) -> None:
    world.store.save_session({"id": "sess_2", "project": "p", "status": "live"})
    for session_id in ("sess_2", "sess_3"):
        world.store.add_signal(REBUILD, session_id)
    last = world.store.last_signal_id()
    work(world.rebuilder.step, lambda: world.rebuilder._last_signal == last and not world.rebuilder._asked)
    assert world.store.session_revision("sess_3") is None
    assert world.store.signals_after(last) == []


class AbsentAtSaving:
    """A database that is away when the trace is to be saved."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.failures = 2

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def save_trace(self, *arguments: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("The database is away.")
        self._store.save_trace(*arguments)


def test_of_several_recorders_the_one_that_has_the_session_rebuilds_it(world: World) -> None:
    call = RecordedCall(world.blobs.root)
    call.text(CLIENT, message(type="x"))
    world.add(call)
    other = Rebuilder(world.store, world.blobs, lambda session_id: session_id != "sess_1")
    other.step()
    world.store.add_signal(REBUILD, "sess_1")
    assert not other.step()
    work(world.rebuilder.step, lambda: world.store.signals_after(0)[-1][1] == REBUILT)


def test_a_database_that_is_away_is_waited_for(world: World) -> None:
    call = RecordedCall(world.blobs.root)
    call.text(CLIENT, message(type="x"))
    world.add(call)
    before = world.trace()
    world.store.save_trace({"id": "sess_1", "turns": 9}, [])
    absent: Any = AbsentAtSaving(world.store)
    world.rebuilder = Rebuilder(absent, world.blobs)
    world.rebuilder.step()
    assert world.rebuild() == REBUILT
    assert absent.failures == 0
    assert world.trace() == before
