"""Whom evaluations ask may be behind the gateway itself: one key for all, and each question in the log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.evals.sessions import weather_session
from tests.evals.subjects import score_of
from tests.judges import judging_server, verdict
from tests.running import start_voxgate
from voxgate.client.http import Client
from voxgate.evals.scorers.judge import judge
from voxgate.evals.scorers.said_versus_transcript import said_versus_transcript

SETTINGS = """
[providers.house]
base_url = "{url}"

[[routes]]
model = "wise"
providers = ["house"]
"""


def _requests() -> list[dict[str, Any]]:
    query = {"q": "not endpoint:realtime"}
    items: list[dict[str, Any]] = Client().call("GET", "/api/sessions", query=query)["items"]
    return items


def test_a_judge_is_asked_through_the_gateway_and_the_question_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with judging_server() as server:
        server.answer = lambda _: verdict("pass")
        (tmp_path / "voxgate.toml").write_text(SETTINGS.format(url=server.base_url))
        voxgate = start_voxgate(tmp_path, local=False)
        try:
            monkeypatch.setenv("VOXGATE_URL", voxgate.url)
            monkeypatch.setenv("VOXGATE_API_KEY", voxgate.key)
            score = score_of(
                judge("The weather was told.", base_url="voxgate", model="wise"), weather_session()
            )
            assert (score.label, score.params["model"]) == ("pass", "wise")
            assert len(server.asked) == 1
            assert "authorization" not in server.asked[0].headers  # its own key, of which it has none
            deadline = time.monotonic() + 60
            while not (
                found := Client().call("GET", "/api/sessions", query={"q": "not endpoint:realtime"})["items"]
            ):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert (found[0]["model"], found[0]["provider"]) == ("wise", "house")
        finally:
            voxgate.stop()


def test_a_transcriber_that_is_behind_the_gateway_needs_a_voxgate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXGATE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("VOXGATE_API_KEY", "vg_k")
    scorer = said_versus_transcript(base_url="voxgate", model="ears")
    assert scorer.describe()["name"] == "said_versus_transcript"
