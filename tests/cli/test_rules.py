"""Rules of online scoring against a whole Voxgate: nothing waits for them, and nobody has configured them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import run_here
from tests.cli.test_replay_model import SPOKEN, import_log
from tests.evals.playback.calls import write_recording
from tests.running import Voxgate

pytestmark = pytest.mark.anyio


async def scores_of(voxgate: Voxgate, session_id: str, author: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 90
    while True:
        items = (await voxgate.request("GET", f"/api/sessions/{session_id}/scores"))["items"]
        if found := [one for one in items if one["author"] == author]:
            return found
        assert time.monotonic() < deadline, items
        await asyncio.sleep(0.1)


async def test_a_rule_scores_calls_when_they_are_over_and_those_of_before_when_it_is_run(
    voxgate: Voxgate, shared: Path, tmp_path: Path
) -> None:
    _, first = write_recording(shared, SPOKEN, tmp_path)
    before = await import_log(voxgate, first, "scored")
    prying = {"rubric": "x", "model": "m", "base_url": "http://127.0.0.1:9/v1", "api_key_env": "HOME"}
    wanted = [{"name": "response_status"}, {"name": "no_such"}, {"name": "judge", "params": prying}]
    rule = {"name": "tidy", "project": "scored", "filter": "turns>0", "scorers": wanted}
    rule_id = (await voxgate.request("POST", "/api/rules", json=rule))["id"]
    _, second = write_recording(shared, SPOKEN, tmp_path)
    after = await import_log(voxgate, second, "scored")
    scores = await scores_of(voxgate, after, f"rule:{rule_id}")
    assert {one["name"]: one["value"] for one in scores}["response_status"] == 1.0
    told = {one["name"]: one["comment"] for one in scores}
    assert "cannot have api_key_env, base_url" in told["judge"]  # its key reads no secrets of the server
    assert (await voxgate.request("GET", f"/api/sessions/{before}/scores"))["items"] == []
    done = await asyncio.to_thread(run_here, voxgate, "rules", "run", rule_id, "--filter", f"id:{before}")
    assert (done.status, "1 sessions, of which 1 have its scores" in done.errors) == (0, True), done
    assert await scores_of(voxgate, before, f"rule:{rule_id}")
    (shown,) = (
        json.loads(line)
        for line in (
            await asyncio.to_thread(run_here, voxgate, "rules", "list", "--json")
        ).output.splitlines()
        if rule_id in line
    )
    assert (shown["activity"]["scored"], shown["activity"]["missing"]) == (2, 2)
    assert "no_such" in shown["activity"]["last_missing"]["message"]
    assert (await asyncio.to_thread(run_here, voxgate, "rules", "delete", rule_id)).status == 0


async def test_an_alert_that_cannot_be_read_is_told(voxgate: Voxgate) -> None:
    flags = ("--scorer", "wer", "--webhook", "https://example.org/hook")
    for alert in ("wer", "wer<low over 5", "wer<0.5"):
        told = await asyncio.to_thread(run_here, voxgate, "rules", "create", "x", *flags, "--alert", alert)
        assert (told.status, "alert" in told.errors) == (2, True)


@pytest.mark.parametrize(
    ("scorer", "why"),
    [
        ("werr", "Is 'wer' meant?"),
        ("wer: {side: user}", "unexpected keyword argument 'side'"),
        ("judge: {rubric: x, api_key_env: HOME}", "cannot have api_key_env"),
        ("contains: words", "are {parameter: value}"),
    ],
)
def test_a_scorer_that_no_rule_can_have_is_refused(voxgate: Voxgate, scorer: str, why: str) -> None:
    told = run_here(voxgate, "rules", "create", "x", "--scorer", scorer)
    assert told.status == 2, told
    assert why in " ".join(told.errors.split())


def test_a_rule_of_the_commands_scores_by_what_it_was_given(voxgate: Voxgate) -> None:
    judged = "judge: {rubric: Does the caller know what happens next}"  # whom it asks is the server's matter
    scorers = ("--scorer", judged, "--scorer", "v2v_p95", "--project", "nobody-calls-here")
    made = run_here(voxgate, "rules", "create", "tone", *scorers)
    assert made.status == 0, made
    shown = run_here(voxgate, "rules", "list", "--json")
    (rule,) = (json.loads(line) for line in shown.output.splitlines() if made.line in line)
    assert [one["name"] for one in rule["scorers"]] == ["judge", "v2v_p95"]
    assert run_here(voxgate, "rules", "delete", made.line).status == 0
