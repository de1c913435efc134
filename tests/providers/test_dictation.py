"""One file of speech to whoever transcribes: what comes back, whatever the server does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.transcription import KEY, Reply, Transcribing, transcribing_server
from voxgate.audio.wav import wav_header
from voxgate.core.projects import TranscriptionSettings
from voxgate.providers.dictation import Dictation, Outcome
from voxgate.providers.routes import Transcriber
from voxgate.traces.usage import added

WAV = wav_header(8000, 1, 1600) + bytes(1600)
WANTED = TranscriptionSettings(model="scribe", prompt="Ö; --x")


@pytest.fixture(scope="module")
def server() -> Iterator[Transcribing]:
    with transcribing_server() as made:
        yield made


def ask(server: Transcribing, reply: Reply) -> Outcome:
    server.answer = lambda _: reply
    whom = Transcriber(
        "house", f"{server.base_url}/audio/transcriptions", {"api-key": KEY}, "its-name", ("its-name",)
    )
    return Dictation([KEY]).ask(whom, WAV, WANTED)


def test_words_and_usage_come_back_as_they_are(server: Transcribing) -> None:
    usage = {"type": "tokens", "input_tokens": 3}
    found = ask(server, Reply(body={"text": " Hello\nthere ", "usage": usage}))
    assert found == Outcome("said", "Hello\nthere", usage)
    asked = server.asked[-1]
    assert asked.headers["api-key"] == KEY
    assert asked.fields == {"model": "its-name", "response_format": "json", "prompt": "Ö; --x"}
    assert (asked.rate, asked.samples) == (8000, bytes(1600))


def test_a_server_that_only_tells_the_duration_is_understood(server: Transcribing) -> None:
    found = ask(server, Reply(body={"text": "x", "duration": 2.5}))
    assert found.usage == {"type": "duration", "seconds": 2.5}


@pytest.mark.parametrize(
    ("reply", "what", "wait_seconds"),
    [
        (Reply(429, {}, {"retry-after": "7"}), "later", 7.0),
        (Reply(503, b"<html>"), "later", None),
        (Reply(500, {}), "later", None),
        (Reply(429, {"error": {"message": "no money", "code": "insufficient_quota"}}), "refused", None),
        (Reply(401, {"error": {"message": f"wrong key {KEY}"}}), "refused", None),
        (Reply(413, b""), "refused", None),
        (Reply(307, b"", {"location": "http://127.0.0.1:1/"}), "refused", None),
        (Reply(200, b"no json"), "refused", None),
        (Reply(200, {"txt": "x"}), "refused", None),
        (Reply(200, {"text": None}), "refused", None),
        (Reply(200, b"{", {"content-length": "100", "connection": "close"}), "later", None),
    ],
)
def test_what_is_tried_again_and_what_is_not(
    server: Transcribing, reply: Reply, what: str, wait_seconds: float | None
) -> None:
    found = ask(server, reply)
    assert (found.what, found.wait_seconds) == (what, wait_seconds)
    assert found.message
    assert KEY not in found.message


def test_usage_of_several_pieces_is_added_up() -> None:
    one = {"type": "tokens", "input_tokens": 3, "input_token_details": {"audio_tokens": 2}}
    more = {"type": "tokens", "input_tokens": 4, "input_token_details": {"audio_tokens": 1, "text_tokens": 3}}
    assert added(added({}, one), more) == {
        "type": "tokens",
        "input_tokens": 7,
        "input_token_details": {"audio_tokens": 3, "text_tokens": 3},
    }
