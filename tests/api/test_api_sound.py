"""Tracks, clips and peaks over HTTP, whole and in ranges."""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import wave
from functools import partial
from typing import Any

import pytest
import soundfile
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.world import TRACKS, World
from voxgate.api import transcode
from voxgate.api.answers import RangeNotSatisfiable
from voxgate.api.ranges import Slice, parse_range
from voxgate.api.wav import wav_header
from voxgate.core.errors import VoxgateError
from voxgate.store import BEGUN_AGAIN, FolderBlobs

AUDIO = "/api/sessions/sess_1/audio"
PCM = random.Random(7).randbytes(4800)


@pytest.fixture
def recorded(world: World) -> World:
    world.add_session()
    for track in ("user", "assistant", "heard"):
        world.add_pcm(track, PCM)
    world.add_pcm("mix", PCM * 2)
    return world


def read_wav(content: bytes) -> tuple[int, int, bytes]:
    with wave.open(io.BytesIO(content)) as sound:
        assert sound.getsampwidth() == 2
        return sound.getframerate(), sound.getnchannels(), sound.readframes(sound.getnframes())


def test_a_track_is_a_wav_file_of_its_samples(recorded: World, client: TestClient) -> None:
    response = client.get(AUDIO, params={"track": "user"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-length"] == str(44 + len(PCM))
    assert "content-disposition" not in response.headers
    assert read_wav(response.content) == (24_000, 1, PCM)


def test_the_default_is_the_stereo_mix(recorded: World, client: TestClient) -> None:
    assert read_wav(client.get(AUDIO).content) == (24_000, 2, PCM * 2)


@pytest.mark.parametrize("kind", ["wav", "flac"])
@pytest.mark.parametrize(
    ("first", "last"), [(0, 0), (0, 43), (40, 50), (44, 44), (100, 10_000_000), (17, 4001)]
)
def test_a_range_is_a_slice_of_the_whole(
    recorded: World, client: TestClient, kind: str, first: int, last: int
) -> None:
    params = {"track": "user", "format": kind}
    whole = client.get(AUDIO, params=params).content
    part = client.get(AUDIO, params=params, headers={"range": f"bytes={first}-{last}"})
    assert part.status_code == 206
    assert part.content == whole[first : last + 1]
    assert part.headers["content-range"] == f"bytes {first}-{min(last, len(whole) - 1)}/{len(whole)}"
    assert part.headers["content-length"] == str(len(part.content))


def test_a_suffix_and_an_open_range(recorded: World, client: TestClient) -> None:
    whole = client.get(AUDIO).content
    assert client.get(AUDIO, headers={"range": "bytes=-100"}).content == whole[-100:]
    assert client.get(AUDIO, headers={"range": "bytes=9000-"}).content == whole[9000:]
    everything = client.get(AUDIO, headers={"range": "bytes=-99999999"})
    assert (everything.status_code, everything.content) == (206, whole)


@pytest.mark.parametrize("header", ["bytes=9644-", "bytes=999999-9999999", "bytes=-0"])
def test_a_range_after_the_end_is_a_416(recorded: World, client: TestClient, header: str) -> None:
    response = client.get(AUDIO, headers={"range": header})
    assert response.status_code == 416
    assert response.headers["content-range"] == "bytes */9644"
    assert response.json()["error"]["code"] == "range_not_satisfiable"


@pytest.mark.parametrize(
    "header", ["bytes=5-2", "bytes=-", "bytes=a-b", "items=0-5", "bytes=0-1,4-5", "0-5", ""]
)
def test_a_range_that_is_not_understood_gives_the_whole(
    recorded: World, client: TestClient, header: str
) -> None:
    response = client.get(AUDIO, headers={"range": header})
    assert (response.status_code, len(response.content)) == (200, 9644)


def test_head_has_the_headers_and_no_bytes(recorded: World, client: TestClient) -> None:
    whole = client.get(AUDIO)
    response = client.head(AUDIO, headers={"range": "bytes=0-9"})
    assert (response.status_code, response.content) == (200, b"")
    for name in ("content-length", "content-type", "accept-ranges", "etag"):
        assert response.headers[name] == whole.headers[name]


def test_a_player_that_has_the_sound_need_not_fetch_it_again(recorded: World, client: TestClient) -> None:
    etag = client.get(AUDIO).headers["etag"]
    assert client.get(AUDIO, headers={"if-none-match": etag}).status_code == 304
    ranged = {"range": "bytes=0-9"}
    assert client.get(AUDIO, headers=ranged | {"if-range": etag}).status_code == 206
    assert client.get(AUDIO, headers=ranged | {"if-range": '"another"'}).status_code == 200


def test_the_sound_of_a_rebuilt_session_is_fetched_again(recorded: World, client: TestClient) -> None:
    etag = client.get(AUDIO).headers["etag"]
    recorded.add_session()
    assert client.get(AUDIO, headers={"if-none-match": etag}).status_code == 200


def test_each_format_of_a_track_has_its_own_etag(recorded: World, client: TestClient) -> None:
    tags = {
        client.head(AUDIO, params={"track": "user", "format": kind}).headers["etag"]
        for kind in ("wav", "flac")
    }
    assert len(tags) == 2


def test_a_download_is_saved_under_a_telling_name(recorded: World, client: TestClient) -> None:
    headers = client.get(AUDIO, params={"track": "user", "format": "flac", "download": "1"}).headers
    assert headers["content-disposition"] == 'attachment; filename="sess_1-user.flac"'


def test_flac_holds_exactly_the_samples(recorded: World, client: TestClient) -> None:
    response = client.get(AUDIO, params={"format": "flac"})
    assert response.headers["content-type"] == "audio/flac"
    samples, rate = soundfile.read(io.BytesIO(response.content), dtype="int16")
    assert (rate, samples.shape) == (24_000, (2400, 2))
    assert samples.astype("<i2").tobytes() == PCM * 2


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100])
def test_ogg_lasts_as_long_as_the_track(world: World, client: TestClient, rate: int) -> None:
    world.add_session(data={"tracks": {"user": {"rate": rate, "channels": 1, "bytes": 2 * rate}}})
    world.add_pcm("user", b"\0\0" * rate)
    response = client.get(AUDIO, params={"track": "user", "format": "ogg"})
    assert response.headers["content-type"] == "audio/ogg"
    found = soundfile.info(io.BytesIO(response.content))
    assert found.frames / found.samplerate == pytest.approx(1.0, abs=0.03)


def test_another_format_is_encoded_once_and_kept(recorded: World, client: TestClient) -> None:
    first = client.get(AUDIO, params={"track": "user", "format": "ogg"}).content
    assert "sessions/sess_1/user.ogg" in recorded.blobs.list()
    recorded.blobs.put("sessions/sess_1/user.ogg", b"the kept one")
    assert client.get(AUDIO, params={"track": "user", "format": "ogg"}).content == b"the kept one" != first


def test_the_growing_tracks_of_a_live_call_can_be_heard(world: World, client: TestClient) -> None:
    world.add_session(status="live")
    url = {"track": "user"}
    assert read_wav(client.get(AUDIO, params=url).content) == (24_000, 1, b"")
    world.blobs.append("sessions/sess_1/user.pcm", PCM[:1001])  # in the middle of a sample
    response = client.get(AUDIO, params=url)
    assert read_wav(response.content) == (24_000, 1, PCM[:1000])
    assert "etag" not in response.headers
    world.blobs.append("sessions/sess_1/user.pcm", PCM[1001:])
    assert read_wav(client.get(AUDIO, params=url).content) == (24_000, 1, PCM)


def test_another_format_of_a_live_track_is_not_kept(
    world: World, client: TestClient, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    world.add_session(status="live")
    world.add_pcm("user", PCM)
    response = client.get(AUDIO, params={"track": "user", "format": "flac"})
    assert soundfile.info(io.BytesIO(response.content)).frames == 2400
    assert world.blobs.list() == ["sessions/sess_1/user.pcm"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_track_that_is_not_there_is_a_404(world: World, client: TestClient) -> None:
    world.add_session(data={"tracks": {"user": TRACKS["user"]}})
    messages = {"assistant": "no track 'assistant'", "user": "no longer kept", "mix": "no track 'mix'"}
    for track, message in messages.items():
        response = client.get(AUDIO, params={"track": track})
        assert response.status_code == 404
        assert message in response.json()["error"]["message"]


@pytest.mark.parametrize(("name", "value"), [("track", "drums"), ("format", "mp3"), ("download", "maybe")])
def test_a_wrong_choice_is_named(recorded: World, client: TestClient, name: str, value: str) -> None:
    response = client.get(AUDIO, params={name: value})
    assert (response.status_code, response.json()["error"]["param"]) == (400, name)


def test_an_encoder_that_fails_says_why_and_leaves_nothing(tmp_path: Any) -> None:
    with pytest.raises(VoxgateError, match="could not be encoded as flac"):
        transcode.encode([b"\0\0"] * 100_000, "flac", 24_000, 1, tmp_path / "no such folder" / "a.flac")


def add_clip(world: World, **more: Any) -> None:
    clip = {"id": "att_1", "name": "clip", "track": "user"} | more
    world.store.save_spans("sess_1", [{"id": "s", "type": "user", "start_ms": 0, "attachments": [clip]}])


def test_a_clip_is_its_part_of_the_track(recorded: World, client: TestClient) -> None:
    add_clip(recorded, start_byte=960, end_byte=1920)
    url = "/api/sessions/sess_1/attachments/att_1"
    whole = client.get(url)
    assert whole.headers["content-type"] == "audio/wav"
    assert read_wav(whole.content) == (24_000, 1, PCM[960:1920])
    part = client.get(url, headers={"range": "bytes=40-99"})
    assert (part.status_code, part.content) == (206, whole.content[40:100])
    assert client.head(url).headers["content-length"] == str(44 + 960)


def test_a_clip_beyond_its_track_stops_at_the_end(recorded: World, client: TestClient) -> None:
    add_clip(recorded, start_byte=4000, end_byte=9999)
    url = "/api/sessions/sess_1/attachments/att_1"
    assert read_wav(client.get(url).content) == (24_000, 1, PCM[4000:])
    add_clip(recorded, start_byte=8000, end_byte=9999)
    assert read_wav(client.get(url).content) == (24_000, 1, b"")


def test_an_attachment_without_sound_is_not_found(recorded: World, client: TestClient) -> None:
    add_clip(recorded)
    assert client.get("/api/sessions/sess_1/attachments/att_1").status_code == 404
    assert client.get("/api/sessions/sess_1/attachments/att_2").status_code == 404


def test_peaks_come_as_they_were_made(recorded: World, client: TestClient) -> None:
    missing = client.get("/api/sessions/sess_1/peaks")
    assert missing.status_code == 404
    assert "not made yet" in missing.json()["error"]["message"]
    recorded.blobs.put("sessions/sess_1/peaks.json", b'{"per_second":50,"user":[0.5]}')
    assert client.get("/api/sessions/sess_1/peaks").json() == {"per_second": 50, "user": [0.5]}


def test_a_call_that_has_just_ended_has_no_peaks_as_bytes_and_that_is_no_error(
    recorded: World, client: TestClient
) -> None:
    answer = client.get("/api/sessions/sess_1/peaks", params={"format": "bytes", "start": 100})
    assert answer.status_code == 200
    assert answer.content == b"VXPK" + struct.pack("<BBHII", 1, 50, 3, 100, 0)


def test_peaks_as_bytes_are_made_of_the_stored_ones_and_can_begin_anywhere(
    recorded: World, client: TestClient
) -> None:
    stored = b'{"per_second":50,"user":[0.25,1],"assistant":[0,0.04],"heard":[0,0]}'
    recorded.blobs.put("sessions/sess_1/peaks.json", stored)
    url = "/api/sessions/sess_1/peaks"
    whole = client.get(url, params={"format": "bytes"})
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.content == b"VXPK\x01\x32\x03\0\0\0\0\0\x02\0\0\0" + bytes([128, 255, 0, 51, 0, 0])
    rest = client.get(url, params={"format": "bytes", "start": 1}).content
    assert rest[8:] == b"\x01\0\0\0\x01\0\0\0" + bytes([255, 51, 0])


def test_a_call_that_has_just_begun_or_ended_has_no_peaks_and_that_is_no_error(
    world: World, client: TestClient
) -> None:
    world.add_session(status="live")
    answer = client.get("/api/sessions/sess_1/peaks", params={"format": "bytes", "start": 9})
    assert answer.status_code == 200
    assert answer.content == b"VXPK\x01\x32\x03\0\x09\0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "status"), [({"redaction": {"state": "pending"}}, 409), ({BEGUN_AGAIN: True}, 503)]
)
def test_a_call_that_may_not_be_shown_yet_has_no_peaks_as_bytes_and_that_is_no_error(
    world: World, client: TestClient, data: dict[str, Any], status: int
) -> None:
    """Pages ask once a second."""
    world.add_session(status="live", data=data)
    world.blobs.put("sessions/sess_1/peaks.bin", b"secret")
    answer = client.get("/api/sessions/sess_1/peaks", params={"format": "bytes", "start": 9})
    assert (answer.status_code, answer.content) == (200, b"VXPK\x01\x32\x03\0\x09\0\0\0\0\0\0\0")
    assert client.get("/api/sessions/sess_1/peaks").status_code == status


LISTEN = "/api/sessions/sess_1/listen"


def test_who_listens_in_hears_the_call_until_it_ends(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_session(status="live")
    sound_of_a_minute = b"\1\1" * 24_000 * 60
    audio = base64.b64encode(sound_of_a_minute).decode()
    line = {"t": 4_000_000_000, "dir": "client", "msg": {"type": "input_audio_buffer.append", "audio": audio}}
    log = json.dumps(line).encode() + b'\n{"t":5000000000,"dir":"gateway","msg":{"type":"gateway.x"}}\n'
    world.blobs.append("sessions/sess_1/events.jsonl", log)
    world.add_pcm("user", sound_of_a_minute)
    archive, pieces = world.app.state.control.archive, []
    hear = archive.listen

    def listen(session_id: str, listener: str) -> tuple[float, bytes]:
        """The call is over as soon as something of it was heard: the first time the answer only begins."""
        start_ms, sound = hear(session_id, listener)
        pieces.append(sound)
        if len(b"".join(pieces[1:])) >= 4000:
            world.add_session(status="complete")
        return start_ms, sound

    monkeypatch.setattr(archive, "listen", listen)
    heard = client.get(LISTEN)
    assert heard.headers["content-type"] == "audio/pcm;rate=24000;channels=2"
    assert 4000 <= int(heard.headers["x-voxgate-start-ms"]) < 60_000  # it goes on while its log is read
    assert len(heard.content) % 4 == 0
    assert heard.content[:4000] == b"\1\1\0\0" * 1000


def test_only_a_running_call_whose_sound_is_recorded_can_be_listened_to(
    world: World, client: TestClient
) -> None:
    world.add_session()
    assert client.get(LISTEN).status_code == 409
    world.add_session(status="live", data={"recorded": {"audio": False}})
    assert client.get(LISTEN).status_code == 404
    world.add_session(status="live", data={"redaction": {"state": "pending"}})
    assert client.get(LISTEN).status_code == 409


@given(
    size=st.integers(0, 60),
    first=st.none() | st.integers(0, 70),
    last=st.none() | st.integers(0, 70),
)
def test_a_parsed_range_is_what_slicing_would_give(size: int, first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    data = bytes(range(size))
    if first is None:
        expected = data[-last:] if last else b""
    else:
        expected = data[first : None if last is None else last + 1]
    try:
        part = parse_range(header, size)
    except RangeNotSatisfiable:
        assert expected == b""
        return
    if part is None:  # not a range at all
        assert first is None if last is None else (first or 0) > last
        return
    assert data[part[0] : part[1]] == expected != b""


@given(st.text(max_size=30), st.integers(0, 100))
def test_no_range_header_breaks_the_parser(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        try:
            part = parse_range(header, size)
        except RangeNotSatisfiable:
            continue
        assert part is None or 0 <= part[0] < part[1] <= size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    head=st.binary(max_size=10),
    body=st.binary(max_size=30),
    cut=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    part=st.tuples(st.integers(0, 50), st.integers(0, 50)),
)
def test_a_header_before_a_slice_of_a_blob_reads_as_one(
    tmp_path: Any, head: bytes, body: bytes, cut: tuple[int, int], part: tuple[int, int]
) -> None:
    blobs = FolderBlobs(tmp_path)
    blobs.put("b", body)
    start, end = sorted(min(edge, len(body)) for edge in cut)
    content = Slice(partial(blobs.read_range, "b"), start, end, head)
    whole = head + body[start:end]
    assert content.size == len(whole)
    first, last = sorted(min(edge, len(whole)) for edge in part)
    assert content.read(first, last) == whole[first:last]


def test_the_header_of_a_very_long_track_stays_a_header() -> None:
    assert len(wav_header(48_000, 2, 2**33)) == 44
