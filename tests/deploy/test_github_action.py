"""The GitHub Action: it can be read, and its shell steps do here what they do there."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import REPOSITORY
from tests.running import Voxgate

pytestmark = pytest.mark.timeout(300)
ACTION = REPOSITORY / "deploy/github-action/action.yml"
EVAL = """
from voxgate import Eval
def exact(output, expected):
    return output == expected
Eval("greetings", data=[{"input": "a", "expected": "a"}], task=TASK, scores=[exact], gate={"exact": ">=1"})
"""


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(ACTION.read_text())
    return read


def step(action: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in action["runs"]["steps"] if one["name"] == name)
    return found


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with these in front; `voxgate` is this checkout's."""
    scripts["voxgate"] = f'exec {sys.executable} -m voxgate "$@"'
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def run(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("VOXGATE_")}
    files = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    bash = shutil.which("bash")
    assert bash is not None
    # As GitHub runs them.
    command = [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command,
        env={**own, **files, "RUNNER_TEMP": str(folder), **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def test_every_input_that_steps_use_is_declared_and_none_is_put_into_a_script(action: dict[str, Any]) -> None:
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text()))
    assert used == set(action["inputs"])
    assert all("${{" not in one["run"] for one in action["runs"]["steps"])
    assert all(one["shell"] == "bash" for one in action["runs"]["steps"])


@pytest.mark.parametrize(("task", "code"), [("lambda said: said", 0), ("lambda said: 'no'", 1)])
@pytest.mark.local
def test_it_runs_reports_and_ends_with_the_exit_code(
    action: dict[str, Any], voxgate: Voxgate, tmp_path: Path, task: str, code: int
) -> None:
    (tmp_path / "evals.py").write_text(EVAL.replace("TASK", task))
    given = {"FILES": "evals.py", "BASELINE": "", "ARGUMENTS": "--no-baseline"}
    reach = {"GIVEN_URL": voxgate.url, "GIVEN_KEY": voxgate.key, "PATH": programs(tmp_path / "bin")}
    done = run(step(action, "Run")["run"], tmp_path, **given, **reach)
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert outputs["exit-code"] == str(code)
    assert {path.name for path in Path(outputs["report"]).iterdir()} >= {
        "comment.md",
        "results.xml",
        "report.html",
    }
    assert "greetings" in (tmp_path / "summary").read_text()
    assert run(step(action, "Verdict")["run"], tmp_path, CODE=outputs["exit-code"]).returncode == code


GH = """
import json, os, pathlib, sys
kept = pathlib.Path(os.environ["COMMENTS"])
comments = json.loads(kept.read_text()) if kept.exists() else []
match sys.argv[1:]:
    case ["api", "--paginate", "repos/o/r/issues/5/comments", "--jq", asked]:
        head, wanted, tail = asked.split('"')
        assert (head, tail) == (".[] | select(.body | startswith(", ")) | .id")
        print(*(one["id"] for one in comments if one["body"].startswith(wanted)), sep="\\n")
    case ["api", "--method", "POST", "repos/o/r/issues/5/comments", "--field", field]:
        body = pathlib.Path(field.removeprefix("body=@")).read_text()
        comments.append({"id": 70 + len(comments), "body": body})
    case ["api", "--method", "PATCH", target, "--field", field]:
        (one,) = (one for one in comments if target == f"repos/o/r/issues/comments/{one['id']}")
        one["body"] = pathlib.Path(field.removeprefix("body=@")).read_text()
    case other:
        sys.exit(f"what is {other}?")
kept.write_text(json.dumps(comments))
"""
"""Of GitHub's program as much as the action uses, with the comments in a file."""


def pushed(action: dict[str, Any], folder: Path, task: str, **environ: str) -> int:
    """What one push leads to: all steps of it, one after the other, without a `url`. Ends as the job does."""
    (folder / "evals.py").write_text(EVAL.replace("TASK", task))
    (folder / "gh.py").write_text(GH)
    path = programs(folder / "bin", gh=f'exec {sys.executable} {folder}/gh.py "$@"')
    given = {
        "FILES": "evals.py",
        "BASELINE": "",
        "ARGUMENTS": "",
        "GIVEN_URL": "",
        "GIVEN_KEY": "",
    }
    (folder / "output").write_text("")
    done = run(step(action, "Run")["run"], folder, **given, **environ, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
    pull = {"REPOSITORY": "o/r", "NUMBER": "5", "GH_TOKEN": "t", "COMMENTS": str(folder / "comments.json")}
    told = run(step(action, "Comment")["run"], folder, REPORT=outputs["report"], **pull, PATH=path)
    assert told.returncode == 0, told.stderr
    return run(step(action, "Verdict")["run"], folder, CODE=outputs["exit-code"]).returncode


def test_without_an_address_it_runs_a_voxgate_of_its_own_and_each_push_changes_the_one_comment(
    action: dict[str, Any], tmp_path: Path
) -> None:
    quick = {"VOXGATE_LOCAL_ENABLED": "false"}  # nothing here is called
    (tmp_path / "comments.json").write_text('[{"id": 69, "body": "Looks good to me."}]')
    assert pushed(action, tmp_path, "lambda said: said", **quick) == 0
    other, ours = json.loads((tmp_path / "comments.json").read_text())
    assert ours["body"].startswith("<!-- voxgate evaluations -->\n### ✅ greetings")
    assert pushed(action, tmp_path, "lambda said: 'no'", **quick) == 1
    again = json.loads((tmp_path / "comments.json").read_text())
    assert [one["id"] for one in again] == [other["id"], ours["id"]]
    assert again[0] == other
    assert again[1]["body"].startswith("<!-- voxgate evaluations -->\n### ❌ greetings")
    assert "compared with" in again[1]["body"]  # its data folder was kept
    address = re.search(r"Open +http://([^/\s]+)", (tmp_path / "voxgate/serve.log").read_text())
    assert address is not None
    host, port = address[1].split(":")
    with pytest.raises(ConnectionRefusedError):  # it was stopped
        socket.create_connection((host, int(port)), 5)


def test_a_voxgate_that_does_not_start_is_no_failed_gate(action: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "comments.json").write_text("[]")
    assert pushed(action, tmp_path, "lambda said: said", VOXGATE_WORKERS="none") == 3
    assert (tmp_path / "comments.json").read_text() == "[]"


@pytest.mark.parametrize(("known", "method"), [("", "POST"), ("77", "PATCH")])
def test_the_comment_is_written_once_and_changed_later(
    action: dict[str, Any], tmp_path: Path, known: str, method: str
) -> None:
    (tmp_path / "comment.md").write_text("### all is well\n")
    gh = f'if [ "$2" = --paginate ]; then echo "{known}"; else echo "$@" > "{tmp_path}/said"; fi'
    environ = {"REPORT": str(tmp_path), "REPOSITORY": "o/r", "NUMBER": "5", "GH_TOKEN": "t"}
    path = programs(tmp_path / "bin", gh=gh)
    done = run(step(action, "Comment")["run"], tmp_path, **environ, PATH=path)
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "said").read_text()
    target = "repos/o/r/issues/comments/77" if known else "repos/o/r/issues/5/comments"
    assert said.startswith(f"api --method {method} {target} ")
    assert (tmp_path / "body.md").read_text() == "<!-- voxgate evaluations -->\n### all is well\n"
