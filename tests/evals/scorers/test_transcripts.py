"""What is heard in the sound beside what the provider's transcripts say, with a stand-in that transcribes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.answering import Reply
from tests.evals.sessions import FakeSource, session_of, weather_session
from tests.evals.subjects import scores_of, subject_of
from tests.traces.calls import Call, pcm
from tests.transcription import KEY, Asked, Transcribing, transcribing_server
from voxgate.core.errors import InvalidRequest, SettingsError
from voxgate.evals import asking
from voxgate.evals.model import Score
from voxgate.evals.scorers.input_transcript import input_transcript
from voxgate.evals.scorers.said_versus_transcript import said_versus_transcript
from voxgate.evals.session import Session

TOML = """\
[transcriber]
base_url = "{url}"
model = "scribe"
api_key_env = "SCRIBE_KEY"
attempts = 2

[prices.scribe]
minute = 0.6
"""
QUESTION, ANSWER, STORY = 8000, 16000, 24000
"""Each is as loud as nothing else."""


@pytest.fixture(scope="module")
def started() -> Iterator[Transcribing]:
    with transcribing_server() as server:
        yield server


@pytest.fixture
def server(started: Transcribing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Transcribing:
    (tmp_path / "voxgate.toml").write_text(TOML.format(url=started.base_url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRIBE_KEY", KEY)
    monkeypatch.setattr(asking, "_FIRST_PAUSE", 0.01)
    started.asked.clear()
    return started


def hears(server: Transcribing, words: Mapping[int, str | Reply]) -> None:
    def answer(asked: Asked) -> Reply:
        loudest = int(np.frombuffer(asked.samples, "<i2").max())
        near = min(words, key=lambda one: abs(one - loudest))
        found = words[near]
        return found if isinstance(found, Reply) else Reply(body={"text": found})

    server.answer = answer


def at(level: int, ms: int) -> np.ndarray:
    return np.full(ms * 24, level / 32768)


def session(**tracks: np.ndarray) -> Session:
    """The user asks for 1.4 s; the answer takes 1 s, the story 4 s, of which 1 s is heard: "One day"."""
    lanes = {"user": at(QUESTION, 1400), "assistant": np.concatenate((at(ANSWER, 1000), at(STORY, 4000)))}
    return weather_session(FakeSource(**{**lanes, **tracks}))


def both(scorer: object, heard: Session) -> tuple[Score, Score]:
    first, second = scores_of(scorer, subject_of(heard))
    return first, second


def test_what_is_said_as_it_is_written_has_no_errors(server: Transcribing) -> None:
    hears(server, {ANSWER: "it is cloudy in paris", STORY: "One day."})
    errors, entities = both(said_versus_transcript(), session())
    assert (errors.name, errors.value, errors.n, errors.explanation) == (
        *("said_versus_transcript", 0.0, 7),
        "no difference",
    )
    assert (entities.name, entities.value, entities.n) == ("said_versus_transcript.entities", 1.0, 1)
    assert sorted(one.seconds for one in server.asked) == pytest.approx([1, 1])
    assert {one.headers["authorization"] for one in server.asked} == {f"Bearer {KEY}"}
    assert {one.fields["model"] for one in server.asked} == {"scribe"}
    assert errors.params["cost_usd"] == pytest.approx(0.02)


def test_another_name_is_an_error_with_its_seconds(server: Transcribing) -> None:
    hears(server, {ANSWER: "it is cloudy in London", STORY: "One day"})
    heard = session()
    errors, entities = both(said_versus_transcript(), heard)
    assert errors.value == pytest.approx(1 / 7)
    assert errors.explanation == entities.explanation == "paris → london"
    assert (entities.value, entities.direction) == (0.0, "max")
    [line] = [one for one in heard.lines if one.text.startswith("It is")]
    [evidence] = entities.evidence
    assert evidence.span_id == line.span_id
    # the fifth of five words, and a quarter of a second before it
    assert evidence.start_ms == pytest.approx(line.start_ms + 800 - 250)
    assert evidence.end_ms == line.end_ms


def test_what_differs_where_the_user_cut_it_does_not_count(server: Transcribing) -> None:
    hears(server, {ANSWER: "It is cloudy in Paris", STORY: "One day a mo"})
    assert both(said_versus_transcript(), session())[0].value == 0.0


def test_silence_where_there_should_be_words_is_an_error(server: Transcribing) -> None:
    hears(server, {STORY: "One day"})
    silent = np.concatenate((at(0, 1000), at(STORY, 4000)))
    errors, _ = both(said_versus_transcript(), session(assistant=silent))
    assert errors.value == pytest.approx(5 / 7)
    assert len(server.asked) == 1  # nobody is asked about silence


def test_the_users_transcript_is_compared_with_better_ears(server: Transcribing) -> None:
    hears(server, {QUESTION: "What is the weather in Perugia today?"})
    errors, entities = both(input_transcript(), session())
    assert errors.name == "input_transcript"
    assert errors.value == pytest.approx(2 / 7)  # Perugia, and today is lacking
    assert errors.explanation == "perugia today → paris"
    assert entities.value == 0.0


def test_words_that_nobody_said_are_errors(server: Transcribing) -> None:
    hears(server, {QUESTION: ""})
    errors, entities = both(input_transcript(), session())
    assert errors.value == 1.0
    assert entities.reason_missing == "there is no number and no name in it"


def test_a_number_is_the_same_in_words_and_in_digits(server: Transcribing) -> None:
    call = Call().session().append(500, pcm(1400)).speech("item_u", 1000, 2000, audio=(0, 1000))
    call.created(2100, "r").words(2150, "r", "i", "Gate twenty-two, at 5:30.").audio(
        2200, "r", "i", pcm(1000)
    )
    heard = session_of(call.done(2300, "r").close(4000), FakeSource(assistant=at(ANSWER, 1000)))
    hears(server, {ANSWER: "Gate 22 at five thirty"})
    errors, entities = both(said_versus_transcript(), heard)
    assert (errors.value, entities.value, entities.n) == (0.0, 1.0, 2)
    hears(server, {ANSWER: "Gate 20 at five thirty"})
    assert both(said_versus_transcript(), heard)[1].value == 0.5


def test_lines_that_cannot_be_transcribed_are_counted(server: Transcribing) -> None:
    hears(server, {ANSWER: "It is cloudy in Paris", STORY: Reply(400, {"error": {"message": "too odd"}})})
    errors, _ = both(said_versus_transcript(), session())
    assert (errors.value, errors.n, errors.params["not_transcribed"]) == (0.0, 5, 1)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(401, {"error": {"message": f"wrong key {KEY}"}}), "401"),
        (Reply(503, b""), "503"),
        (Reply(200, {"txt": 1}), "no transcription"),
    ],
)
def test_without_a_transcription_there_is_no_score(server: Transcribing, reply: Reply, reason: str) -> None:
    server.answer = lambda _: reply
    for score in both(said_versus_transcript(), session()):
        assert score.value is None
        assert reason in (score.reason_missing or "")
        assert KEY not in (score.reason_missing or "")


def test_without_words_or_sound_nobody_is_asked(server: Transcribing) -> None:
    errors, _ = both(said_versus_transcript(), weather_session())
    assert errors.reason_missing == "there is no sound of the assistant"
    errors, _ = both(input_transcript(), session_of(Call().session().close(100), FakeSource()))
    assert errors.reason_missing == "there are no spoken words of the user"
    assert server.asked == []


def test_the_transcriber_is_told_the_language(server: Transcribing) -> None:
    hears(server, {ANSWER: "x"})
    both(said_versus_transcript(language="de", prompt="Özdemir"), session())
    assert (server.asked[0].fields["language"], server.asked[0].fields["prompt"]) == ("de", "Özdemir")
    with pytest.raises(InvalidRequest):
        said_versus_transcript(language="german!")
    Path("voxgate.toml").unlink()
    with pytest.raises(SettingsError, match="VOXGATE_TRANSCRIBER_MODEL"):
        input_transcript()
