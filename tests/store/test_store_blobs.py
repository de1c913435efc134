"""Blobs, in a folder and in a bucket of a real S3 server: the same tests."""

from __future__ import annotations

import errno
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxgate.core.errors import NotFound, VoxgateError
from voxgate.store import Blobs, FolderBlobs


def test_appends_add_up(blobs: Blobs) -> None:
    blobs.append("sessions/a/events.jsonl", b"one\n")
    blobs.append("sessions/a/events.jsonl", b"two\n")
    with blobs.open("sessions/a/events.jsonl") as file:
        assert file.read() == b"one\ntwo\n"
    assert blobs.size("sessions/a/events.jsonl") == 8


def test_put_replaces_the_whole_and_leaves_no_other_file(tmp_path: Path, blobs: Blobs) -> None:
    blobs.put("a/b.json", b"a long first version")
    blobs.put("a/b.json", b"short")
    assert blobs.read_range("a/b.json", 0, 100) == b"short"
    assert [path.name for path in (tmp_path / "blobs/a").iterdir()] == ["b.json"]


def test_a_reader_never_sees_half_a_put(blobs: Blobs) -> None:
    versions = [bytes([n]) * 200_000 for n in range(40)]
    blobs.put("a", versions[0])
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(blobs.read_range("a", 0, 1_000_000))

    reader = threading.Thread(target=read)
    reader.start()
    for version in versions:
        blobs.put("a", version)
    done.set()
    reader.join()
    assert seen <= set(versions)


def test_a_file_can_be_put_and_stays(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 300_000)
    blobs.put_file("a/b", source)
    assert blobs.size("a/b") == 300_000
    assert source.exists()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_can_be_taken_and_its_name_may_go(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    if not links:
        monkeypatch.setattr("os.link", no_links)
    source = tmp_path / "source"
    source.write_bytes(b"x" * 300_000)
    blobs.put("a/b", b"old")
    blobs.take_file("a/b", source)
    source.unlink()
    assert blobs.read_range("a/b", 0, 400_000) == b"x" * 300_000
    assert blobs.list() == ["a/b"]


def test_a_failed_put_keeps_the_old_bytes(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put("a/b", b"old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("voxgate.store.blobs._write_through", full)
    with pytest.raises(OSError, match="disk full"):
        blobs.put("a/b", b"new")
    assert blobs.read_range("a/b", 0, 9) == b"old"
    assert [path.name for path in (tmp_path / "blobs/a").iterdir()] == ["b"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(data=st.binary(max_size=50), start=st.integers(0, 60), end=st.integers(0, 60))
def test_a_range_is_a_slice(blobs: Blobs, data: bytes, start: int, end: int) -> None:
    blobs.put("a", data)
    assert blobs.read_range("a", start, end) == data[start:end]


def test_what_is_not_there_has_no_size_and_cannot_be_read(blobs: Blobs) -> None:
    blobs.append("a/b", b"x")
    for key in ("c", "a", "a/b/c"):
        assert blobs.size(key) is None
    for key in ("c", "a"):
        with pytest.raises(NotFound, match="no blob"):
            blobs.open(key)
        with pytest.raises(NotFound):
            blobs.read_range(key, 0, 1)
    with pytest.raises(NotFound):
        blobs.sync("c")


def test_a_prefix_means_whole_segments(blobs: Blobs) -> None:
    for key in ("s/a/1", "s/a/d/2", "s/ab/3", "t"):
        blobs.put(key, b"x")
    assert blobs.list() == ["s/a/1", "s/a/d/2", "s/ab/3", "t"]
    assert blobs.list("s/a") == blobs.list("s/a/") == ["s/a/1", "s/a/d/2"]
    assert blobs.list("t") == ["t"]
    assert blobs.list("nothing/") == []
    assert blobs.delete_prefix("s/a/") == 2
    assert blobs.delete_prefix("s/a/") == 0
    assert blobs.delete_prefix("t") == 1
    assert blobs.list() == ["s/ab/3"]


def synced(blobs: Blobs, key: str) -> None:
    deadline = time.monotonic() + 30
    while not blobs.sync(key):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_synced_bytes_are_there(blobs: Blobs) -> None:
    blobs.append("a/b", b"x")
    synced(blobs, "a/b")
    assert blobs.read_range("a/b", 0, 1) == b"x"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "a/../b",
        "a//b",
        "a/",
        ".hidden",
        "a/.x",
        "a b",
        "a\\b",
        "a\0",
        "ä",
        "a\n",
    ],
)
def test_a_key_that_could_leave_the_folder_is_refused(blobs: Blobs, key: str) -> None:
    with pytest.raises(VoxgateError):
        blobs.put(key, b"x")
    with pytest.raises(ValueError, match="not a key"):
        blobs.open(key)


def test_no_prefix_deletes_everything_by_accident(blobs: Blobs) -> None:
    blobs.put("a", b"x")
    for prefix in ("", "/", ".", ".."):
        with pytest.raises(VoxgateError):
            blobs.delete_prefix(prefix)
    assert blobs.list() == ["a"]


def test_another_process_gets_the_same_blobs(blobs: Blobs) -> None:
    """As the one that reads recordings for the API gets them."""
    blobs.put_file("a/b", Path(__file__))
    other: Blobs = pickle.loads(pickle.dumps(blobs))
    with other.open("a/b") as file:
        assert file.read() == Path(__file__).read_bytes()


def test_a_cleared_prefix_has_nothing_of_before_when_something_new_is_stored(blobs: Blobs) -> None:
    for key in ("s/a/1", "s/a/2", "s/ab/3"):
        blobs.put(key, b"old")
        synced(blobs, key)
    blobs.clear("s/a/")
    blobs.append("s/a/2", b"new")
    synced(blobs, "s/a/2")
    assert blobs.list("s") == ["s/a/2", "s/ab/3"]
    assert blobs.read_range("s/a/2", 0, 9) == b"new"


def test_folders_are_what_blobs_are_under(blobs: Blobs) -> None:
    for key in ("wire/m1/s1/0", "wire/m1/s2/0", "wire/m2/s3/0", "other/x"):
        blobs.put(key, b"x")
        synced(blobs, key)
    assert blobs.folders("wire") == blobs.folders("wire/") == ["m1", "m2"]
    assert blobs.folders("wire/m1") == ["s1", "s2"]
    assert blobs.folders("nothing") == blobs.folders("wire/m1/s1") == []


def test_a_blob_can_be_read_from_anywhere(blobs: Blobs, tmp_path: Path) -> None:
    data = bytes(range(256)) * 12_000
    (tmp_path / "source").write_bytes(data)
    blobs.put_file("a/b", tmp_path / "source")
    with blobs.open("a/b") as file:
        assert file.seek(-3, 2) == len(data) - 3
        assert file.read() == data[-3:]
        file.seek(2_000_001)
        assert file.read(100_000) == data[2_000_001:2_100_001]
        assert file.tell() == 2_100_001
        file.seek(0)
        assert file.read() == data


def test_every_backend_does_what_one_must(blobs: Blobs) -> None:
    backend: Blobs = blobs
    operations = [name for name in vars(Blobs) if not name.startswith("_")]
    assert len(operations) > 10
    assert all(callable(getattr(backend, name)) for name in operations)


def test_a_folder_goes_also_while_somebody_still_writes_there(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    write = "import sys\nfrom voxgate.store import FolderBlobs\nblobs = FolderBlobs(sys.argv[1])\n"
    write += "print(flush=True)\nwhile True:\n"
    write += " try: blobs.put('sessions/a/b', b'x')\n except FileNotFoundError: pass"  # the folder went
    with subprocess.Popen([sys.executable, "-c", write, tmp_path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        try:
            writer.stdout.readline()
            for _ in range(2000):
                blobs.delete_prefix("sessions/a/")
        finally:
            writer.kill()
    blobs.delete_prefix("sessions/a/")
    assert blobs.list("sessions/a/") == []
