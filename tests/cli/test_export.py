"""`voxgate sessions export` against a Voxgate that runs, and back in with `import`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from tests.cli.commands import run_here
from tests.cli.test_importing import write_log
from tests.running import Voxgate
from voxgate.cli.main import app
from voxgate.core.errors import InvalidRequest


def test_sessions_are_exported_and_come_back_as_they_were(voxgate: Voxgate, tmp_path: Path) -> None:
    to = tmp_path / "out"
    path = write_log(tmp_path, f"Words of {tmp_path.name}.")
    line = run_here(voxgate, "sessions", "import", str(path), "--project", tmp_path.name, "--json").line
    session_id = json.loads(line)["id"]
    flags = ("--project", tmp_path.name, "--format", "jsonl", "--events", "--to", str(to))
    first = run_here(voxgate, "sessions", "export", *flags, "--audio-format", "flac")
    assert first.status == 0, first.errors
    assert "1 sessions written" in first.errors
    [row] = [json.loads(line) for line in (to / "sessions.jsonl").read_text().splitlines()]
    assert row["id"] == session_id
    assert isinstance(row["items"], list)
    sound, rate = soundfile.read(to / row["audio"]["user"])
    assert (len(sound), rate) == (4800, 24_000)
    again = run_here(voxgate, "sessions", "export", *flags)
    assert "0 sessions written" in again.errors
    assert "1 were there" in again.errors
    events = to / "events" / f"{session_id}.jsonl"
    back = json.loads(run_here(voxgate, "sessions", "import", str(events), "--json").line)
    assert (back["id"], back["status"], back["times"]) == (session_id, "exists", "exact")


def test_sessions_that_are_gone_are_left_out_and_named(voxgate: Voxgate, tmp_path: Path) -> None:
    flags = ("--format", "parquet", "--to", str(tmp_path / "out"))
    done = run_here(voxgate, "sessions", "export", "sess_none", "sess_neither", *flags)
    assert done.status == 0
    assert "left out: sess_none" in done.errors
    assert "0 sessions written" in done.errors
    alone = run_here(voxgate, "sessions", "export", "sess_none", "--to", str(tmp_path / "one"))
    assert alone.status == 2
    assert "There is no session" in alone.errors


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "Which sessions"),
        (("--all", "--format", "csv"), "--format 'csv' is none of"),
        (("--all", "--track", "noise"), "--track 'noise' is none of"),
        (("--all", "--audio-format", "mp3"), "--audio-format 'mp3' is none of"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_asked(flags: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["sessions", "export", *flags])
    assert isinstance(done.exception, InvalidRequest)
    assert said in done.exception.message


def test_the_help_has_examples() -> None:
    for name in ("export", "import"):
        help_text = CliRunner().invoke(app, ["sessions", name, "--help"]).output
        assert f"voxgate sessions {name} " in " ".join(help_text.split())
