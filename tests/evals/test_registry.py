"""Scorers by name: how they are written in files, and that nothing is loaded that nobody asked for."""

from __future__ import annotations

import asyncio
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.evals.sessions import snapshot_sessions, weather_session
from tests.evals.subjects import score_of, subject_of
from voxgate.core.errors import InvalidRequest
from voxgate.evals import scorers
from voxgate.evals.registry import (
    ALIASES,
    ENTRIES,
    implied,
    make_rule_scorer,
    make_scorer,
    needs,
    online_safe,
    read_scorer,
)
from voxgate.evals.session import Session

ASKED = {"rubric": "It is polite.", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
EARS = {"model": "m", "base_url": "http://127.0.0.1:9/v1"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "judge": ASKED,
    "audio_judge": ASKED,
    "said_versus_transcript": EARS,
    "input_transcript": EARS,
    "speech_fidelity": EARS,
    "task_completion": EARS,
    "faithfulness": EARS,
    "conciseness": EARS,
    "instruction_following": EARS,
    "tone_audio_judge": EARS,
    "forbidden_tools": {"tools": ["refund"]},
    "metric": {"measure": "v2v"},
    "contains": {"phrases": "hello"},
    "matches": {"pattern": "hello"},
}
"""Of those that cannot do without."""


def test_every_scorer_of_the_package_is_known_by_name() -> None:
    modules = {one.name for one in iter_modules(scorers.__path__)}
    named = {entry.module.rpartition(".")[2] for entry in ENTRIES.values() if ".scorers." in entry.module}
    assert named == modules


@pytest.mark.parametrize("name", [*ENTRIES, *ALIASES])
def test_every_scorer_can_be_made_and_says_what_it_is(name: str) -> None:
    made = make_scorer(name, PARAMETERS.get(name))
    said = made.describe()
    assert said["name"] == made.name
    assert said["version"]
    assert said["direction"] in ("max", "min")
    function = ENTRIES[ALIASES.get(name, name)].load()
    assert inspect.getdoc(function)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.needs != "network"])
def test_every_scorer_takes_a_name_and_no_side_that_there_is_not(name: str) -> None:
    given = PARAMETERS.get(name, {})
    made = make_scorer(name, {**given, "name": "mine"})
    assert made.name == "mine"
    if "of" in inspect.signature(ENTRIES[name].load()).parameters:
        with pytest.raises(InvalidRequest, match="not 'agent'"):
            make_scorer(name, {**given, "of": "agent"})


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("wer", "wer"),
        ({"wer": None}, "wer"),
        ({"wer": {"of": "user"}}, "wer_user"),
        ({"name": "wer", "params": {"of": "user"}}, "wer_user"),
        ({"name": "wer"}, "wer"),
        ("v2v", "v2v"),
        ({"v2v_p95": {"at_most": 1500}}, "v2v_p95_within"),
        ("tool_call", "tool_call"),
        ({"tool_call_args": {"match": "subset"}}, "tool_call_args"),
        ({"speech_fidelity": EARS}, "speech_fidelity"),
        ({"task_completion": EARS}, "task_completion"),
        ({"task_completion": {**EARS, "name": "done"}}, "done"),
    ],
)
def test_a_scorer_is_written_in_a_few_ways(written: Any, name: str) -> None:
    assert read_scorer(written).name == name


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("wre", "Is 'wer' meant?"),
        ("what", "There are: tool_called"),
        ({"wer": {"side": "user"}}, "cannot be made.*'side'.*It takes of, against"),
        ({"wer": {"against": "x"}}, "cannot be made: against is one of"),
        ({"wer": "user"}, "parameters of a scorer"),
        ({"wer": {}, "cer": {}}, "written as its name"),
        (3, "written as its name"),
        ({"conciseness": {**EARS, "side": "user"}}, "cannot be made.*'side'"),
        ("forbidden_tools", "missing a required argument: 'tools'"),
        ({"metric": {"measure": "speed"}}, "no metric 'speed'"),
    ],
)
def test_what_cannot_be_read_is_said(written: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_scorer(written)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("v2v.p95", "v2v"),
        ("v2v_p95", "v2v_p95"),
        ("first_audio.p50", "first_audio"),
        ("tool_call", "tool_call"),
        ("tool_arguments.mean", "tool_arguments"),
        ("errors", "errors"),
        ("wer.max", "wer"),
        ("contains", None),
        ("echo", None),
        ("satisfaction", None),
    ],
)
def test_a_gate_implies_the_scorer_that_it_asks_of(key: str, name: str | None) -> None:
    found = implied(key)
    assert (found.name if found else None) == name


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.needs == "network"])
def test_a_rule_names_no_files_secrets_or_addresses(name: str) -> None:
    prompt = inspect.signature(ENTRIES[name].load()).parameters.get("prompt")
    kept = {"base_url", "api_key_env"}
    if prompt is None or "Path" in str(prompt.annotation):
        kept.add("prompt")
    for parameter in kept:
        with pytest.raises(InvalidRequest, match=f"cannot have {parameter}"):
            make_rule_scorer(name, {parameter: "/etc/passwd"})


def test_another_name_for_a_scorer_is_no_way_around_that() -> None:
    with pytest.raises(InvalidRequest, match="cannot have base_url"):
        make_rule_scorer("speech_fidelity", {"base_url": "http://127.0.0.1:9/v1"})


def test_a_rule_has_the_other_scorers_and_parameters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert make_rule_scorer("wer", {"of": "user"}).name == "wer_user"
    monkeypatch.chdir(tmp_path)  # no settings
    with pytest.raises(InvalidRequest, match="'judge' cannot be made"):
        make_rule_scorer("judge", {"rubric": "It is polite."})


def test_those_that_look_at_the_trace_alone_are_safe_online() -> None:
    safe = online_safe()
    assert {"wer", "metric", "turn_taking", "language"} <= set(safe)
    assert "echo" not in safe
    assert needs("echo") == "sound"
    assert needs("tool_call") == "log"


@pytest.mark.parametrize("name", online_safe())
def test_what_is_safe_online_asks_for_no_sound(name: str) -> None:
    class Refusing:
        def audio(self, *_: Any) -> bytes:
            raise AssertionError("it asked for sound")

        events = audio

    made = make_scorer(name, PARAMETERS.get(name))
    for session in snapshot_sessions():
        refusing = type(session)(session.trace, Refusing())
        wanted = subject_of(refusing, calls=[("get_weather", {"city": "x"})], transcript="hello")
        assert asyncio.run(made.score(wanted))


def test_the_names_alone_which_every_command_knows_load_no_scorer_and_no_numpy() -> None:
    code = (
        "import sys, voxgate.cli.main, voxgate.evals.registry as r; r.online_safe(); "
        "print([m for m in sys.modules if 'evals.scorers.' in m or m in ('jiwer', 'numpy', 'py3langid')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_each_module_has_one_scorer_of_its_name() -> None:
    for entry in ENTRIES.values():
        assert callable(getattr(import_module(entry.module), entry.name))


def test_every_scorer_is_documented_with_its_parameters() -> None:
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (.*)$", (REPOSITORY / "docs/scorers.md").read_text(), re.MULTILINE)
    )
    assert set(rows) == set(ENTRIES)
    for name, entry in ENTRIES.items():
        told, _, rest = rows[name].partition(" | ")
        told += rows["judge"] if told.startswith("as `judge`") else ""
        signature = inspect.signature(entry.load()).parameters
        parameters = {one.name for one in signature.values() if one.kind is not one.VAR_KEYWORD}
        assert "name" in parameters or name == "scenario_graders", name
        parameters.discard("name")
        assert {one for one in parameters if f"`{one}`" not in told} == set(), name
        assert len(rest.strip(" |").split(" | ")) == 3, name


def test_the_example_of_the_documents_works() -> None:
    text = (REPOSITORY / "docs/scorers.md").read_text()
    code = text.partition("```python\n")[2].partition("\nEval(")[0]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/scorers.md", "exec"), names)  # with what it imports from voxgate
    assert score_of(names["longest_wait"], weather_session()).reason_missing == "the scorer gave no value"
    answered = {"id": "r", "type": "response", "metrics": {"v2v_heard": 1200.0}}
    waited = Session({"id": "s", "duration_ms": 2000, "spans": [answered]})
    assert (score_of(names["longest_wait"], waited).value, names["longest_wait"].name) == (
        1200,
        "longest_wait",
    )
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        assert [read_scorer(one).name for one in yaml.safe_load(block)["scores"]] == [
            *("tool_called", "v2v", "wer_user", "v2v_within"),
        ]
