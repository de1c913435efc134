"""Scorers of what was said, on calls whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evals.sessions import session_of, weather_session
from tests.evals.subjects import score_of, scores_of
from tests.traces.calls import Call, pcm
from voxgate.evals.model import Case, Expected, Input, Output
from voxgate.evals.protocols import Subject
from voxgate.evals.scorers.cer import cer
from voxgate.evals.scorers.contains import contains
from voxgate.evals.scorers.entity_accuracy import entity_accuracy
from voxgate.evals.scorers.language import language
from voxgate.evals.scorers.length import length
from voxgate.evals.scorers.matches import matches
from voxgate.evals.scorers.said_expected import said_expected
from voxgate.evals.scorers.wer import wer
from voxgate.evals.session import Session

ANSWER, STORY = (2700, 3700), (5200, 6200)


def places(score: Any) -> list[tuple[float, float]]:
    return [(one.start_ms, one.end_ms) for one in score.evidence]


def dialogue(*said: tuple[str, str]) -> Session:
    """Typed lines of the user and answers of 500 ms, a second each."""
    call = Call().session()
    for at, (user, assistant) in enumerate(said):
        start = 1000 + 2000 * at
        call.user_text(start, user, id=f"u{at}").client(start, "response.create")
        call.created(start + 100, f"r{at}").words(start + 200, f"r{at}", f"a{at}", assistant)
        call.audio(start + 200, f"r{at}", f"a{at}", pcm(500)).done(start + 900, f"r{at}")
    return session_of(call.close(1000 + 2000 * len(said)))


# contains, matches


def test_phrases_are_found_as_whole_words() -> None:
    session = weather_session()
    score = score_of(contains(["CLOUDY in paris", "one day", "cloud"]), session)
    assert score.value == pytest.approx(2 / 3)
    assert places(score) == [ANSWER, STORY]
    assert score.explanation == "said: CLOUDY in paris, one day"
    assert score_of(contains("weather"), session).value == 0
    assert score_of(contains("weather", of="user"), session).value == 1
    assert score_of(contains("weather", absent=True), session).value == 1


def test_only_what_was_heard_counts_where_that_is_asked_for() -> None:
    session = weather_session()
    assert score_of(contains("in a box"), session).value == 1
    assert score_of(contains("in a box", heard=True), session).value == 0


def test_a_pattern_is_found_in_any_line_in_all_or_in_none() -> None:
    session = weather_session()
    any_line = score_of(matches(r"\bcloudy\b"), session)
    assert (any_line.value, places(any_line)) == (1, [ANSWER])
    every = score_of(matches("paris", lines="all"), session)
    assert (every.value, places(every)) == (0.5, [STORY])
    none = score_of(matches("paris", lines="none", ignore_case=False), session)
    assert (none.value, places(none)) == (1, [])
    assert score_of(matches("sunny"), session).value == 0


def test_a_pattern_that_takes_forever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.evals.scorers.matches._SECONDS", 0.05)
    session = dialogue(("Go", "a" * 2000))
    score = score_of(matches(r"(a+a+)+b"), session)
    assert "given up after" in (score.reason_missing or "")


# wer, cer, said_expected


@pytest.mark.parametrize(
    ("expected", "rate", "where"),
    [
        ("It is cloudy in Paris. One day a model lived in a box.", 0.0, []),
        ("It is sunny in Paris. One day a model lived in a box.", 1 / 13, [ANSWER]),
        ("It is cloudy in Paris. One day a small model lived in a box", 1 / 14, [STORY]),
        ("It is cloudy in Paris.", 8 / 5, [STORY]),
        ("It is really cloudy in Paris. One day a robot lived in a box", 2 / 14, [ANSWER, STORY]),
        ("cloudy", 12, [ANSWER, STORY]),
        ("It is cloudy in Paris. One day a model lived in a box full of toys", 3 / 16, [STORY]),
    ],
)
def test_the_word_error_rate_is_known(expected: str, rate: float, where: Any) -> None:
    score = score_of(wer(), weather_session(), transcript=expected)
    assert score.value == pytest.approx(rate)
    assert places(score) == where
    assert (score.n, score.direction) == (len(expected.split()), "min")


def test_the_errors_are_told() -> None:
    score = score_of(
        wer(), weather_session(), transcript="It is sunny in Paris one day a model lived in a big box"
    )
    assert score.explanation == (
        "1 wrong, 1 lacking, 0 too many of 14 words: cloudy for sunny; nothing for big"
    )
    assert score.params["normalisation"] == "1"


def test_the_character_error_rate_counts_no_spaces() -> None:
    session = dialogue(("Go", "天気は どうですか"))
    assert score_of(cer(), session, transcript="天気はどうですか。").value == 0
    assert score_of(cer(), session, transcript="電気はどうですか").value == pytest.approx(1 / 8)
    assert score_of(cer(), session, transcript="電気はどうですか").n == 8


def test_what_the_user_said_is_compared_with_the_words_of_the_input() -> None:
    session = weather_session().turns[0]
    case = Case("c", Input("audio", text="What's the weather in Paris?"), Expected("What is the weather"))
    score = scores_of(wer(of="user"), Subject(case, Output(), session))[0]
    assert (score.name, score.value) == ("wer_user", 2 / 5)  # what's: what, is
    assert scores_of(wer(of="user", against="expected"), Subject(case, Output(), session))[0].value == 2 / 4
    typed = Case("c", Input("turn"), Expected("What is the weather in Paris"))
    assert scores_of(wer(of="user"), Subject(typed, Output(), session))[0].value == 0


def test_a_task_that_repeats_is_compared_with_the_user() -> None:
    session = dialogue(("say hello my friend", "hello my friend"))
    assert score_of(wer(against="user"), session).value == 1 / 4


def test_silence_is_an_error_where_words_are_expected_but_no_reference_is_none() -> None:
    silent = session_of(Call().session().close(1000))
    score = score_of(wer(), silent, transcript="two words")
    assert (score.value, score.evidence) == (1, ())
    assert score_of(wer(), silent).reason_missing == "the case expects no transcript"
    assert score_of(wer(against="user"), silent).reason_missing == "nobody wrote down what the user said"
    assert score_of(wer(against="input"), silent).value is None
    assert score_of(wer(), silent, transcript="...").reason_missing == "the reference has no words"


def test_an_output_without_a_session_has_words_too() -> None:
    case = Case("c", Input("text", text="x"), Expected("hello world"))
    score = scores_of(wer(), Subject(case, Output("hello word"), None))[0]
    assert (score.value, score.evidence) == (0.5, ())


def test_being_like_the_expected_words_never_falls_below_nothing() -> None:
    session = dialogue(("Go", "one two three four"))
    assert score_of(said_expected(), session, transcript="One, two, three, four!").value == 1
    assert score_of(said_expected(), session, transcript="one").value == 0.25
    assert score_of(said_expected(), session, transcript="five").value == 0
    assert score_of(said_expected(transcript="one two"), session).value == 0.5
    assert (
        score_of(said_expected(unit="characters"), session, transcript="one two three for").value
        == 1 - 1 / 18
    )
    assert score_of(said_expected(), session).value is None


# length


def test_length_is_the_mean_of_lines() -> None:
    session = weather_session()
    words_each = score_of(length(), session)
    assert (words_each.value, words_each.unit, places(words_each)) == (6.5, "words", [STORY])
    assert score_of(length("characters"), session).value == (22 + 30) / 2
    assert score_of(length("seconds"), session).value == 1.0
    assert score_of(length(of="user"), session).value == (6 + 4) / 2
    limited = score_of(length(at_most=6), session)
    assert (limited.name, limited.value, places(limited)) == ("length_within", 0.5, [STORY])


# language


def test_an_answer_in_another_language_than_the_users_is_pointed_at() -> None:
    session = dialogue(
        ("What is the weather in Paris today?", "It is cloudy in Paris."),
        ("And tomorrow, please?", "Morgen wird es leider den ganzen Tag regnen."),
        ("OK", "OK"),
    )
    score = score_of(language(), session)
    assert (score.value, score.n) == (0.5, 2)
    assert places(score) == [(3200, 3700)]
    assert score.explanation == "expected en: en 1, de 1"
    assert score_of(language("de"), session).value == 0.5
    assert score_of(language(["de", "en"]), session).value == 1
    assert score_of(language("en", of="user"), session).value == 1


def test_what_is_too_short_has_no_language() -> None:
    session = dialogue(("Hm", "OK"))
    assert "said too little" in (score_of(language(), session).reason_missing or "")
    assert "too short" in (score_of(language("en"), session).reason_missing or "")


def test_a_side_that_said_nothing_has_nothing_to_score() -> None:
    silent = session_of(Call().session().close(1000))
    for scorer in (contains("x"), matches("x"), said_expected(transcript="x"), length(), language("en")):
        assert score_of(scorer, silent).reason_missing == "the assistant said nothing"


@pytest.mark.parametrize(
    "make",
    [
        lambda: contains([]),
        lambda: contains("..."),
        lambda: matches("("),
        lambda: matches("x", lines="some"),  # type: ignore[arg-type]
        lambda: wer(against="nothing"),  # type: ignore[arg-type]
        lambda: said_expected(unit="lines"),  # type: ignore[arg-type]
        lambda: length("lines"),  # type: ignore[arg-type]
        lambda: language("english"),
        lambda: language(of="user"),
    ],
)
def test_parameters_that_say_nothing_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"not|are|known|cannot"):
        make()


# entity_accuracy


def test_entities_that_were_not_said_right_are_named_and_pointed_at() -> None:
    session = dialogue(
        ("My order?", "Your order A B one two three five ships on March fifth."),
        ("To whom?", "To Anna Müller, anna at example dot com."),
    )
    entities = ["AB-1234", "2026-03-05", "Anna Müller", {"type": "email", "value": "anna@example.com"}]
    score = score_of(entity_accuracy(), session, free={"entities": entities})
    assert (score.value, score.n, score.explanation) == (0.75, 4, "not said: AB-1234 (id)")
    assert places(score) == [(1200, 1700)]
    assert score_of(entity_accuracy(entities[1:]), session).value == 1
    assert score_of(entity_accuracy(["Zoe"]), session).evidence == ()


def test_entities_are_those_that_the_case_names() -> None:
    session = dialogue(("Go", "one"))
    assert score_of(entity_accuracy(), session).reason_missing == "the case names no entities"
    wrong = score_of(entity_accuracy(), session, free={"entities": [None]})
    assert "cannot be read" in (wrong.reason_missing or "")
    with pytest.raises(ValueError, match="nothing that could be said"):
        entity_accuracy(["?"])
