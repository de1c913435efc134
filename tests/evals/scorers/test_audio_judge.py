"""Judges that listen, against an endpoint that takes the sound apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.evals.scorers.asked import settle
from tests.evals.sessions import FakeSource, weather_session
from tests.evals.subjects import score_of
from tests.judges import Judging, judging_server, verdict
from voxgate.evals.scorers.audio_judge import audio_judge
from voxgate.evals.session import Session

RUBRIC = "The assistant sounds friendly."


@pytest.fixture(scope="module")
def started() -> Iterator[Judging]:
    with judging_server() as server:
        yield server


@pytest.fixture
def server(started: Judging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judging:
    settle(started, tmp_path, monkeypatch, '[audio_judge]\nmodel = "ears"\n')
    started.answer = lambda _: verdict("pass", "L2")
    return started


def session() -> Session:
    """The user speaks for 1.4 s, the assistant for 1 s and for 4 s, of which 1 s is heard."""
    tones = np.sin(np.arange(24_000 * 6) / 10) * 0.3
    return weather_session(FakeSource(user=tones[:33_600], assistant=tones[:120_000]))


def test_the_judge_hears_what_the_user_heard_and_cites_it(server: Judging) -> None:
    score = score_of(audio_judge(RUBRIC), session())
    [asked] = server.asked
    assert asked.body["model"] == "ears"
    assert [rate for rate, _ in asked.sounds] == [16_000, 16_000]
    assert [ms for _, ms in asked.sounds] == pytest.approx([1000, 1000], abs=1)
    assert [line["who"] for line in asked.inside] == ["assistant", "assistant"]
    assert not any("said" in line for line in asked.inside)
    kinds = [part["type"] for part in asked.parts]
    assert kinds == ["text", "text", "input_audio", "text", "input_audio", "text"]
    assert (score.label, score.source) == ("pass", "judge")


def test_evidence_is_the_place_of_the_sound_in_the_call(server: Judging) -> None:
    heard = session()
    server.answer = lambda asked: verdict("fail", asked.inside[1]["id"])
    score = score_of(audio_judge(RUBRIC), heard)
    [line] = [one for one in heard.lines if one.text.startswith("One day")]
    assert list(score.evidence) == [line.evidence]


def test_either_side_or_both_can_be_heard_with_words_or_without(server: Judging) -> None:
    score_of(audio_judge(RUBRIC, of="user"), session())
    score_of(audio_judge(RUBRIC, of="both", words=True), session())
    user, both = server.asked
    assert [ms for _, ms in user.sounds] == pytest.approx([1000], abs=1)
    assert [line["who"] for line in both.inside] == ["user", "assistant", "assistant"]
    assert both.inside[0]["said"] == "What is the weather in Paris?"
    assert len(both.sounds) == 3


def test_of_a_turn_only_its_own_sound_is_heard(server: Judging) -> None:
    heard = session()
    score_of(audio_judge(RUBRIC), heard, turn=heard.turns[1].span_id)
    assert len(server.asked[0].sounds) == 1


def test_without_sound_or_with_too_much_nobody_is_asked(server: Judging) -> None:
    assert "no sound" in (score_of(audio_judge(RUBRIC), weather_session()).reason_missing or "")
    assert "no sound" in (score_of(audio_judge(RUBRIC), value="x", output="y").reason_missing or "")
    long = score_of(audio_judge(RUBRIC, longest_seconds=1), session())
    assert long.reason_missing == "there are 2 s of sound, more than 1"
    assert server.asked == []
