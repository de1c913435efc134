"""`voxgate eval` from end to end: files, a whole Voxgate, and what the exit codes say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.commands import Command, Outcome
from tests.running import Voxgate, start_voxgate

GOOD = """
from voxgate import Eval, scorer

@scorer
def exact(output, expected):
    return output == expected

def greet(name):
    return f"Hello, {name}!"

Eval(
    "greetings",
    data=[{"id": f"c{n}", "input": f"n{n}", "expected": f"Hello, n{n}!"} for n in range(8)],
    task=greet,
    scores=[exact],
    gate={"exact": ">=0.9"},
)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voxgate]:
    started = start_voxgate(tmp_path_factory.mktemp("eval"), local=False)
    yield started
    assert started.stop() == 0, "".join(started.output)


@pytest.fixture
def voxgate(running: Voxgate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(running, here=True)


def written(folder: Path, text: str, name: str = "evals.py") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def newest(voxgate: Command, **wanted: str) -> dict[str, object]:
    flags = [part for name, value in wanted.items() for part in (f"--{name}", value)]
    done = voxgate("eval", "list", "--json", "--limit", "1", *flags)
    row: dict[str, object] = json.loads(done.line)
    return row


def test_from_a_good_run_to_a_regression_and_its_reports(voxgate: Command, tmp_path: Path) -> None:
    first = voxgate("eval", "run", written(tmp_path, GOOD))
    assert first.status == 0, first
    assert "PASS  exact >=0.9" in first.output
    good = newest(voxgate, name="greetings")
    assert (good["status"], good["results"]) == ("complete", 8)

    worse = GOOD.replace('f"Hello, {name}!"', 'f"Go away, {name}!"', 1)
    targets = {"html": "r.html", "junit": "r.xml", "markdown": "r.md", "jsonl": "r.jsonl"}
    flags = [part for name, path in targets.items() for part in (f"--{name}", path)]
    second = voxgate("eval", "run", written(tmp_path, worse), *flags)
    assert second.status == 1, second
    assert "regressed" in second.output
    assert ElementTree.parse("r.xml").getroot().get("failures") == "1"
    assert "🔴 regressed" in Path("r.md").read_text()
    assert "Go away, n3!" in Path("r.html").read_text()
    kinds = [json.loads(line)["type"] for line in Path("r.jsonl").read_text().splitlines()]
    assert kinds == ["experiment", *["result"] * 8, "comparison", "check", "outcome"]

    bad = newest(voxgate, name="greetings")
    compared = voxgate("eval", "compare", str(good["id"]), str(bad["id"]), "--json")
    assert json.loads(compared.line)["scores"][0]["verdict"] == "regressed"
    assert voxgate("eval", "gate", str(good["id"]), str(bad["id"])).status == 1
    assert (
        voxgate("eval", "gate", str(good["id"]), str(good["id"]), "--gate", "exact=no-regression").status == 2
    )
    assert voxgate("eval", "gate", str(bad["id"])).status == 1
    assert voxgate("eval", "gate", str(bad["id"]), "--gate", "exact<=0").status == 0
    assert "before" in voxgate("eval", "show", str(bad["id"])).output
    exported = voxgate("eval", "export", str(bad["id"]), "--format", "markdown")
    assert exported.output == Path("r.md").read_text()


def test_the_first_run_of_a_gate_that_compares_is_said_to_be_one(voxgate: Command, tmp_path: Path) -> None:
    text = GOOD.replace(">=0.9", "no-regression").replace('"greetings"', '"a first one"')
    path = written(tmp_path, text)
    refused = voxgate("eval", "run", path)
    assert refused.status == 2
    assert "the first one with --no-baseline" in " ".join(refused.errors.split())
    first = voxgate("eval", "run", path, "--no-baseline")
    assert first.status == 0, first
    assert "PASS  exact no-regression  not compared with anything (--no-baseline)" in first.output
    second = voxgate("eval", "run", path)
    assert second.status == 0, second
    assert "PASS  exact no-regression" in second.output
    assert "not compared" not in second.output


def test_scores_are_made_again_without_running_anything(voxgate: Command, tmp_path: Path) -> None:
    assert voxgate("eval", "run", written(tmp_path, GOOD)).status == 0
    before = newest(voxgate, name="greetings")
    again = GOOD.replace("output == expected", "'n3' in output").replace(
        'return f"Hello', 'raise RuntimeError("it ran")\n    return f"Hello'
    )
    done = voxgate("eval", "score", str(before["id"]), written(tmp_path, again), "--no-baseline")
    assert done.status == 1, done
    after = newest(voxgate, name="greetings")
    assert after["scored_from"] == before["id"]
    assert after["scores"]["exact"]["mean"] == pytest.approx(1 / 8)  # type: ignore[index]
    assert newest(voxgate, name="greetings") == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (", "evals.py, line 1: SyntaxError"),
        ("\nimport nothing_of_that_name", "evals.py, line 2: ModuleNotFoundError"),
        (
            "from voxgate import Eval\nEval('x', data=[1], gate={'a': 'good'})",
            "line 2: The gate 'a' cannot be read",
        ),
        ("x = 1", "makes no Eval"),
        (
            GOOD.replace(">=0.9", "no-regression").replace('"greetings"', '"never run"'),
            "no complete experiment",
        ),
        (GOOD.replace('gate={"exact"', 'gate={"exat"'), "Is 'exact' meant?"),
    ],
)
def test_what_is_written_wrong_ends_with_2(voxgate: Command, tmp_path: Path, text: str, message: str) -> None:
    done = voxgate("eval", "run", written(tmp_path, text))
    assert done.status == 2, done
    assert message in done.errors


def test_wrong_flags_and_unknown_experiments_end_with_2(voxgate: Command, tmp_path: Path) -> None:
    assert voxgate("eval", "run").status == 2
    assert voxgate("eval", "run", "nothing.py").status == 2
    assert voxgate("eval", "run", written(tmp_path, GOOD), "--only", "others").status == 2
    assert voxgate("eval", "compare", "exp_1", "exp_2").status == 2
    assert voxgate("eval", "show", "nobody").status == 2
    assert voxgate("eval", "export", "greetings", "--format", "pdf").status == 2


def test_no_voxgate_and_a_failing_provider_end_with_3(
    voxgate: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Command(Voxgate(voxgate.voxgate.process, "http://127.0.0.1:1", "vg_x", tmp_path), here=True)
    assert away("eval", "run", written(tmp_path, GOOD)).status == 3
    monkeypatch.setattr("voxgate.evals.casework.FIRST_WAIT_SECONDS", 0.0)
    failing = "from voxgate.evals.protocols import TaskError\n" + GOOD.replace(
        'return f"Hello', 'raise TaskError("the provider was away")\n    return f"Hello'
    ).replace('"exact": ">=0.9"', '"exact": ">1"')
    done = voxgate("eval", "run", written(tmp_path, failing), "--no-baseline")
    assert done.status == 3, done
    assert "Go on with: --resume exp_" in done.errors


def test_several_evaluations_of_one_file_end_with_the_worst(voxgate: Command, tmp_path: Path) -> None:
    second = 'Eval("other", data=[{"input": "x"}], task=greet, scores=[exact], gate={"exact": ">=1"})'
    text = written(tmp_path, GOOD + second.replace('"x"}', '"x", "expected": "y"}'))
    done = voxgate("eval", "run", text, "--html", "out/r.html")
    assert done.status == 1, done
    assert sorted(path.name for path in Path("out").iterdir()) == ["r-greetings.html", "r-other.html"]
    assert voxgate("eval", "run", text, "--only", "greetings").status == 0


def test_a_change_of_the_file_runs_it_again(voxgate: Command, tmp_path: Path) -> None:
    assert voxgate("eval", "watch", written(tmp_path, GOOD), "--times", "1").status == 0


def test_watching_goes_on_when_a_gate_fails_or_a_file_cannot_be_read(
    voxgate: Command, tmp_path: Path
) -> None:
    failing = written(tmp_path, GOOD.replace('"exact": ">=0.9"', '"exact": ">1"'))
    done = voxgate("eval", "watch", failing, "--times", "1")
    assert (done.status, "FAIL" in done.output, "Traceback" in done.errors) == (0, True, False), done
    done = voxgate("eval", "watch", written(tmp_path, "x = ("), "--times", "1")
    assert (done.status, "SyntaxError" in done.errors, "Traceback" in done.errors) == (0, True, False), done


def test_a_reader_that_has_gone_is_told_in_one_line_and_is_no_failed_gate(
    voxgate: Command, tmp_path: Path
) -> None:
    assert voxgate("eval", "run", written(tmp_path, GOOD), "--no-baseline").status == 0
    environ = {"VOXGATE_URL": voxgate.voxgate.url, "VOXGATE_API_KEY": voxgate.voxgate.key}
    command = [sys.executable, "-m", "voxgate", "eval", "export", "greetings", "--format", "html"]
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environ},
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(write)
    assert done.returncode == 3, done.stderr
    assert done.stderr.strip() == "error: nobody reads the output any more"


def test_a_killed_run_is_taken_up_again_and_nothing_is_scored_twice(voxgate: Command, tmp_path: Path) -> None:
    log = tmp_path / "ran.txt"
    slow = GOOD.replace("def greet(name):", "import time\ndef greet(name):\n    note(name)").replace(
        "range(8)", "range(40)"
    )
    note = (
        f"def note(name):\n    with open({str(log)!r}, 'a') as file:\n        file.write(name + '\\n')\n"
        f"    time.sleep(0.02)\n"
    )
    path = written(tmp_path, (note + slow).replace('"greetings"', '"killed"'))
    environ = {"VOXGATE_URL": voxgate.voxgate.url, "VOXGATE_API_KEY": voxgate.voxgate.key}
    command = [sys.executable, "-m", "voxgate", "eval", "run", path, "--no-baseline", "--concurrency", "1"]
    process = subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not _results(voxgate):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    stored = _results(voxgate)
    assert 0 < stored < 40
    ran_before = len(log.read_text().split())
    done = voxgate("eval", "run", path, "--resume", "last")
    assert done.status == 0, done
    assert f"{stored} done before" in done.errors
    assert len(log.read_text().split()) == ran_before + 40 - stored
    assert newest(voxgate, name="killed")["results"] == 40


def _results(voxgate: Command) -> int:
    done: Outcome = voxgate(
        "eval", "list", "--json", "--status", "running", "--name", "killed", "--limit", "1"
    )
    return int(json.loads(done.output)["results"]) if done.output.strip() else 0
