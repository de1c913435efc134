"""What was put away, and what is laid out only when somebody listens, over HTTP."""

from __future__ import annotations

import base64
import io
import os
import random
import signal
import time
import wave
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from tests.api.world import World
from tests.recording.logs import FORMATS, PREFIX, RecordedCall, message
from voxgate.api.archive import Archive
from voxgate.core.errors import NotFound, VoxgateError
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.tracks import CallMixer
from voxgate.recording.wirelog import CLIENT, SERVER

AUDIO = "/api/sessions/sess_1/audio"
EVENTS = "/api/sessions/sess_1/events"


def call_of(world: World, audio_format: Any = FORMATS[0]) -> RecordedCall:
    """Two seconds, of which half of the answer is heard."""
    rnd = random.Random(3)
    call = RecordedCall(world.blobs.root)
    audio = {"input": {"format": audio_format}, "output": {"format": audio_format}}
    call.text(SERVER, message(type="session.created", session={"audio": audio}))
    for _ in range(40):
        sound = base64.b64encode(rnd.randbytes(1200)).decode()
        call.text(CLIENT, message(type="input_audio_buffer.append", audio=sound))
    call.text(SERVER, message(type="response.created", response={"id": "r"}))
    for _ in range(40):
        sound = base64.b64encode(rnd.randbytes(1201)).decode()
        names = {"item_id": "i", "response_id": "r"}
        call.text(SERVER, message(type="response.output_audio.delta", delta=sound, **names))
    call.text(CLIENT, message(type="conversation.item.truncate", item_id="i", audio_end_ms=300))
    return call


def finish(world: World, call: RecordedCall) -> None:
    """As the recorder does it."""
    builder = call.finish()
    trace = builder.snapshot(live=False)
    mixer = CallMixer(world.blobs, PREFIX, builder.layout, trace.summary["duration_ms"])
    for _ in mixer.steps():
        pass
    trace.data["tracks"] |= mixer.tracks
    row = {**trace.row(), "id": "sess_1", "project": "shop", "status": "complete"}
    world.store.save_trace(row, [span.to_json() for span in trace.spans])


def put_away(world: World) -> None:
    compactor = Compactor(world.store, world.blobs, world.blobs.root.parent / "compact")
    compactor.add("sess_1")
    deadline = time.monotonic() + 30
    while any(world.blobs.root.parent.glob("compact/*.todo")):
        assert time.monotonic() < deadline
        compactor.step()
    compactor.close()
    assert not any(key.endswith((".pcm", "events.jsonl")) for key in world.blobs.list())


def get(client: TestClient, **params: str) -> bytes:
    response = client.get(AUDIO, params=params)
    assert response.status_code == 200, response.text
    return response.content


def read_wav(content: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(content)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        return samples.reshape(-1, sound.getnchannels())


@pytest.mark.parametrize("audio_format", FORMATS, ids=str)
def test_putting_a_recording_away_changes_nothing_that_can_be_asked_for(
    world: World, client: TestClient, audio_format: Any
) -> None:
    finish(world, call_of(world, audio_format))

    def everything() -> list[bytes]:
        tracks = [get(client, track=track) for track in ("user", "assistant", "heard", "mix")]
        return [*tracks, client.get(EVENTS).content]

    before = everything()
    put_away(world)
    assert everything() == before
    for track, wav in zip(("user", "assistant", "heard", "mix"), before, strict=False):
        flac, _ = soundfile.read(
            io.BytesIO(get(client, track=track, format="flac")), dtype="int16", always_2d=True
        )
        assert np.array_equal(flac, read_wav(wav))


def test_the_mix_has_the_user_left_and_what_was_heard_right(world: World, client: TestClient) -> None:
    finish(world, call_of(world))
    put_away(world)
    user, assistant = (read_wav(get(client, track=name))[:, 0] for name in ("user", "assistant"))
    mix = read_wav(get(client))
    left, right = mix[:, 0], mix[:, 1]
    sounding = np.flatnonzero(left)
    assert np.array_equal(left[sounding[0] : sounding[0] + len(user)], user)
    heard = np.flatnonzero(right)
    assert 7200 - 5 <= heard[-1] - heard[0] + 1 <= 7200  # 300 ms, with a zero at one of its ends perhaps
    assert np.array_equal(right[heard[0] : heard[0] + 7000], assistant[:7000])
    assert np.array_equal(read_wav(get(client, track="heard"))[:, 0], right)


@pytest.mark.parametrize("track", ["user", "mix"])
def test_any_range_of_what_was_put_away_is_a_slice_of_it(
    world: World, client: TestClient, track: str
) -> None:
    finish(world, call_of(world))
    put_away(world)
    whole = get(client, track=track)
    rnd = random.Random(4)
    for first, last in [
        (0, 0),
        (43, 44),
        (0, len(whole)),
        *(sorted(rnd.choices(range(len(whole)), k=2)) for _ in range(30)),
    ]:
        answer = client.get(AUDIO, params={"track": track}, headers={"range": f"bytes={first}-{last}"})
        assert (answer.status_code, answer.content) == (206, whole[first : last + 1])


def test_flac_of_what_was_put_away_is_the_stored_file(world: World, client: TestClient) -> None:
    finish(world, call_of(world))
    put_away(world)
    keys = world.blobs.list()
    with world.blobs.open(f"{PREFIX}/user.flac") as file:
        assert get(client, track="user", format="flac") == file.read()
    assert world.blobs.list() == keys


def test_a_clip_of_what_was_put_away_is_its_part_of_the_track(world: World, client: TestClient) -> None:
    finish(world, call_of(world))
    put_away(world)
    clip = {"id": "att_1", "name": "clip", "track": "user", "start_byte": 961, "end_byte": 20_000}
    world.store.save_spans("sess_1", [{"id": "s", "type": "user", "start_ms": 0, "attachments": [clip]}])
    found = client.get("/api/sessions/sess_1/attachments/att_1").content
    assert np.array_equal(read_wav(found), read_wav(get(client, track="user"))[480:10_000])


def test_a_running_call_can_be_heard_as_far_as_it_has_come(world: World, client: TestClient) -> None:
    call = call_of(world)
    call.finish()
    shapes = {name: {"rate": 24_000, "channels": 1} for name in ("user", "assistant")}
    world.add_session(status="live", data={"tracks": shapes})
    so_far = read_wav(get(client, track="mix"))
    assert so_far.shape[1] == 2
    assert so_far[:, 0].any()
    assert np.flatnonzero(so_far[:, 1])[-1] - np.flatnonzero(so_far[:, 1])[0] < 7200
    call.text(
        CLIENT, message(type="input_audio_buffer.append", audio=base64.b64encode(b"\1\1" * 12_000).decode())
    )
    call.finish()
    later = read_wav(get(client, track="mix"))
    assert len(later) >= len(so_far) + 11_000
    answer = client.get(AUDIO, params={"track": "heard", "format": "ogg"})
    assert answer.headers["content-type"] == "audio/ogg"
    assert soundfile.info(io.BytesIO(answer.content)).channels == 1
    assert "etag" not in answer.headers


@pytest.mark.parametrize("track", ["heard", "mix"])
def test_a_running_call_without_sound_has_nothing_to_be_heard(
    world: World, client: TestClient, track: str
) -> None:
    world.add_session(status="live", data={"tracks": {}})
    assert client.get(AUDIO, params={"track": track}).status_code == 404
    world.blobs.append(f"{PREFIX}/events.jsonl", b'{"t":1,"dir":"client","msg":{"type":"x"}}\n')
    response = client.get(AUDIO, params={"track": track})
    assert response.status_code == 404
    assert "Nothing was said yet" in response.json()["error"]["message"]


class PutAwayMeanwhile:
    """Blobs that are put away in the middle of an answer. Of a folder the opened file stays, of a bucket
    nothing does."""

    def __init__(self, blobs: Any, put_away: Callable[[], None], *, bucket: bool) -> None:
        self._blobs = blobs
        self._put_away = put_away
        self._bucket = bucket
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def open(self, key: str) -> Any:
        return OpenedBefore(self, key, self._blobs.open(key))

    def read(self, key: str, file: Any, size: int) -> bytes:
        self.reads += 1
        if self.reads == 3:
            self._put_away()
        if self._bucket and self._blobs.size(key) is None:
            raise NotFound(f"There is no blob {key}.")
        return file.read(size)


class OpenedBefore:
    def __init__(self, blobs: PutAwayMeanwhile, key: str, file: Any) -> None:
        self._blobs = blobs
        self._key = key
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int) -> bytes:
        return self._blobs.read(self._key, self._file, size)


@pytest.mark.parametrize("bucket", [False, True])
@pytest.mark.parametrize("what", ["user", "events"])
def test_an_answer_goes_on_when_the_recording_is_put_away_in_its_middle(
    world: World, client: TestClient, what: str, monkeypatch: pytest.MonkeyPatch, *, bucket: bool
) -> None:
    monkeypatch.setattr("voxgate.api.ranges.CHUNK_BYTES", 5000)
    monkeypatch.setattr("voxgate.api.sessions.CHUNK_BYTES", 5001)
    finish(world, call_of(world))

    def ask() -> bytes:
        return client.get(EVENTS).content if what == "events" else get(client, track=what)

    expected = ask()
    blobs = PutAwayMeanwhile(world.blobs, lambda: put_away(world), bucket=bucket)
    world.app.state.control = replace(world.app.state.control, blobs=blobs)
    assert ask() == expected
    assert blobs.reads >= 3


def test_a_damaged_recording_breaks_the_answer_and_nothing_else(world: World, client: TestClient) -> None:
    finish(world, call_of(world))
    put_away(world)
    good = get(client, track="user")
    world.blobs.put(f"{PREFIX}/events.zst", b"something else")
    response = client.get(EVENTS)
    assert response.status_code == 500
    assert "cannot be read" in response.json()["error"]["message"]
    assert get(client, track="user") == good
    world.blobs.put(f"{PREFIX}/assistant.flac", b"something else")
    response = client.get(AUDIO, params={"track": "assistant", "format": "ogg"})
    assert response.status_code == 500
    assert "cannot be read" in response.json()["error"]["message"]


# The process


def test_the_process_is_started_again_when_it_died_or_had_nothing_to_do(world: World) -> None:
    finish(world, call_of(world))
    put_away(world)
    archive = Archive(world.blobs, idle_seconds=0.2)
    first = archive.sound("sess_1", "user", "1")
    process_id = archive.process_id
    os.kill(process_id, signal.SIGKILL)
    assert archive.sound("sess_1", "user", "1") == first
    assert archive.process_id != process_id
    ended = archive._process
    assert ended.wait(30) == 0
    data = archive.read_sound("sess_1", "user", "1", 0, first.size)
    assert len(data) == first.size
    assert archive.read_sound("sess_1", "user", "1", first.size - 2, first.size + 6) == data[-2:] + bytes(6)
    archive.close()
    assert archive.process_id is None


class MortalArchive(Archive):
    """Whose process is killed before each of so many answers."""

    def __init__(self, blobs: Any, deaths: int) -> None:
        super().__init__(blobs)
        self.deaths = deaths

    def _exchange(self, question: tuple[Any, ...]) -> Any:
        if self.deaths:
            self.deaths -= 1
            self._connection = self._connection or self._start()
            assert self._process is not None
            self._process.kill()
        return super()._exchange(question)


@pytest.mark.parametrize(("deaths", "status"), [(2, 200), (3, 503)])
def test_a_process_that_is_killed_again_and_again_is_no_failure_of_ours(
    world: World, client: TestClient, deaths: int, status: int
) -> None:
    finish(world, call_of(world))
    put_away(world)
    archive = MortalArchive(world.blobs, deaths)
    world.app.state.control = replace(world.app.state.control, archive=archive)
    answer = client.get(EVENTS)
    assert answer.status_code == status
    assert "retry-after" in answer.headers or status == 200
    archive.close()


def test_a_process_that_cannot_be_started_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    archive = Archive(world.blobs)
    with pytest.raises(VoxgateError, match="died"):
        archive.sound("sess_1", "user", "1")
    archive.close()


def test_the_process_reads_several_logs_at_once_and_from_anywhere(world: World) -> None:
    finish(world, call_of(world))
    with world.blobs.open(f"{PREFIX}/events.jsonl") as file:
        whole = file.read()
    put_away(world)
    archive = Archive(world.blobs)
    pieces: dict[int, bytes] = {1000: b"", 1777: b""}
    for _ in range(len(whole) // 1000 + 1):
        for size, before in pieces.items():
            pieces[size] = before + archive.read_events("sess_1", len(before), size)
    assert all(found == whole for found in pieces.values())
    assert archive.read_events("sess_1", 5003, 100) == whole[5003:5103]
    assert archive.read_events("sess_1", len(whole), 100) == b""
    with pytest.raises(NotFound):
        archive.read_events("sess_2", 0, 100)
    archive.close()
