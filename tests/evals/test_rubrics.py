"""The judges whose rubric comes along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import voxgate
from tests.evals.scorers.asked import settle
from tests.evals.sessions import weather_session
from tests.evals.subjects import score_of
from tests.judges import Judging, judging_server, verdict


@pytest.fixture(scope="module")
def started() -> Iterator[Judging]:
    with judging_server() as server:
        yield server


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("task_completion", "had what they called for"),
        ("faithfulness", "stands in the results of its tools"),
        ("conciseness", "as short as speech should be"),
        ("instruction_following", "its instructions tell it"),
    ],
)
def test_a_call_is_judged_by_the_rubric_of_that_name(
    started: Judging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, asks: str
) -> None:
    settle(started, tmp_path, monkeypatch)
    started.answer = lambda _: verdict("pass" if name != "conciseness" else "fail")
    score = score_of(getattr(voxgate, name)(votes=1), weather_session())
    assert (score.name, score.value) == (name, float(name != "conciseness"))
    assert asks in str(started.asked[-1])


def test_the_tone_is_judged_by_its_sound(
    started: Judging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(started, tmp_path, monkeypatch)
    params = voxgate.tone_audio_judge().describe()["params"]
    assert (params["of"], params["prompt"]) == ("assistant", "audio_judge.md")
    assert "sounds calm" in params["rubric"]
