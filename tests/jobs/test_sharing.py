"""Several machines on one PostgreSQL and one bucket: whose calls a recorder finishes."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.s3 import S3Server

from voxgate.core import clock
from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.machines import Machine, machine_id
from voxgate.jobs.recorder import Recorder
from voxgate.jobs.sharing import Sharing
from voxgate.jobs.shipping import Shipper
from voxgate.recording.spool import Spool, WireLog
from voxgate.store import FolderBlobs, Store, migrate
from voxgate.store.s3 import S3Blobs
from voxgate.store.staged import StagedBlobs

SECONDS = 60
TAKEOVER_SECONDS = 20.0


@pytest.fixture
def url(new_postgres_url: str) -> str:
    migrate(new_postgres_url)
    return new_postgres_url


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Blobs:
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return S3Blobs(s3.bucket, f"sharing/{uuid.uuid4().hex}", s3.url)


@dataclass
class Time:
    """Of all machines. It goes on only when it is told to."""

    seconds: float = 1000.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def world_time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made, began = Time(), clock.unix_seconds()
    monkeypatch.setattr(clock, "unix_seconds", lambda: began + int(made.seconds))
    return made


class House:
    """One machine with a folder of its own; its recorder's parts go a step when they are told to."""

    def __init__(self, name: str, folder: Path, url: str, bucket: S3Blobs, time_: Time) -> None:
        self.wire_dir = folder / name / "wire"
        self.wire_dir.mkdir(parents=True)
        self.store = Store(url)
        self.blobs = StagedBlobs(FolderBlobs(folder / name / "blobs"), bucket)
        self.machine = Machine(self.store, f"machine_{name}", TAKEOVER_SECONDS, host=name, now=time_.now)
        self.sharing = Sharing(self.store, bucket, self.wire_dir, self.machine)
        self.recorder = Recorder(wire_dir=self.wire_dir, store=self.store, blobs=self.blobs, poll_ms=1)
        self.spool: Spool | None = None

    def call(self, session_id: str) -> WireLog:
        if self.spool is None:
            self.spool = Spool(self.wire_dir, "worker_1")
        log = self.spool.open(session_id)
        log.fact({"type": "gateway.opened", "session_id": session_id, "started_at": "2026-11-22T10:00:00Z"})
        return log

    def written(self, session_id: str) -> Path:
        """Its wire log, once it is on the disk."""
        path = self.wire_dir / "worker_1" / f"{session_id}.vgw"
        until(lambda: path.exists() and path.stat().st_size > 50)
        return path

    def live(self) -> None:
        """What its recorder does every second or so."""
        self.machine.refresh()
        self.sharing._move_logs()

    def record(self, condition: Callable[[], object]) -> None:
        def step() -> bool:
            self.recorder.step()
            return bool(condition())

        until(step)

    def status(self, session_id: str) -> str | None:
        row = self.store.get_session(session_id)
        return row["status"] if row else None

    def close(self) -> None:
        if self.spool is not None:
            self.spool.stop()
        self.sharing._shipper.close()
        self.blobs.close()
        self.store.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


@pytest.fixture
def house(tmp_path: Path, url: str, bucket: S3Blobs, world_time: Time) -> Iterator[Callable[[str], House]]:
    made: list[House] = []

    def build(name: str) -> House:
        made.append(House(name, tmp_path, url, bucket, world_time))
        return made[-1]

    yield build
    for each in made:
        each.close()


def pass_time(world_time: Time, living: House, seconds: float) -> None:
    """In which this machine lives."""
    for _ in range(int(seconds)):
        world_time.seconds += 1
        living.live()


def test_what_a_dead_machine_had_shipped_is_finished_by_another(
    house: Callable[[str], House], world_time: Time, bucket: S3Blobs
) -> None:
    one, two = house("one"), house("two")
    one.call("sess_1").fact({"type": "gateway.note", "text": "before"})
    path = one.written("sess_1")
    one.live()
    shipped = path.read_bytes()
    (key,) = bucket.list("wire/machine_one/sess_1/")
    assert bucket.read_range(key, 0, 10**6) == shipped
    pass_time(world_time, two, TAKEOVER_SECONDS + 2)  # one says nothing any more
    assert (two.wire_dir / "taken-machine_one" / "sess_1.vgw").read_bytes() == shipped
    two.record(lambda: two.status("sess_1") == "interrupted")
    two.live()
    assert bucket.list("wire") == []
    events = bucket.read_range("sessions/sess_1/events.jsonl", 0, 10**6)
    assert b"before" in events


def test_a_machine_that_lives_keeps_its_calls(
    house: Callable[[str], House], world_time: Time, bucket: S3Blobs
) -> None:
    one, two = house("one"), house("two")
    one.call("sess_1")
    one.written("sess_1")
    for _ in range(int(TAKEOVER_SECONDS * 2)):
        world_time.seconds += 1
        one.live()
        two.live()
    assert not list(two.wire_dir.glob("taken-*/*"))
    assert len(bucket.list("wire/machine_one/sess_1/")) == 1


def test_only_one_of_the_living_takes_over(house: Callable[[str], House], world_time: Time) -> None:
    dead, two, three = house("dead"), house("two"), house("three")
    dead.call("sess_1")
    dead.written("sess_1")
    dead.live()
    for _ in range(int(TAKEOVER_SECONDS + 4)):
        world_time.seconds += 1
        two.live()
        three.live()
    taken = [len(list(each.wire_dir.glob("taken-*/*.vgw"))) for each in (two, three)]
    assert sorted(taken) == [0, 1]


def test_a_machine_that_comes_back_has_its_calls_again(
    house: Callable[[str], House], world_time: Time
) -> None:
    one, two = house("one"), house("two")
    one.call("sess_1")
    one.written("sess_1")
    one.live()
    pass_time(world_time, two, TAKEOVER_SECONDS + 2)
    assert list(two.wire_dir.glob("taken-*/*.vgw"))
    one.live()
    two.live()
    assert not list(two.wire_dir.glob("taken-*/*.vgw"))
    two.recorder.step()
    one.record(lambda: one.status("sess_1") == "live")


def test_a_database_that_was_away_for_all_makes_nobody_dead(
    house: Callable[[str], House], world_time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = house("one"), house("two")
    one.call("sess_1")
    one.written("sess_1")
    one.live()
    pass_time(world_time, two, TAKEOVER_SECONDS / 2 + 2)  # one is missing, but not for long

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        for name in ("refresh_leases", "lease_holders", "get_session"):
            patch.setattr(Store, name, away)
        for _ in range(int(TAKEOVER_SECONDS * 3)):
            world_time.seconds += 1
            for each in (one, two):
                with pytest.raises(StoreUnavailable):
                    each.live()
    two.machine.refresh()
    two.sharing._take_over()  # before one has had its turn
    assert not list(two.wire_dir.glob("taken-*/*"))
    one.live()
    pass_time_of_both(world_time, one, two)
    assert not list(two.wire_dir.glob("taken-*/*"))


def pass_time_of_both(world_time: Time, one: House, two: House) -> None:
    for _ in range(int(TAKEOVER_SECONDS)):
        world_time.seconds += 1
        one.live()
        two.live()


def test_what_is_finished_is_not_in_the_shared_store_any_more(
    house: Callable[[str], House], bucket: S3Blobs
) -> None:
    one = house("one")
    log = one.call("sess_1")
    one.written("sess_1")
    one.live()
    assert bucket.list("wire") != []
    log.close(1000, "", "client")
    one.record(lambda: one.status("sess_1") == "complete")
    until(lambda: one.recorder.step() or not one.recorder._recordings)
    one.live()
    assert bucket.list("wire") == []


def test_parts_of_a_session_that_was_finished_are_only_deleted(
    house: Callable[[str], House], world_time: Time, bucket: S3Blobs
) -> None:
    """As when the machine died between the end of the recording and its cleaning up."""
    two = house("two")
    bucket.put("wire/machine_one/sess_1/0000000000000000", b"VOXWIRE\x01")
    two.store.save_session({"id": "sess_1", "status": "complete"})
    pass_time(world_time, two, TAKEOVER_SECONDS + 2)
    assert bucket.list("wire") == []
    assert not list(two.wire_dir.glob("taken-*/*"))
    assert two.status("sess_1") == "complete"


def test_a_log_that_goes_on_is_shipped_on_and_put_together_whatever_the_parts(
    tmp_path: Path, house: Callable[[str], House], bucket: S3Blobs, world_time: Time
) -> None:
    two, path = house("two"), tmp_path / "logs" / "worker" / "sess_1.vgw"
    path.parent.mkdir(parents=True)
    for restart in range(3):  # each time from the beginning, and further
        shipper = Shipper(bucket, tmp_path / "logs", "machine_one")
        for piece in range(3):
            with path.open("ab") as log:
                log.write(bytes([restart, piece]) * 1000)
            shipper.step()
        shipper.close()
    assert len(bucket.list("wire/machine_one/sess_1/")) > 3
    pass_time(world_time, two, TAKEOVER_SECONDS + 2)
    assert (two.wire_dir / "taken-machine_one" / "sess_1.vgw").read_bytes() == path.read_bytes()


def test_behind_a_part_that_is_missing_nothing_is_used(
    house: Callable[[str], House], bucket: S3Blobs, world_time: Time
) -> None:
    two = house("two")
    for offset, data in ((0, b"abc"), (3, b"def"), (9, b"jkl")):
        bucket.put(f"wire/machine_one/sess_1/{offset:016d}", data)
    pass_time(world_time, two, TAKEOVER_SECONDS + 2)
    assert (two.wire_dir / "taken-machine_one" / "sess_1.vgw").read_bytes() == b"abcdef"


def test_a_store_that_fails_gets_the_logs_later(
    house: Callable[[str], House], bucket: S3Blobs, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.store.s3._REST_SECONDS", 0.0)
    one = house("one")
    one.call("sess_1")
    path = one.written("sess_1")
    with s3.failing(503), pytest.raises(StoreUnavailable):
        one.live()
    one.live()
    (key,) = bucket.list("wire/machine_one/sess_1/")
    assert bucket.read_range(key, 0, 10**6) == path.read_bytes()


def test_of_two_recorders_as_one_machine_the_second_waits_for_the_first(
    url: str, bucket: S3Blobs, tmp_path: Path
) -> None:
    """On another host, as with a copied data folder: no lock of a file says so."""
    with Store(url) as store:
        first, second = (
            Sharing(store, bucket, tmp_path, Machine(store, "machine_one", 8, host=host)) for host in "ab"
        )
        stop, working = threading.Event(), threading.Event()

        def work() -> None:
            with second.running(stop) as is_mine:
                if is_mine:
                    working.set()

        waiting = threading.Thread(target=work)
        with first.running(stop) as is_mine:
            assert is_mine
            waiting.start()
            assert not working.wait(6), "longer than a lease that nobody refreshes"
        assert working.wait(SECONDS)
        waiting.join()


def test_a_recorder_that_waits_for_its_place_can_be_stopped(
    url: str, bucket: S3Blobs, tmp_path: Path
) -> None:
    with Store(url) as store:
        first, second = (
            Sharing(store, bucket, tmp_path, Machine(store, "machine_one", 60, host=host)) for host in "ab"
        )
        stop = threading.Event()
        with first.running(threading.Event()):
            threading.Timer(0.3, stop.set).start()
            with second.running(stop) as is_mine:
                assert not is_mine


def test_the_next_recorder_on_the_same_host_need_not_wait(url: str) -> None:
    """The one before it was killed, and could not give its lease back."""
    with Store(url) as store:
        for _ in range(2):
            assert Machine(store, "machine_one", 60, host="a").enter(threading.Event())


def test_a_machine_keeps_its_id(tmp_path: Path) -> None:
    assert machine_id(tmp_path) == machine_id(tmp_path)
    (tmp_path / "other").mkdir()
    assert machine_id(tmp_path / "other") != machine_id(tmp_path)
