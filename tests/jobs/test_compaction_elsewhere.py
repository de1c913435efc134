"""Recordings that are put away in a bucket, also while it fails, and those that lack their sound or their
words: the same files, proofs and contents as in a folder.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.test_compaction import PUT_AWAY, RAW, World, put_away, talk, work
from tests.recording.logs import PREFIX, RecordedCall
from tests.s3 import S3Server

from voxgate.jobs.compaction import Compactor
from voxgate.realtime.screening import Screen
from voxgate.recording.reading import read_lines
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.store import FolderBlobs
from voxgate.store.s3 import S3Blobs
from voxgate.store.staged import StagedBlobs


class BucketWorld(World):
    """As a machine has it whose blobs are in a bucket, just after a call."""

    def __init__(self, folder: Path, bucket: S3Blobs) -> None:
        super().__init__(folder)
        self.bucket = bucket
        self.folder_blobs = self.blobs
        self.staged = StagedBlobs(self.folder_blobs, bucket)

    def add(self, call: RecordedCall) -> None:
        super().add(call)
        self.blobs = self.staged
        for key in self.staged.unsynced(f"{PREFIX}/"):
            while not self.staged.sync(key):
                pass

    def elsewhere(self) -> World:
        """Another machine's look at it."""
        other = World.__new__(World)
        other.blobs = StagedBlobs(FolderBlobs(self.folder / "elsewhere"), self.bucket)
        return other

    def forget(self) -> None:
        """What is up goes out of the folder, as some time after a call."""
        shutil.rmtree(self.folder_blobs.root)


@pytest.fixture
def world(tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketWorld]:
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("voxgate.store.s3._RETRIES", {"max_retries": 0})
    monkeypatch.setattr("voxgate.store.s3._REST_SECONDS", 0.0)
    monkeypatch.setattr("voxgate.jobs.compaction._PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("voxgate.jobs.compaction._LOOK_SECONDS", 0.0)
    made = BucketWorld(tmp_path, S3Blobs(s3.bucket, f"compaction/{uuid.uuid4().hex}", s3.url))
    yield made
    made.staged.close()
    made.store.close()


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_recording_in_a_bucket_is_put_away_there(world: BucketWorld, *, is_forgotten: bool) -> None:
    world.add(talk(RecordedCall(world.blobs.root)))
    before = world.content()
    if is_forgotten:
        world.forget()
    assert world.elsewhere().names >= RAW
    put_away(world)
    assert (world.names, world.content()) == (PUT_AWAY, before)
    assert (world.elsewhere().names, world.elsewhere().content()) == (PUT_AWAY, before)


class FailingAt(StagedBlobs):
    """The bucket fails from the nth operation on that this one is asked for."""

    def __init__(self, blobs: StagedBlobs, at: int, fail: Callable[[], None]) -> None:
        super().__init__(blobs.local, blobs.remote)
        self.count = 0
        self._at, self._fail = at, fail

    def _counted(self, name: str, *arguments: Any) -> Any:
        self.count += 1
        if self.count == self._at:
            self._fail()
        return getattr(super(), name)(*arguments)

    def size(self, key: str) -> Any:
        return self._counted("size", key)

    def open(self, key: str) -> Any:
        return self._counted("open", key)

    def put_file(self, key: str, source: Path) -> None:
        self._counted("put_file", key, source)

    def take_file(self, key: str, source: Path) -> None:
        self._counted("take_file", key, source)

    def delete_prefix(self, prefix: str) -> int:
        return int(self._counted("delete_prefix", prefix))

    def sync(self, key: str) -> bool:
        return bool(self._counted("sync", key))


@pytest.mark.parametrize("status", [500, 503])
def test_a_bucket_that_fails_in_the_middle_loses_nothing_and_is_waited_for(
    world: BucketWorld, s3: S3Server, status: int
) -> None:
    """Whatever operation is the first that it fails; each time with the recording in the bucket alone."""
    world.add(talk(RecordedCall(world.blobs.root), seconds=0.5))
    before = world.content()
    raw = {key: world.bucket.read_range(key, 0, 1 << 30) for key in world.bucket.list(PREFIX)}
    world.forget()
    counting = FailingAt(world.staged, -1, lambda: None)
    put_away(world, blobs=counting)
    counting.close()
    assert counting.count > 12
    for at in range(1 + status % 2, counting.count, 4):
        restore(world, raw)
        assert world.content() == before
        with pytest.MonkeyPatch.context() as patch:
            failing = s3.failing(status)
            blobs = FailingAt(world.staged, at, failing.__enter__)
            compactor = world.compactor(blobs=blobs)
            tried = count_of_pauses(patch)
            try:
                work(compactor, lambda tried=tried: bool(tried) or not world.marks)
            finally:
                failing.__exit__(None, None, None)
        assert tried
        assert world.marks == ["sess_1.todo"]
        assert world.elsewhere().content() == before
        work(compactor, lambda: not world.marks)
        compactor.close()
        blobs.close()
        assert (world.names, world.elsewhere().content()) == (PUT_AWAY, before)


def restore(world: BucketWorld, raw: dict[str, bytes]) -> None:
    world.staged.delete_prefix(f"{PREFIX}/")
    for key, data in raw.items():
        world.bucket.put(key, data)
    (world.folder / "compact" / "sess_1.todo").touch()


def count_of_pauses(patch: pytest.MonkeyPatch) -> list[Exception]:
    """Why it was put off."""
    found: list[Exception] = []
    put_off = Compactor._try_later

    def noted(self: Compactor, work: Any, error: Exception) -> None:
        found.append(error)
        put_off(self, work, error)

    patch.setattr(Compactor, "_try_later", noted)
    return found


# What was not recorded


class ScreenedCall(RecordedCall):
    """Whose sound or words never came to the disk."""

    def __init__(self, folder: Path, *, audio: bool, text: bool) -> None:
        self._screen = Screen(audio, text)
        super().__init__(folder, recorded={"audio": audio, "text": text})

    def text(self, kind: int, text: bytes) -> None:
        screened = self._screen.message(text)
        assert screened is not None
        super().text(kind, screened)


SPOKEN = b'{"type":"response.output_audio_transcript.delta","item_id":"i","response_id":"r","delta":"QUINCE"}'
ASKED = b'{"type":"session.update","session":{"instructions":"QUINCE"}}'


@pytest.mark.parametrize(
    ("audio", "text", "stored"),
    [(False, True, {"events.zst"}), (True, False, PUT_AWAY), (False, False, {"events.zst"})],
)
def test_a_call_without_its_sound_or_its_words_is_put_away(
    tmp_path: Path, *, audio: bool, text: bool, stored: set[str]
) -> None:
    world = World(tmp_path)
    call = ScreenedCall(world.blobs.root, audio=audio, text=text)
    call.text(CLIENT, ASKED)
    talk(call)
    call.text(SERVER, SPOKEN)
    world.add(call)
    lines = b"".join(call.lines)
    sounds = [world.sound(name) for name in ("user", "assistant")] if audio else []
    assert (b"[not recorded: " in lines, b"QUINCE" in lines) == (not audio, text)
    put_away(world)
    assert world.names == stored
    assert b"".join(read_all(world)) == lines
    assert [world.sound(name) for name in ("user", "assistant") if audio] == sounds
    world.store.close()


def read_all(world: World) -> Iterator[bytes]:
    return read_lines(world.blobs, PREFIX)
