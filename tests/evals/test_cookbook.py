"""OpenAI's cookbook data set from end to end: its sentences spoken over a telephone line, its tools graded;
the same results as grading the event logs by hand.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import soundfile
import soxr

from tests.running import Voxgate
from voxgate import Eval, replay, tool_arguments, tool_called
from voxgate.client.http import Client
from voxgate.evals.conducting import running_house
from voxgate.evals.model import Json
from voxgate.evals.sources import ApiSource

pytestmark = [pytest.mark.local, pytest.mark.timeout(400)]
NAMES = ("tool_called", "tool_arguments")
ANSWERS = {name: {"done": True} for name in ("get_order_status", "refund_order", "update_shipping_address")}


def speak_all(source: Path, folder: Path) -> Path:
    """The CSV beside its sounds: 8 kHz mu-law WAV, as the cookbook has them."""
    program = shutil.which("espeak-ng") or shutil.which("flite")
    if program is None:
        pytest.skip("needs a program that speaks: apt-get install espeak-ng")
    path = folder / source.name
    shutil.copyfile(source, path)
    (folder / "audio").mkdir()
    for row in rows(path):
        plain = folder / "plain.wav"
        said = row["user_text"]
        arguments = ["-w", str(plain), said] if "espeak" in program else ["-t", said, "-o", str(plain)]
        subprocess.run([program, *arguments], check=True, timeout=60)
        samples, rate = soundfile.read(plain, dtype="float32")
        soundfile.write(folder / row["audio_path"], soxr.resample(samples, rate, 8000), 8000, subtype="ULAW")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def graded_by_hand(row: dict[str, str], events: list[Json]) -> tuple[float, float | None]:
    """Of the raw messages: whether exactly the tool was called, and with exactly the arguments."""
    done = "response.function_call_arguments.done"
    told = [event["msg"] for event in events if event["dir"] == "server" and "msg" in event]
    made = [message for message in told if message["type"] == done]
    if not row["gt_tool_call"]:
        return float(not made), None
    called = [one["name"] for one in made] == [row["gt_tool_call"]]
    wanted = json.loads(row["gt_tool_call_arg"])
    right = any(one["name"] == row["gt_tool_call"] and json.loads(one["arguments"]) == wanted for one in made)
    return float(called), float(right)


def test_the_cookbooks_data_set_is_graded_as_by_hand(
    voxgate: Voxgate, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXGATE_URL", voxgate.url)
    monkeypatch.setenv("VOXGATE_API_KEY", voxgate.key)
    path = speak_all(shared / "fixtures/evals/customer_service_synthetic.csv", tmp_path)
    tools = json.loads((shared / "fixtures/evals/tools.json").read_text())
    session: dict[str, Any] = {"tools": tools, "output_modalities": ["text"]}
    house = running_house()
    outcome = Eval(
        "cookbook",
        data=path,
        task=replay(model="local", session=session, tools="mock", mocks=ANSWERS),
        scores=[tool_called(count="exact"), tool_arguments()],
        baseline=False,
    ).run(house=house)
    assert (outcome.exit_code, outcome.tally.results) == (0, 11)

    by_hand, source = {}, ApiSource(Client())
    found = {result.case_id: result for result in house.experiments.results(outcome.id)}
    for row in rows(path):
        output = found[row["example_id"]].output
        assert output is not None
        assert output.session_id is not None
        by_hand[row["example_id"]] = graded_by_hand(row, list(source.events(output.session_id)))
    scored = {
        case_id: tuple(next(score.value for score in result.scores if score.name == name) for name in NAMES)
        for case_id, result in found.items()
    }
    assert scored == by_hand
    assert sum(called for called, _ in by_hand.values()) >= 5  # it hears most of it
