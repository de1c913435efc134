"""What is special about blobs in a bucket: when they get there, who sees them, and a store that fails."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.s3 import S3Server
from voxgate.core.errors import BlobsUnavailable, NotFound, SettingsError
from voxgate.core.settings import Settings
from voxgate.store import FolderBlobs, check_blobs, open_blobs, staged
from voxgate.store.s3 import S3Blobs
from voxgate.store.staged import StagedBlobs

SECONDS = 60


@pytest.fixture
def machine(tmp_path: Path, bucket: S3Blobs) -> Iterator[StagedBlobs]:
    made = StagedBlobs(FolderBlobs(tmp_path / "one"), bucket)
    yield made
    made.close()


@pytest.fixture
def other_machine(tmp_path: Path, bucket: S3Blobs) -> Iterator[StagedBlobs]:
    made = StagedBlobs(FolderBlobs(tmp_path / "two"), bucket)
    yield made
    made.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.binary(max_size=50), start=st.integers(0, 60), end=st.integers(0, 60))
def test_a_range_of_a_bucket_is_a_slice(bucket: S3Blobs, data: bytes, start: int, end: int) -> None:
    bucket.put("a", data)
    assert bucket.read_range("a", start, end) == data[start:end]


def test_what_is_not_in_the_bucket_cannot_be_read(bucket: S3Blobs) -> None:
    bucket.put("a/b", b"x")
    for key in ("a", "a/bc", "c"):
        assert bucket.size(key) is None
        with pytest.raises(NotFound):
            bucket.open(key)
        for start, end in ((0, 1), (2, 2)):
            with pytest.raises(NotFound):
                bucket.read_range(key, start, end)


def test_a_range_is_all_that_is_asked_of_the_server(bucket: S3Blobs, s3: S3Server) -> None:
    bucket.put("a", bytes(1_000_000))
    before = len(s3.requests())
    assert bucket.read_range("a", 500_000, 500_010) == bytes(10)
    assert [line.partition(" bytes=")[2] for line in s3.requests()[before:]] == ["500000-500009"]


def test_what_grows_is_seen_here_at_once_and_elsewhere_when_it_is_complete(
    machine: StagedBlobs, other_machine: StagedBlobs
) -> None:
    machine.append("s/1/events.jsonl", b"one\n")
    machine.append("s/1/events.jsonl", b"two\n")
    assert machine.read_range("s/1/events.jsonl", 4, 8) == b"two\n"
    assert other_machine.size("s/1/events.jsonl") is None
    assert machine.unsynced("s/1/") == ["s/1/events.jsonl"]
    until(lambda: machine.sync("s/1/events.jsonl"))
    assert machine.unsynced("s/1/") == []
    with other_machine.open("s/1/events.jsonl") as file:
        assert file.read() == b"one\ntwo\n"
    assert other_machine.list("s") == ["s/1/events.jsonl"]


def test_what_is_deleted_on_one_machine_is_gone_on_all(
    machine: StagedBlobs, other_machine: StagedBlobs
) -> None:
    machine.append("s/1/a", b"x")
    until(lambda: machine.sync("s/1/a"))
    assert other_machine.delete_prefix("s/1/") == 1
    assert other_machine.list() == []
    machine.delete_prefix("s/1/")
    assert machine.list() == []


def test_a_machine_keeps_what_is_up_for_a_while_only(
    machine: StagedBlobs, bucket: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.append("s/1/a", b"x")
    machine.append("s/2/growing", b"x")
    until(lambda: machine.sync("s/1/a"))
    machine.tidy()
    assert machine.local.size("s/1/a") == 1
    monkeypatch.setattr(staged, "_KEPT_SECONDS", 0.0)
    machine.tidy()
    assert machine.local.list() == ["s/2/growing"]
    assert machine.read_range("s/1/a", 0, 9) == b"x"
    assert bucket.list() == ["s/1/a"]


def test_what_an_earlier_process_left_goes_only_if_the_bucket_has_it(
    machine: StagedBlobs, bucket: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged, "_KEPT_SECONDS", -1.0)
    for key in ("s/1/up", "s/1/cut", "s/1/only-here"):
        machine.local.put(key, b"whole")
    bucket.put("s/1/up", b"whole")
    bucket.put("s/1/cut", b"who")
    machine.adopt()
    until(lambda: machine.local.size("s/1/up") is None)
    machine.close()
    assert machine.local.list() == ["s/1/cut", "s/1/only-here"]


@pytest.mark.parametrize("status", [500, 503])
def test_a_store_that_fails_for_a_while_gets_everything_afterwards(
    machine: StagedBlobs, bucket: S3Blobs, s3: S3Server, status: int
) -> None:
    """Longer than one request is tried again."""
    machine.append("s/1/a", b"x" * 100_000)
    with s3.failing(status):
        began = time.monotonic()
        assert machine.sync("s/1/a") is False
        assert time.monotonic() - began < SECONDS / 2, "the recorder does not wait for it"
        until(lambda: machine.sync("s/1/a") or machine._pauses)
        assert machine.read_range("s/1/a", 0, 1) == b"x"
        with pytest.raises(BlobsUnavailable, match=str(status)):
            bucket.size("s/1/a")
    until(lambda: machine.sync("s/1/a"))
    assert bucket.size("s/1/a") == 100_000
    assert any(line.endswith(str(status)) for line in s3.requests())


def test_one_failed_request_is_tried_again_by_itself(bucket: S3Blobs, s3: S3Server) -> None:
    bucket.put("a", b"x")

    with s3.failing(503):
        reading = threading.Thread(target=lambda: found.append(bucket.read_range("a", 0, 1)))
        found: list[bytes] = []
        before = len(s3.requests())
        reading.start()
        until(lambda: len(s3.requests()) > before)
    reading.join()
    assert found == [b"x"]


def test_while_a_store_is_away_only_one_caller_waits_for_it(
    bucket: S3Blobs, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.store.s3._REST_SECONDS", 1000.0)
    with s3.failing(500):
        with pytest.raises(BlobsUnavailable):
            bucket.size("a")
        before = len(s3.requests())
        for _ in range(20):
            with pytest.raises(BlobsUnavailable, match="not available now"):
                bucket.size("a")
        assert len(s3.requests()) == before


def test_a_large_file_goes_up_in_parts(bucket: S3Blobs, s3: S3Server, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(b"0123456789" * 1_200_000)
    before = len(s3.requests())
    bucket.put_file("a/large", source)
    assert bucket.size("a/large") == 12_000_000
    assert bucket.read_range("a/large", 11_999_990, 12_000_000) == b"0123456789"
    assert len([line for line in s3.requests()[before:] if line.startswith("PUT")]) > 1


# As the settings say it


def test_the_settings_say_bucket_prefix_endpoint_and_the_environment_the_keys(
    tmp_path: Path, bucket: S3Blobs, s3: S3Server
) -> None:
    url = f"s3://{s3.bucket}/{bucket.prefix}/inner"
    opened = open_blobs(Settings(data_dir=tmp_path, blobs_url=url, blobs_endpoint=s3.url))
    opened.put_file("a", Path(__file__))
    assert bucket.list() == ["inner/a"]


@pytest.mark.parametrize(
    ("what", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "AKIAX")]
)
def test_wrong_keys_are_told_at_the_start(
    tmp_path: Path, bucket: S3Blobs, s3: S3Server, monkeypatch: pytest.MonkeyPatch, what: str, value: str
) -> None:
    made = Settings(data_dir=tmp_path, blobs_url=f"s3://{s3.bucket}", blobs_endpoint=s3.url)
    check_blobs(made)
    monkeypatch.setenv(what, value)
    with pytest.raises(SettingsError, match=f"{s3.bucket}, cannot be used.*403"):
        check_blobs(made)


def test_a_bucket_that_is_not_there_is_told_at_the_start(
    tmp_path: Path, bucket: S3Blobs, s3: S3Server
) -> None:
    made = Settings(data_dir=tmp_path, blobs_url="s3://no-such-bucket", blobs_endpoint=s3.url)
    with pytest.raises(SettingsError, match="404"):
        check_blobs(made)


def test_a_store_that_does_not_answer_at_the_start_is_waited_for(
    tmp_path: Path, bucket: S3Blobs, s3: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    made = Settings(data_dir=tmp_path, blobs_url=f"s3://{s3.bucket}", blobs_endpoint=s3.url)
    with s3.failing(503):
        check_blobs(made)
    assert "Recordings wait on this machine" in caplog.text


def test_a_shared_folder_that_is_not_mounted_is_not_made(tmp_path: Path) -> None:
    made = Settings(data_dir=tmp_path, blobs_url=f"file://{tmp_path}/share")
    with pytest.raises(SettingsError, match="mount"):
        check_blobs(made)
    (tmp_path / "share").mkdir()
    check_blobs(made)
    open_blobs(made).put("a", b"x")
    assert (tmp_path / "share" / "a").is_file()


@pytest.mark.parametrize("wrong", ["bucket", "s3://", "s3:///x", "gs://b/x", "file://here", "s3://b/x y"])
def test_a_wrong_url_is_no_place_for_blobs(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match="blobs_url"):
        Settings(data_dir=tmp_path, blobs_url=wrong)


def test_nothing_of_s3_or_postgresql_is_loaded_where_it_is_not_wanted() -> None:

    program = (
        "import sys, voxgate.server, voxgate.jobs.process; from voxgate.store import Store, open_blobs;"
        "from voxgate.core.settings import Settings; import tempfile;"
        "made = Settings(data_dir=tempfile.mkdtemp()); Store(made.database_url).close(); open_blobs(made);"
        "print([name for name in sys.modules if name.partition('.')[0] in ('obstore', 'psycopg')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
