"""Evaluations out of files, and what is said of files that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voxgate.core.errors import InvalidRequest
from voxgate.evals.data import Listed
from voxgate.evals.datasets import Logs, StoredDataset, logs
from voxgate.evals.evaluation import Eval
from voxgate.evals.files import load_evals
from voxgate.evals.loading.opening import CaseFile
from voxgate.evals.replay import Replay
from voxgate.evals.tasks import FunctionTask, RecordedTask

WHOLE = """\
name: refunds
data: {dataset: refunds@3}
task:
  replay:
    model: gpt-realtime-2
    mode: turn
    tools: recorded
scores:
  - wer
  - tool_called: {count: exact}
  - own.py:exact
trials: 5
gate:
  v2v.p95: "<=1500"
  wer: no-regression
  allow_missing: [wer]
baseline: main
max_concurrency: 2
budget_usd: 1.5
seed: 7
metadata: {team: support}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(
        "def exact(output, expected):\n    return output == expected\n\ndef greet(name):\n    return name\n"
    )
    (tmp_path / "cases.csv").write_text("input,expected\nhello,hello\n")
    return tmp_path


def load(folder: Path, text: str) -> list[Eval]:
    path = folder / "evals.yaml"
    path.write_text(text)
    return load_evals([path])


def test_yaml_says_the_same_as_python(folder: Path) -> None:
    [found] = load(folder, WHOLE)
    assert (found.name, found.trials, found.baseline, found.max_concurrency) == ("refunds", 5, "main", 2)
    assert found.data == StoredDataset("refunds", 3)
    assert isinstance(found.task, Replay)
    assert found.task.plan.model == "gpt-realtime-2"
    assert [one.name for one in found.scorers] == ["wer", "tool_called", "exact", "v2v"]
    assert found.gate.to_json() == {"v2v.p95": "<=1500", "wer": "no-regression", "allow_missing": ["wer"]}
    assert (found.budget_usd, found.seed, found.metadata) == (1.5, 7, {"team": "support"})


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ('{logs: "tag:refund last:7d", limit: 20}', Logs),
        ('{logs: "tag:refund last:7d", limit: 20, expected: said}', Logs),
        ("cases.csv", CaseFile),
        ("{file: cases.csv}", CaseFile),
        ("[{input: hello, expected: hello}]", Listed),
        ("{cases: [{input: hello}]}", Listed),
    ],
)
def test_data_can_be_written_in_several_ways(folder: Path, written: str, kind: type[Any]) -> None:
    [found] = load(folder, f"name: x\ndata: {written}\ntask: {{function: own.py:greet}}\n")
    assert isinstance(found.data, kind)
    assert isinstance(found.task, FunctionTask)


def test_what_was_said_can_be_expected_of_logs(folder: Path) -> None:
    [found] = load(folder, "name: x\ndata: {logs: '', expected: said}\n")
    assert found.data.describe()["expected"] == "said"
    with pytest.raises(InvalidRequest, match="'none' or 'said'"):
        logs("", expected="heard")  # type: ignore[arg-type]


def test_without_a_task_recorded_calls_are_scored(folder: Path) -> None:
    assert isinstance(load(folder, "name: x\ndata: {logs: ''}\nscores: [wer]\n")[0].task, RecordedTask)


def test_a_file_can_hold_several(folder: Path) -> None:
    found = load(folder, "evals:\n  - {name: a, data: [1]}\n  - {name: b, data: [1]}\n")
    assert [one.name for one in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ndata: [\n", "line 3: "),
        ("- a\n", "line 1: an evaluation is a mapping"),
        ("name: x\n", "line 1: 'data' is a required property"),
        ("name: x\ndata: [1]\ntrails: 3\n", "line 1: Additional properties are not allowed ('trails'"),
        ("name: x\ndata: [1]\n\ntrials: many\n", "line 4: 'many' is not of type 'integer'"),
        (
            "name: x\ndata: [1]\nscores:\n  - wer\n  - werr\n",
            "line 5: There is no scorer 'werr'. Is 'wer' meant?",
        ),
        ("name: x\ndata: [1]\nscores:\n  - own.py:none\n", "line 4: .*own.py has no 'none'"),
        ("name: x\ndata: [1]\ntask:\n  replay: {mood: turn}\n", "line 4: replay cannot take this"),
        ("name: x\ndata: [1]\ntask:\n  replay:\n    mode: fast\n", "line 5: .*mode"),
        ("name: x\ndata: nothing.csv\n", "line 2: There is no file"),
        ("name: x\ndata: [1]\ngate:\n  wer: good\n", "line 4: The gate 'wer' cannot be read"),
        ("evals:\n  - name: a\n    data: [1]\n  - name: b\n", "line 4: 'data' is a required property"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message.replace("('", r"\('")):
        load(folder, text)


def test_two_evaluations_of_one_name_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidRequest, match="Two evaluations are called 'a'"):
        load(folder, "evals:\n  - {name: a, data: [1]}\n  - {name: a, data: [1]}\n")


def test_files_of_other_kinds_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"neither Python \(.py\) nor YAML"):
        load_evals([folder / "cases.csv"])
