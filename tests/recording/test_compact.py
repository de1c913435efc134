"""Event logs that are put away: every byte of them comes back, and what is damaged says so."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.recording.logs import FORMATS, PREFIX, STEPS, RecordedCall, message, recorded

from voxgate.recording.compact import prove_compact, read_compact, write_compact, zstd
from voxgate.recording.tracks import DamagedRecording, FlacWriter, StoredTrack, open_track
from voxgate.recording.wirelog import CLIENT, SERVER


def put_tracks_away(call: RecordedCall) -> None:
    """As FLAC, where that can be."""
    for name, rate in call.rates.items():
        path = call.blobs.root / PREFIX / f"{name}.flac"
        pcm = call.blobs.root / PREFIX / f"{name}.pcm"
        if pcm.exists():
            with FlacWriter(path, rate) as flac:
                flac.write(pcm.read_bytes())
            pcm.unlink()


@contextmanager
def tracks_of(call: RecordedCall) -> Iterator[dict[Any, StoredTrack]]:
    tracks: dict[Any, StoredTrack] = {
        name: open_track(call.blobs, PREFIX, name, rate)
        for name, rate in call.rates.items()
        if any(call.blobs.size(f"{PREFIX}/{name}.{kind}") is not None for kind in ("pcm", "flac"))
    }
    yield tracks
    for track in tracks.values():
        track.close()


def compacted(lines: list[bytes], tracks: Mapping[Any, StoredTrack]) -> bytes:
    return compacted_and_end(lines, tracks)[0]


def compacted_and_end(lines: list[bytes], tracks: Mapping[Any, StoredTrack]) -> tuple[bytes, bytes]:
    target, ends = io.BytesIO(), list[bytes]()

    def write() -> Iterator[int]:
        ends.append((yield from write_compact(lines, tracks, target)))

    for _ in write():
        pass
    return target.getvalue(), ends[0]


def prove(lines: list[bytes], data: bytes, tracks: Mapping[Any, StoredTrack], end: bytes) -> None:
    for _ in prove_compact(io.BytesIO(b"".join(lines)), io.BytesIO(data), tracks, end):
        pass


def restored(data: bytes, tracks: Mapping[Any, StoredTrack]) -> list[bytes]:
    return list(read_compact(io.BytesIO(data), tracks))


@settings(max_examples=150, deadline=None)
@given(STEPS, st.booleans())
def test_every_line_of_any_call_comes_back_as_it_was(steps: Any, sound_is_recorded: bool) -> None:
    with TemporaryDirectory() as folder:
        call = recorded(Path(folder), steps, recorded={"audio": sound_is_recorded, "text": True})
        with tracks_of(call) as raw:
            data = compacted(call.lines, raw)
            assert restored(data, raw) == call.lines
        put_tracks_away(call)
        with tracks_of(call) as flac:
            assert restored(data, flac) == call.lines
            assert compacted(call.lines, flac) == data


def talk(call: RecordedCall, audio_format: Any, seconds: int = 4) -> int:
    """Sound in both directions, in pieces of odd lengths; how many bytes."""
    rnd = random.Random(5)
    audio = {"input": {"format": audio_format}, "output": {"format": audio_format}}
    call.text(SERVER, message(type="session.created", session={"audio": audio}))
    size = 0
    for _ in range(seconds * 20):
        up, down = rnd.randbytes(rnd.randrange(300, 900)), rnd.randbytes(rnd.randrange(300, 900))
        call.text(CLIENT, message(type="input_audio_buffer.append", audio=base64.b64encode(up).decode()))
        delta = {"item_id": "i", "response_id": "r", "delta": base64.b64encode(down).decode()}
        call.text(SERVER, message(type="response.output_audio.delta", **delta))
        size += len(up) + len(down)
    return size


@pytest.mark.parametrize("audio_format", FORMATS, ids=str)
def test_sound_is_kept_in_the_tracks_alone(tmp_path: Path, audio_format: Any) -> None:
    call = RecordedCall(tmp_path)
    size = talk(call, audio_format)
    call.finish()
    with tracks_of(call) as tracks:
        data = compacted(call.lines, tracks)
        assert restored(data, tracks) == call.lines
    # This sound is noise, so half of its zeros are negative ones, in mu-law.
    assert len(data) < size / 15


def test_sound_that_a_track_has_resampled_is_kept_in_the_log(tmp_path: Path) -> None:
    call = RecordedCall(tmp_path)
    before = talk(call, FORMATS[0])
    resampled = talk(call, FORMATS[1])
    after = talk(call, FORMATS[0])
    call.finish()
    with tracks_of(call) as tracks:
        data = compacted(call.lines, tracks)
        assert restored(data, tracks) == call.lines
    assert resampled < len(data) < resampled * 1.2 < before + after


def test_a_last_line_without_its_end_is_kept_so(tmp_path: Path) -> None:
    lines = [b'{"t":1}\n', b'{"t":2,"dir']
    assert restored(compacted(lines, {}), {}) == lines


def test_an_empty_log_is_one() -> None:
    assert restored(compacted([], {}), {}) == []


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, dict[Any, StoredTrack]]]:
    call = RecordedCall(tmp_path_factory.mktemp("stored"))
    talk(call, FORMATS[2], 1)
    call.finish()
    with tracks_of(call) as tracks:
        yield compacted(call.lines, tracks), tracks


def test_a_log_that_was_cut_anywhere_is_damaged(stored: tuple[bytes, dict[Any, StoredTrack]]) -> None:
    data, tracks = stored
    whole = restored(data, tracks)
    for cut in [*range(0, len(data) - 1, 37), *range(len(data) - 40, len(data) - 8)]:
        before: list[bytes] = []
        with pytest.raises(DamagedRecording):
            before.extend(read_compact(io.BytesIO(data[:cut]), tracks))
        assert before == whole[: len(before)]


def test_a_log_that_gives_its_lines_back_is_proven_and_no_other_one(tmp_path: Path) -> None:
    call = RecordedCall(tmp_path)
    talk(call, FORMATS[2], 1)
    call.finish()
    lines, chance = call.lines, random.Random(3)
    with tracks_of(call) as tracks:
        data, end = compacted_and_end(lines, tracks)
        prove(lines, data, tracks, end)
        others = [[*lines[:-1], lines[-1][:-1]], lines[:-1], [*lines, b"x\n"]]
        for number in chance.sample(range(len(lines)), 20):
            other = bytearray(lines[number])
            other[chance.randrange(len(other))] ^= 1
            others.append([*lines[:number], bytes(other), *lines[number + 1 :]])
        for changed in others:
            with pytest.raises(DamagedRecording):
                prove(changed, data, tracks, end)
        with pytest.raises(DamagedRecording):
            prove(lines, compacted(lines[:-1], tracks), tracks, end)
        with pytest.raises(DamagedRecording):
            prove(lines, data, tracks, end.replace(b'"lines":', b'"lines":1'))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_log_that_was_changed_gives_what_it_was_or_says_that_it_is_damaged(
    stored: tuple[bytes, dict[Any, StoredTrack]], data: st.DataObject
) -> None:
    good, tracks = stored
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        lines = restored(bytes(changed), tracks)
    except DamagedRecording:
        return
    assert lines == restored(good, tracks)


@given(st.binary(max_size=300), st.sampled_from(["as it is", "compressed", "lines"]))
def test_no_bytes_do_anything_but_say_that_they_are_no_log(data: bytes, how: str) -> None:
    head = b'{"format":"voxgate.events","version":1}\n'
    if how != "as it is":
        data = zstd.compress(data if how == "compressed" else head + data)
    with pytest.raises(DamagedRecording):
        restored(data, {})


def test_a_log_does_not_fit_to_other_tracks(
    stored: tuple[bytes, dict[Any, StoredTrack]], tmp_path: Path
) -> None:
    data, tracks = stored
    with pytest.raises(DamagedRecording, match="shorter"):
        restored(data, {})
    other = RecordedCall(tmp_path)
    talk(other, FORMATS[0], 3)
    other.finish()
    with tracks_of(other) as wrong, pytest.raises(DamagedRecording):
        restored(data, wrong)
    assert restored(data, tracks)


def test_a_log_of_a_later_version_is_refused_by_its_number() -> None:
    data = zstd.compress(b'{"format":"voxgate.events","version":2}\n.{}\n')
    with pytest.raises(DamagedRecording, match="version 2; this Voxgate reads 1"):
        restored(data, {})
