"""`voxgate datasets …` against a Voxgate that runs: what goes in comes out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Command, Outcome, run_here
from tests.cli.test_importing import write_log
from tests.running import Voxgate
from voxgate.api.wav import wav_header
from voxgate.client.datasets import Datasets
from voxgate.client.http import ApiError, Client
from voxgate.client.sessions import Sessions
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.evals.datasets import dataset, logs
from voxgate.evals.model import Case

WAV = wav_header(8000, 1, 1600) + bytes(1600)


@pytest.fixture
def name(tmp_path: Path) -> str:
    return f"set of {tmp_path.name}"


@pytest.fixture
def client(voxgate: Voxgate, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("VOXGATE_URL", voxgate.url)
    monkeypatch.setenv("VOXGATE_API_KEY", voxgate.key)
    return Client()


@pytest.fixture
def run(voxgate: Voxgate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(voxgate, here=True)


@pytest.fixture
def session_id(voxgate: Voxgate, tmp_path: Path) -> str:
    """A recorded call."""
    path = write_log(tmp_path, f"Good day from {tmp_path.name}.")
    done = run_here(voxgate, "sessions", "import", str(path), "--project", tmp_path.name, "--json")
    made: str = json.loads(done.line)["id"]
    return made


def write_cases(folder: Path, *rows: str) -> str:
    (folder / "audio").mkdir(exist_ok=True)
    for number in range(1, len(rows) + 1):
        (folder / f"audio/{number}.wav").write_bytes(WAV + bytes([number, 0]))
    path = folder / "cases.csv"
    path.write_text("\n".join(["id,text,audio_path,gt_tool_call,gt_tool_call_arg", *rows]) + "\n")
    return path.name


ROWS = ('a,one,audio/1.wav,f,"{""x"": 1}"', "b,two,audio/2.wav,,")


def shown(run: Command, reference: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("datasets", "show", reference, "--json").line)
    return found


def refused(done: Outcome) -> str:
    assert done.status == 2, done
    return done.errors


def without_blobs(cases: Iterator[Case]) -> list[dict[str, Any]]:
    return [case.to_json() for case in cases]


def test_what_is_imported_is_listed_shown_exported_and_loads_again(
    run: Command, client: Client, name: str, tmp_path: Path
) -> None:
    path = write_cases(tmp_path, *ROWS)
    assert run("datasets", "import", name, path, "--dry-run").line == "2 cases can be imported."
    assert run("datasets", "import", name, path).line == f"{name}@1: 2 cases"
    assert run("datasets", "import", name, path).line.endswith("nothing is different from before")
    assert f"{name}@1" in run("datasets", "list").output
    told = run("datasets", "show", name).output
    assert "audio" in told
    assert "none" in told
    folder = tmp_path / "exported"
    assert run("datasets", "export", name, str(folder)).line == f"{name}@1: 2 cases in {folder}"
    assert sorted((folder / "blobs").iterdir())[0].read_bytes()[:4] == b"RIFF"
    run("datasets", "import", f"{name} again", str(folder))
    first, again = dataset(name), dataset(f"{name} again")
    assert without_blobs(first.cases(client)) == without_blobs(again.cases(client))
    case = next(first.cases(client))
    assert case.dataset_id == shown(run, name)["id"]
    datasets = Datasets(client)
    assert b"".join(datasets.blob(case.dataset_id or "", case.input.clips[0].blob or "")) == WAV + b"\1\0"


def test_a_version_is_pinned_with_its_cases(run: Command, client: Client, name: str, tmp_path: Path) -> None:
    run("datasets", "import", name, write_cases(tmp_path, *ROWS))
    run("datasets", "import", name, write_cases(tmp_path, "c,three,audio/1.wav,,"))
    newest, first = dataset(name).pinned(client), dataset(f"{name}@1").pinned(client)
    assert (newest["version"], newest["cases"]) == (2, 3)
    assert (first["version"], first["cases"]) == (1, 2)
    assert [case.id for case in dataset(f"{name}@1")] == ["a", "b"]
    assert [case.id for case in dataset(name)] == ["a", "b", "c"]
    with pytest.raises(NotFound, match="no version 7; the newest is 2"):
        dataset(f"{name}@7").pinned(client)
    with pytest.raises(InvalidRequest, match="refunds@3"):
        dataset("refunds@last")
    exported = run("datasets", "export", f"{name}@1", str(tmp_path / "first"))
    assert exported.line.startswith(f"{name}@1: 2 cases")


def test_recorded_calls_are_added_and_found_as_logs(
    run: Command, client: Client, name: str, session_id: str, tmp_path: Path
) -> None:
    project = tmp_path.name
    added = run("datasets", "add", name, session_id, "--turns", "each", "--expected", "said", "--tag", "x")
    assert added.line == f"{name}@1: 1 cases"
    [case] = dataset(name)
    assert (case.id, case.input.kind, case.input.turn) == (f"{session_id}.0", "turn", 0)
    assert "Good day" in (case.expected.transcript or "")
    assert "x" in case.tags
    again = run("datasets", "add", name, session_id, "--turns", "each")
    assert "1 were there before; nothing is different" in again.line
    [logged] = logs("status:complete", project=project)
    assert (logged.id, logged.input.kind, logged.session_id) == (session_id, "session", session_id)
    assert (logged.expected.transcript, logged.expected.tool_calls) == (None, None)
    [as_it_was] = logs("status:complete", project=project, expected="said")
    assert as_it_was == replace(logged, expected=case.expected)
    assert list(logs("status:failed", project=project)) == []
    assert list(logs("", project=project, limit=0)) == []
    folder = tmp_path / "exported"
    run("datasets", "export", name, str(folder))
    run("datasets", "import", f"{name} again", str(folder))
    assert without_blobs(dataset(f"{name} again").cases(client)) == [case.to_json()]
    sessions = Sessions(client)
    log = b"".join(sessions.events(session_id))
    assert log == b"".join(Datasets(client).blob(case.dataset_id or "", case.input.recording or ""))
    assert b"".join(sessions.audio(session_id, "user"))[:4] == b"RIFF"
    assert sessions.trace(session_id)["project"] == project


def test_a_filter_adds_what_it_finds(run: Command, name: str, session_id: str, tmp_path: Path) -> None:
    project = tmp_path.name
    run("datasets", "create", name, "--project", project, "--description", "of a filter")
    assert run("datasets", "add", name, "-q", "status:complete").line == f"{name}@1: 1 cases"
    assert f"no call that is over in the project '{project}'" in refused(
        run("datasets", "add", name, "-q", "status:failed")
    )
    assert [
        row["name"]
        for row in map(
            json.loads, run("datasets", "list", "--project", project, "--json").output.splitlines()
        )
    ] == [name]
    assert "of a filter" in run("datasets", "show", name).output


def test_a_data_set_is_deleted_when_it_is_meant(
    run: Command, client: Client, name: str, tmp_path: Path
) -> None:
    run("datasets", "import", name, write_cases(tmp_path, *ROWS))
    dataset_id = shown(run, name)["id"]
    assert run("datasets", "delete", name).status != 0
    assert run("datasets", "delete", name, "--yes").line == f"{name} is deleted."
    with pytest.raises(ApiError, match="no data set"):
        Datasets(client).get(dataset_id)
    with pytest.raises(NotFound, match="There are:"):
        dataset(name).pinned(client)


def test_what_is_wrong_is_said_and_nothing_is_sent(run: Command, name: str, tmp_path: Path) -> None:
    path = write_cases(tmp_path, *ROWS, "a,again,audio/1.wav,,")
    assert "two cases have the id 'a'" in refused(run("datasets", "import", name, path))
    (tmp_path / "audio/1.wav").unlink()
    path = write_cases(tmp_path, ROWS[0])
    (tmp_path / "audio/1.wav").unlink()
    assert "1 files that it names are missing" in refused(run("datasets", "import", name, path))
    assert "no data set" in refused(run("datasets", "show", name))
    assert run("datasets", "import", name, path, "--text-only").line == f"{name}@1: 1 cases"
    assert "a version is made by importing" in refused(run("datasets", "import", f"{name}@2", path))
    assert "either their ids, or a filter" in refused(run("datasets", "add", name))
    assert "is there already" in refused(run("datasets", "export", name, str(tmp_path)))
    assert "no session" in refused(run("datasets", "add", name, "sess_none"))


def test_a_failed_export_leaves_nothing(
    run: Command, client: Client, name: str, tmp_path: Path, voxgate: Voxgate
) -> None:
    run("datasets", "import", name, write_cases(tmp_path, *ROWS))
    for blob in (voxgate.data_dir / "blobs/datasets" / shown(run, name)["id"]).iterdir():
        blob.unlink()
    assert run("datasets", "export", name, str(tmp_path / "out")).status == 2
    assert not list(tmp_path.glob("*out*")) + list(tmp_path.glob(".*"))


def test_the_command_runs_as_a_user_types_it(voxgate: Voxgate) -> None:
    done = Command(voxgate)("datasets", "import", "--help")
    assert done.status == 0
    assert "voxgate datasets import refunds cases.csv" in done.output
