"""`voxgate sessions import` against a Voxgate that runs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import run_here
from tests.running import Voxgate
from tests.traces.calls import b64, pcm


def write_log(folder: Path, words: str) -> Path:
    append = {"type": "input_audio_buffer.append", "audio": b64(pcm(200))}
    names = {"response_id": "resp_1", "item_id": "item_a"}
    events = [
        ("received", {"type": "session.created", "session": {"id": "s", "model": "gpt-realtime"}}),
        ("sent", append),
        ("sent", {"type": "input_audio_buffer.commit"}),
        ("received", {"type": "input_audio_buffer.committed", "item_id": "item_u"}),
        ("received", {"type": "response.created", "response": {"id": "resp_1"}}),
        ("received", {"type": "response.output_audio_transcript.delta", "delta": words, **names}),
        ("received", {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}),
    ]
    path = folder / "call.jsonl"
    lines = [
        {"timestamp": f"2026-11-20T10:00:0{number}Z", "direction": direction, "event": event}
        for number, (direction, event) in enumerate(events)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_log_is_checked_imported_once_and_shown(voxgate: Voxgate, tmp_path: Path) -> None:
    path = write_log(tmp_path, f"Good day from {tmp_path.name}.")
    checked = run_here(voxgate, "sessions", "import", str(path), "--dry-run")
    assert "could be imported" in checked.line
    session_id = json.loads(
        run_here(voxgate, "sessions", "import", str(path), "--project", "old", "--json").line
    )["id"]
    assert "is there already" in run_here(voxgate, "sessions", "import", str(path), "--project", "old").line
    shown = json.loads(run_here(voxgate, "sessions", "show", session_id, "--json").output)
    assert (shown["status"], shown["project"]) == ("complete", "old")
    assert shown["imported"]["file"] == "call.jsonl"
    assert shown["started_at"] == "2026-11-20T10:00:00.000Z"
    assert shown["tracks"]["user"]["bytes"] == len(pcm(200))
    response = next(span for span in shown["spans"] if span["type"] == "response")
    assert response["metrics"]["generation_ms"] == 2000


def test_a_file_that_is_no_log_is_said_with_its_line(voxgate: Voxgate, tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"type": "response.create"}\n{"hello": "there"}\n')
    for flags in ((), ("--dry-run",)):
        done = run_here(voxgate, "sessions", "import", str(path), *flags)
        assert done.status == 2
        assert "notes.jsonl, line 2 has no Realtime event" in done.errors
    assert run_here(voxgate, "sessions", "import", str(tmp_path / "none.jsonl")).status == 2
    wrong = run_here(voxgate, "sessions", "import", str(path), "--started-at", "yesterday")
    assert "--started-at 'yesterday'" in wrong.errors


def test_files_beside_one_that_is_no_log_are_imported_all_the_same(voxgate: Voxgate, tmp_path: Path) -> None:
    wrong, none = tmp_path / "notes.jsonl", tmp_path / "none.jsonl"
    wrong.write_text('{"hello": "there"}\n')
    path = write_log(tmp_path, f"Good evening from {tmp_path.name}.")
    for flags, said in ((("--dry-run",), "could be imported"), ((), "imported ·")):
        done = run_here(voxgate, "sessions", "import", str(wrong), str(none), str(path), *flags)
        assert done.status == 2
        assert said in done.output
        assert "notes.jsonl, line 1 has no Realtime event" in done.errors
        assert "There is no file" in done.errors
        assert "2 of 3 files could not be imported" in done.errors
    assert "1 traces are made" in done.errors
