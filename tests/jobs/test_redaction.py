"""What rules find is nowhere afterwards: real wire logs, a real recorder, store, files, and compaction."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.jobs.recorded import Bench, begin, end, say, wait_for
from tests.jobs.test_requests import wav
from tests.traces.calls import b64

from voxgate.core.patterns import BUILT_IN
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.rebuilding import Rebuilder
from voxgate.jobs.redaction import Redactions
from voxgate.realtime.frames import BINARY, encode_frame
from voxgate.recording.eventlog import read_events
from voxgate.recording.reading import read_lines
from voxgate.recording.spool import WireLog
from voxgate.recording.wirelog import CLIENT, SERVER
from voxgate.store import REBUILD
from voxgate.traces import build_trace

CARD = "4111 1111 1111 1111"
PATTERNS = {"card_number": BUILT_IN["card_number"], "order": r"ORD-\d{6}"}
RATES = {"audio/pcm": (24_000, 2), "audio/pcmu": (8000, 1), "audio/pcma": (8000, 1)}
PREFIX = "sessions/sess_1"


class Redacting(Bench):
    def __init__(self, folder: Path, patterns: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.patterns = PATTERNS if patterns is None else patterns
        super().__init__(folder)

    def new_recorder(self, **parts: Any) -> Any:
        # The calls of `begin` belong to the project `shop` or `default`: the same rules for all.
        return super().new_recorder(redactions=self.redactions, **parts)

    @property
    def redactions(self) -> Redactions:
        return Redactions(dict.fromkeys(("shop", "default", "demo"), self.patterns), self.folder / "scratch")

    def everything(self, of: str = "") -> str:
        """The rows, the event log as it comes back, and all files under a folder."""
        row = json.dumps(self.session("sess_1"), default=str)
        log = b"".join(read_lines(self.blobs, PREFIX)).decode()
        texts = (event.msg for event in read_events(read_lines(self.blobs, PREFIX)) if event.sound is None)
        pieces = "".join(str(message.get("delta", "")) for message in texts if message is not None)
        files = b"".join(path.read_bytes() for path in (self.folder / of).rglob("*") if path.is_file())
        return row + log + pieces + files.decode("latin-1")

    def put_away(self) -> None:
        compactor = Compactor(self.store, self.blobs, self.folder / "compact")
        compactor.add("sess_1")
        wait_for(lambda: not list((self.folder / "compact").iterdir()), compactor.step)
        compactor.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Redacting]:
    made = Redacting(tmp_path)
    yield made
    for writer in made.writers:
        writer.stop()
    made.store.close()


def noise(seconds: float, audio_format: str = "audio/pcm") -> bytes:
    """No byte of it stands for silence."""
    rate, width = RATES[audio_format]
    random = np.random.default_rng(5)
    if width == 2:
        return random.integers(1000, 9000, round(seconds * rate), np.int16).tobytes()
    return random.integers(0x10, 0x40, round(seconds * rate), np.uint8).tobytes()


def speak(log: WireLog, item_id: str, start_ms: float, sound: bytes, text: str) -> None:
    """An item of the user's as server VAD makes it."""
    say(log, SERVER, type="input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=start_ms)
    for at in range(0, len(sound), 4801):
        say(log, CLIENT, type="input_audio_buffer.append", audio=b64(sound[at : at + 4801]))
    return_ms = start_ms + len(sound) / 48
    say(log, SERVER, type="input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=return_ms)
    say(log, SERVER, type="input_audio_buffer.committed", item_id=item_id)
    kind = "conversation.item.input_audio_transcription"
    for at in range(0, len(text), 7):
        say(log, SERVER, type=f"{kind}.delta", item_id=item_id, content_index=0, delta=text[at : at + 7])
    say(log, SERVER, type=f"{kind}.completed", item_id=item_id, content_index=0, transcript=text)


def answer(log: WireLog, words: list[str], sound: bytes, response_id: str = "resp_1") -> None:
    """A word for each piece of sound."""
    names = {"response_id": response_id, "item_id": f"a_{response_id}"}
    say(log, SERVER, type="response.created", response={"id": response_id})
    size = len(sound) // len(words) // 2 * 2
    kind = "response.output_audio_transcript"
    for number, word in enumerate(words):
        say(log, SERVER, type=f"{kind}.delta", delta=f"{word} ", content_index=0, **names)
        piece = sound[number * size : (number + 1) * size]
        say(log, SERVER, type="response.output_audio.delta", delta=b64(piece), **names)
    said = " ".join(words)
    say(log, SERVER, type=f"{kind}.done", transcript=said, content_index=0, **names)
    item = {"id": names["item_id"], "type": "message", "content": [{"type": "audio", "transcript": said}]}
    say(
        log,
        SERVER,
        type="response.done",
        response={"id": response_id, "status": "completed", "output": [item]},
    )


def digits_of(text: str) -> str:
    return re.sub(r"\D", "", text)


def test_a_number_is_gone_from_words_sound_log_and_what_is_put_away(bench: Redacting) -> None:
    log = begin(bench.writer(), "sess_1")
    before, after = (
        "hello there I would like to pay now please " * 6,
        " thanks a lot and have a nice day " * 6,
    )
    sound = noise(30)
    speak(log, "u1", 0, sound, f"{before}{CARD}{after}")
    heard = noise(20)
    answer(log, [*["well"] * 20, *CARD.split(), *["good"] * 40], heard)
    arguments = json.dumps({"card": int(digits_of(CARD)), "order": "ORD-123456"})
    names = {"response_id": "resp_1", "item_id": "f", "call_id": "c", "name": "pay"}
    say(log, SERVER, type="response.function_call_arguments.done", arguments=arguments, **names)
    output = {"type": "function_call_output", "call_id": "c", "output": f"paid with {CARD}"}
    say(log, CLIENT, type="conversation.item.create", item=output)
    end(log)
    bench.record_until("sess_1", "complete")
    bench.finish()
    for stored in ("raw", "put away"):
        everything = bench.everything()
        assert CARD not in everything, stored
        assert "4111111111111111" not in everything, stored
        assert "1111 1111" not in everything, stored
        assert "ORD-123456" not in everything, stored
        assert "would like to pay" in everything, stored
        user, voice = bench.sound("sess_1", "user"), bench.sound("sess_1", "assistant")
        given = np.frombuffer(sound, "<i2")
        assert len(user) == len(given)
        silent = np.flatnonzero(user != given)
        assert not user[silent].any()
        share = len(before) / len(before + CARD + after)
        assert silent[0] < share * len(given) < silent[-1]
        assert 2 * 24_000 < len(silent) < 22 * 24_000
        answered = np.frombuffer(heard, "<i2")[: len(voice)]
        quiet = np.flatnonzero(voice != answered)
        word = len(voice) / 64
        assert quiet[0] <= 20 * word
        assert quiet[-1] >= 24 * word - 1
        assert len(quiet) < len(voice) * 0.8
        layout_sound = [event.sound for event in read_events(read_lines(bench.blobs, PREFIX)) if event.sound]
        assert b"".join(layout_sound).count(b"\0" * 4000) > 5
        bench.put_away() if stored == "raw" else None
    row = bench.session("sess_1")
    assert row is not None
    assert row["data"]["redaction"]["state"] == "done"
    assert row["data"]["redaction"]["found"]["card_number"] >= 2
    assert row["data"]["redaction"]["silenced_ms"]["user"] == pytest.approx(len(silent) / 24, abs=2)
    rebuilt = build_trace(read_events(read_lines(bench.blobs, PREFIX)), session_id="sess_1")
    assert "[redacted:card_number]" in str(rebuilt.spans)
    assert "1111" not in str(rebuilt.spans)


@pytest.mark.parametrize("audio_format", ["audio/pcmu", "audio/pcma"])
def test_telephone_sound_is_silenced_in_track_and_log_alike(bench: Redacting, audio_format: str) -> None:
    log = begin(bench.writer(), "sess_1", audio_format)
    sound = noise(3, audio_format)
    say(log, SERVER, type="input_audio_buffer.speech_started", item_id="u1", audio_start_ms=1000)
    for at in range(0, len(sound), 333):
        say(log, CLIENT, type="input_audio_buffer.append", audio=b64(sound[at : at + 333]))
    say(log, SERVER, type="input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=2500)
    say(
        log,
        SERVER,
        type="conversation.item.input_audio_transcription.completed",
        item_id="u1",
        transcript=CARD,
    )
    end(log)
    bench.record_until("sess_1", "complete")
    user = bench.sound("sess_1", "user")
    assert not user[8000 : 2500 * 8].any()
    assert user[:3900].all()
    logged = b"".join(event.sound for event in read_events(read_lines(bench.blobs, PREFIX)) if event.sound)
    assert set(logged[8000:20_000]) == {0xFF if audio_format == "audio/pcmu" else 0xD5}
    assert logged[:3900] == sound[:3900]
    bench.put_away()
    assert (
        b"".join(event.sound for event in read_events(read_lines(bench.blobs, PREFIX)) if event.sound)
        == logged
    )


def test_a_number_that_a_pause_cut_in_two_is_found(bench: Redacting) -> None:
    log = begin(bench.writer(), "sess_1")
    speak(log, "u1", 0, noise(2), "my card is 4111 1111")
    speak(log, "u2", 2000, noise(2), "1111 1111, and that is all")
    speak(log, "u3", 4000, noise(2), "goodbye")
    end(log)
    bench.record_until("sess_1", "complete")
    everything = bench.everything()
    assert "1111 1111" not in everything
    assert "and that is all" in everything
    user = bench.sound("sess_1", "user")
    assert not user[: 4 * 24_000].any()
    assert user[5 * 24_000 :].all()


def test_the_trace_of_a_running_call_has_no_such_words(bench: Redacting) -> None:
    log = begin(bench.writer(), "sess_1")
    speak(log, "u1", 0, noise(0.2), f"my card is {CARD}")
    answer(log, ["So", *CARD.split()], noise(0.5))

    def answered() -> bool:
        bench.recorder.step()
        row = bench.session("sess_1")
        return row is not None and any(span["type"] == "response" for span in row["spans"])

    wait_for(answered)
    row = bench.session("sess_1")
    assert row is not None
    assert row["data"]["redaction"]["state"] == "pending"
    assert "1111 1111" not in json.dumps(row, default=str)
    assert row["title"] == "my card is [redacted:card_number]"
    end(log)
    bench.record_until("sess_1", "complete")


def test_what_was_heard_of_a_number_is_gone_too(bench: Redacting) -> None:
    log = begin(bench.writer(), "sess_1")
    answer(log, ["So", "it", "is", *CARD.split()], noise(7))
    say(
        log, CLIENT, type="conversation.item.truncate", item_id="a_resp_1", content_index=0, audio_end_ms=5000
    )
    say(
        log,
        SERVER,
        type="conversation.item.truncated",
        item_id="a_resp_1",
        content_index=0,
        audio_end_ms=5000,
    )
    end(log)
    row = bench.record_until("sess_1", "complete")
    (response,) = [span for span in row["spans"] if span["type"] == "response"]
    assert response["output"]["heard_transcript"] == "So it is [redacted:card_number]"
    assert "1111" not in json.dumps(row["spans"])
    assert "1111 1111" not in bench.everything()


def test_a_call_of_which_nothing_is_found_stays_as_it_is(bench: Redacting) -> None:
    log = begin(bench.writer(), "sess_1")
    sound = noise(1)
    speak(log, "u1", 0, sound, "I have 3 apples and 12 pears")
    end(log)
    bench.record_until("sess_1", "complete")
    assert bench.sound("sess_1", "user").tobytes() == sound
    assert "12 pears" in bench.everything()


def test_a_rebuild_follows_rules_that_came_later(tmp_path: Path) -> None:
    bench = Redacting(tmp_path, {})
    try:
        log = begin(bench.writer(), "sess_1")
        speak(log, "u1", 0, noise(2), f"my card is {CARD}")
        end(log)
        bench.record_until("sess_1", "complete")
        bench.put_away()
        assert CARD in bench.everything("blobs")
        bench.patterns = PATTERNS
        compactor = Compactor(bench.store, bench.blobs, tmp_path / "compact")
        rebuilder = Rebuilder(bench.store, bench.blobs, redactions=bench.redactions, compactor=compactor)
        rebuilder.step()
        bench.store.add_signal(REBUILD, "sess_1")
        wait_for(lambda: "redaction" in (bench.session("sess_1") or {})["data"], rebuilder.step)
        compactor.close()
        bench.put_away()
        assert "1111 1111" not in bench.everything("blobs")  # the database file has it in free pages
        assert not bench.sound("sess_1", "user").any()
    finally:
        for writer in bench.writers:
            writer.stop()
        bench.store.close()


def test_a_pattern_that_would_take_forever_costs_a_moment_and_hides_too_much(tmp_path: Path) -> None:
    bench = Redacting(tmp_path, {"slow": r"(a|aa)+$"})
    try:
        log = begin(bench.writer(), "sess_1")
        speak(log, "u1", 0, noise(2), "a" * 60 + "b")
        end(log)
        row = bench.record_until("sess_1", "complete")
        assert row["title"] == "[redacted:slow]"
        assert not bench.sound("sess_1", "user").any()
    finally:
        for writer in bench.writers:
            writer.stop()
        bench.store.close()


# Requests


def request(
    bench: Redacting, endpoint: str, sound: str = "wav", asked: str = "Hi", **said: Any
) -> dict[str, Any]:
    """One with a file that was heard, or one that was made, whatever is said of it."""
    log = bench.writer().open("sess_1")
    opened = {"session_id": "sess_1", "transport": "http", "project": "shop", "endpoint": endpoint}
    log.fact({"type": "gateway.opened", "model": "m", "started_at": "2026-11-22T10:00:00.000Z", **opened})
    file = wav(24_000) if sound == "wav" else b"no sound at all" * 900
    is_speech = endpoint == "audio/speech"
    if is_speech:
        say(log, CLIENT, model="m", input=asked, response_format=sound)
    else:
        shown = {"name": "file", "content_type": "audio/wav", "bytes": len(file)}
        say(log, CLIENT, model="m", files=[shown])
        log.append(CLIENT, encode_frame(BINARY, file, masked=True))
    log.fact({"type": "gateway.dialled", "provider": "house", "upstream_model": "m", "ms": 2.5})
    kind = f"audio/{sound}" if is_speech else "application/json"
    log.fact({"type": "gateway.answered_http", "status": 200, "content_type": kind})
    if is_speech:
        log.append(SERVER, encode_frame(BINARY, file))
    else:
        say(log, SERVER, **said)
    log.close(1000, "", "provider")
    return bench.record_until("sess_1", "complete")


@pytest.mark.parametrize("sound", ["wav", "aac"])
def test_of_a_request_whose_words_are_found_no_sound_stays(bench: Redacting, sound: str) -> None:
    row = request(bench, "audio/transcriptions", sound, text=f"It is {CARD}.")
    assert "[redacted:card_number]" in json.dumps(row["spans"], default=str)
    assert b"no sound at all" not in b"".join(read_lines(bench.blobs, PREFIX))
    raws = [event.raw for event in read_events(read_lines(bench.blobs, PREFIX)) if event.raw is not None]
    assert raws == [b"[redacted:unreadable]"]
    if sound == "wav":
        assert not bench.sound("sess_1", "user").any()
        assert row["data"]["redaction"]["silenced_ms"]["user"] == 1000
    assert digits_of(CARD) not in digits_of(bench.everything())


def test_speech_that_was_asked_to_say_it_is_silent(bench: Redacting) -> None:
    row = request(bench, "audio/speech", asked=f"Your card is {CARD}.")
    assert row["data"]["redaction"]["silenced_ms"]["assistant"] == 1000
    assert not bench.sound("sess_1", "assistant").any()
    bench.put_away()
    assert not bench.sound("sess_1", "assistant").any()


def test_the_sound_of_a_request_of_which_nothing_is_found_stays(bench: Redacting) -> None:
    row = request(bench, "audio/transcriptions", text="It is nothing.")
    assert row["data"]["redaction"]["silenced_ms"] == {"user": 0, "assistant": 0}
    assert bench.sound("sess_1", "user").all()
    raws = [event.raw for event in read_events(read_lines(bench.blobs, PREFIX)) if event.raw is not None]
    assert raws == [wav(24_000)]
