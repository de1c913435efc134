"""Recordings are put away: a real store, real files, and processes that die at every step of it."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.recording.logs import FORMATS, PREFIX, RecordedCall, message
from tests.recordings import read_recording

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.compaction import Compactor
from voxgate.recording.eventlog import read_events
from voxgate.recording.reading import OpenSound, read_lines
from voxgate.recording.tracks import FlacTrack, FlacWriter
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.store import FolderBlobs, Store
from voxgate.traces import build_trace

SECONDS = 30.0
RAW = {"events.jsonl", "user.pcm", "assistant.pcm"}
PUT_AWAY = {"events.zst", "user.flac", "assistant.flac"}


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(f"sqlite:///{folder / 'voxgate.db'}")
        self.blobs = FolderBlobs(folder / "blobs")

    def add(self, call: RecordedCall) -> None:
        trace = call.finish().snapshot(live=False)
        self.store.save_trace({**trace.row(), "id": "sess_1"}, [span.to_json() for span in trace.spans])
        Compactor(self.store, self.blobs, self.folder / "compact").add("sess_1")

    def compactor(self, **parts: Any) -> Compactor:
        return Compactor(
            parts.get("store", self.store), parts.get("blobs", self.blobs), self.folder / "compact"
        )

    @property
    def marks(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "compact").iterdir())

    @property
    def names(self) -> set[str]:
        return {key.rpartition("/")[2] for key in self.blobs.list(PREFIX)}

    def content(self) -> tuple[bytes, bytes, bytes]:
        """The log and the sound, however they are stored."""
        return (
            b"".join(read_lines(self.blobs, PREFIX)),
            *(self.sound(name) for name in ("user", "assistant")),
        )

    def sound(self, name: str) -> bytes:
        with OpenSound(self.blobs, PREFIX, name) as sound:
            return sound.read(0, sound.size)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def work(compactor: Compactor, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < deadline, "it did not happen in time"
        if not compactor.step():
            time.sleep(0.001)


def put_away(world: World, **parts: Any) -> None:
    compactor = world.compactor(**parts)
    try:
        work(compactor, lambda: not world.marks)
    finally:
        compactor.close()


def talk(call: RecordedCall, audio_format: Any = FORMATS[0], seconds: float = 2) -> RecordedCall:
    audio = {"input": {"format": audio_format}, "output": {"format": audio_format}}
    call.text(SERVER, message(type="session.created", session={"audio": audio}))
    for number in range(round(seconds * 20)):
        sound = bytes((number * 7 + n) % 256 for n in range(1201))
        call.text(CLIENT, message(type="input_audio_buffer.append", audio=encoded(sound)))
        delta = {"item_id": "i", "response_id": "r", "delta": encoded(sound[::-1])}
        call.text(SERVER, message(type="response.output_audio.delta", **delta))
    return call


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("audio_format", FORMATS, ids=str)
def test_what_is_put_away_is_the_same_and_smaller(world: World, audio_format: Any) -> None:
    world.add(talk(RecordedCall(world.blobs.root), audio_format))
    before, size = world.content(), sum(world.blobs.size(key) or 0 for key in world.blobs.list())
    put_away(world)
    assert world.names == PUT_AWAY
    assert world.content() == before
    assert sum(world.blobs.size(key) or 0 for key in world.blobs.list()) < size / 2


@pytest.mark.parametrize(
    "name",
    [
        "test_openai_ws__test_audio_in_server_vad_turn",
        "test_azure_voice_live_ws__test_audio_in_server_vad_turn",
        "test_xai_ws__test_audio_in_server_vad_turn",
        "test_openai_ws__test_tool_call_round",
        "test_azure_ws__test_text_in_audio_out_turn",
    ],
)
def test_recorded_calls_of_live_services_come_back_with_the_same_trace(
    world: World, shared: Path, name: str
) -> None:
    call = RecordedCall(world.blobs.root)
    for direction, event in read_recording(shared, name):
        call.text(CLIENT if direction == "sent" else SERVER, message(**event))
    world.add(call)
    names = world.names
    lines = list(read_lines(world.blobs, PREFIX))
    trace = build_trace(read_events(lines), session_id="sess_1")
    sounds = {track: world.sound(track) for track in ("user", "assistant") if f"{track}.pcm" in names}
    put_away(world)
    assert list(read_lines(world.blobs, PREFIX)) == lines
    assert build_trace(read_events(read_lines(world.blobs, PREFIX)), session_id="sess_1") == trace
    assert {track: world.sound(track) for track in sounds} == sounds
    assert not world.names & RAW


def test_a_call_without_sound_is_put_away(world: World) -> None:
    call = RecordedCall(world.blobs.root)
    call.text(CLIENT, b'{"type":"x"}')
    world.add(call)
    put_away(world)
    assert world.names == {"events.zst"}
    assert list(read_lines(world.blobs, PREFIX)) == call.lines


def test_sound_that_flac_does_not_take_stays_raw(world: World) -> None:
    world.add(talk(RecordedCall(world.blobs.root), {"type": "audio/pcm", "rate": 100_001}))
    before = list(read_lines(world.blobs, PREFIX))
    put_away(world)
    assert world.names == {"events.zst", "user.pcm", "assistant.pcm"}
    assert list(read_lines(world.blobs, PREFIX)) == before
    assert world.blobs.size(f"{PREFIX}/events.zst") < 4000


# What goes wrong


class Killed(BaseException):
    """As if the process were gone."""


class CountingBlobs(FolderBlobs):
    """Calls `die` at its nth operation, before it or after it."""

    def __init__(self, root: Path, at: int, after: bool, die: Callable[[], None]) -> None:
        super().__init__(root)
        self.count = 0
        self._at, self._after, self._die = at, after, die

    def _counted(self, action: Callable[[], Any]) -> Any:
        self.count += 1
        mine = self.count == self._at
        if mine and not self._after:
            self._die()
        result = action()
        if mine and self._after:
            self._die()
        return result

    def take_file(self, key: str, source: Path) -> None:
        self._counted(lambda: super(CountingBlobs, self).take_file(key, source))

    def delete_prefix(self, prefix: str) -> int:
        return self._counted(lambda: super(CountingBlobs, self).delete_prefix(prefix))

    def open(self, key: str) -> Any:
        return self._counted(lambda: super(CountingBlobs, self).open(key))

    def sync(self, key: str) -> None:
        self._counted(lambda: super(CountingBlobs, self).sync(key))

    def size(self, key: str) -> int | None:
        return self._counted(lambda: super(CountingBlobs, self).size(key))


@pytest.fixture
def template(tmp_path: Path) -> Iterator[tuple[World, Callable[[], World]]]:
    """A recording, and copies of it for as many worlds as are wanted."""
    original = World(tmp_path / "original")
    original.add(talk(RecordedCall(original.blobs.root), seconds=0.5))
    worlds: list[World] = []

    def another() -> World:
        folder = tmp_path / f"world_{len(worlds)}"
        shutil.copytree(original.folder, folder)
        worlds.append(World(folder))
        return worlds[-1]

    yield original, another
    for each in [original, *worlds]:
        each.store.close()


def _raise_killed() -> None:
    raise Killed


def operations(world: World) -> int:
    blobs = CountingBlobs(world.blobs.root, -1, False, _raise_killed)
    put_away(world, blobs=blobs)
    return blobs.count


def test_whatever_step_is_the_last_nothing_is_lost(template: tuple[World, Callable[[], World]]) -> None:
    original, another = template
    expected = original.content()
    count = operations(another())
    assert count > 20
    for at in range(1, count + 1):
        world = another()
        with pytest.raises(Killed):
            put_away(world, blobs=CountingBlobs(world.blobs.root, at, False, _raise_killed))
        assert world.content() == expected
        put_away(world)
        assert world.content() == expected
        assert world.names == PUT_AWAY


def test_a_process_that_is_killed_at_any_step_loses_nothing(
    template: tuple[World, Callable[[], World]],
) -> None:
    original, another = template
    expected = original.content()
    for at in range(2, operations(another()) + 1, 5):
        world = another()
        child = os.fork()
        if not child:
            try:
                dying = World(world.folder)
                blobs = CountingBlobs(
                    world.blobs.root, at, False, lambda: os.kill(os.getpid(), signal.SIGKILL)
                )
                put_away(dying, blobs=blobs)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        assert world.content() == expected
        put_away(world)
        assert (world.content(), world.names) == (expected, PUT_AWAY)


class DamagingBlobs(FolderBlobs):
    """A disk that keeps something else than what it was given."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root)
        self._name = name

    def take_file(self, key: str, source: Path) -> None:
        super().take_file(key, source)
        if key.endswith(self._name):
            path = self.root / key
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0x40
            path.write_bytes(data)


class OtherSound(FolderBlobs):
    """One sample of the sound is another than before, in a file that is right in itself."""

    def take_file(self, key: str, source: Path) -> None:
        super().take_file(key, source)
        if key.endswith("user.flac"):
            with closing(FlacTrack(self.open(key))) as track:
                pcm = bytearray(track.read(0, track.size))
            pcm[len(pcm) // 2] ^= 1
            with FlacWriter(self.root / key, track.rate) as flac:
                flac.write(bytes(pcm))


def test_sound_that_is_off_by_one_replaces_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.jobs.compaction._PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("voxgate.jobs.compaction._LOOK_SECONDS", 0.0)
    world.add(talk(RecordedCall(world.blobs.root)))
    before = world.content()
    compactor = world.compactor(blobs=OtherSound(world.blobs.root))
    work(compactor, lambda: world.marks == ["sess_1.failed"])
    compactor.close()
    assert (world.names >= RAW, world.content()) == (True, before)


@pytest.mark.parametrize("name", sorted(PUT_AWAY))
def test_what_does_not_read_back_as_it_was_replaces_nothing(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.jobs.compaction._PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("voxgate.jobs.compaction._LOOK_SECONDS", 0.0)
    world.add(talk(RecordedCall(world.blobs.root)))
    before = world.content()
    compactor = world.compactor(blobs=DamagingBlobs(world.blobs.root, name))
    work(compactor, lambda: world.marks == ["sess_1.failed"])
    compactor.close()
    assert world.names >= RAW
    assert world.content() == before


class FullDisk(FolderBlobs):
    failures = 5

    def take_file(self, key: str, source: Path) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(28, "No space left on device")
        super().take_file(key, source)


class AbsentStore:
    """A database that is away for some time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.failures = 5

    def __getattr__(self, name: str) -> Any:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("The database is away.")
        return getattr(self._store, name)


@pytest.mark.parametrize("what", ["blobs", "store"])
def test_a_disk_that_is_full_or_a_database_that_is_away_is_waited_for(
    world: World, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.jobs.compaction._PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("voxgate.jobs.compaction._LOOK_SECONDS", 0.0)
    world.add(talk(RecordedCall(world.blobs.root)))
    before = world.content()
    part = FullDisk(world.blobs.root) if what == "blobs" else AbsentStore(world.store)
    put_away(world, **{what: part})
    assert world.content() == before
    assert world.names == PUT_AWAY


def test_a_session_that_is_deleted_meanwhile_leaves_nothing(
    template: tuple[World, Callable[[], World]],
) -> None:
    _, another = template
    for at in range(1, operations(another()) + 1, 3):
        world = another()

        def delete(world: World = world) -> None:
            world.blobs.delete_prefix(f"{PREFIX}/")
            world.store.delete_session("sess_1")
            world.blobs.delete_prefix(f"{PREFIX}/")

        compactor = world.compactor(blobs=CountingBlobs(world.blobs.root, at, True, delete))
        work(compactor, lambda world=world, compactor=compactor: not world.marks or bool(compactor._pauses))
        compactor.close()
        put_away_later = world.compactor()
        work(put_away_later, lambda world=world: not world.marks)
        put_away_later.close()
        assert world.names == set()


def test_two_recorders_do_not_put_the_same_session_away(world: World) -> None:
    world.add(talk(RecordedCall(world.blobs.root)))
    first, second = world.compactor(), world.compactor()
    work(first, lambda: first._work is not None)
    assert not second.step()
    assert second._work is None
    work(first, lambda: not world.marks)
    for each in (first, second):
        each.close()


def test_what_a_killed_one_was_making_is_removed_and_nothing_else(world: World) -> None:
    world.add(talk(RecordedCall(world.blobs.root)))
    first = world.compactor()
    work(first, lambda: any(name.startswith("making-") for name in world.marks))
    making = world.marks
    (world.folder / "compact" / "making-left").touch()
    world.compactor().close()
    assert world.marks == making
    first.close()
    assert world.marks == ["sess_1.todo"]
