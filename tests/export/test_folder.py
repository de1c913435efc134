"""Exports into folders: whole, interrupted, gone on with, and read by others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.export.calls import row_of, tool_call
from voxgate.core.errors import InvalidRequest, NotFound
from voxgate.export.folder import FolderWriter, Format, Sound, Wanted, write_one, writer_for
from voxgate.traces.metrics import METRICS

FORMATS: list[Format] = ["files", "jsonl", "parquet", "braintrust"]
URL = "https://voxgate.example"


def trace_of(session_id: str) -> dict[str, Any]:
    """As the API answers it."""
    row = row_of(tool_call(session_id=session_id).trace())
    data = row.pop("data")
    return {**data, **row}


class FakeSource:
    """A Voxgate with some sessions, that may break down on the way. It counts what is fetched."""

    def __init__(self, *ids: str) -> None:
        self.traces = {session_id: trace_of(session_id) for session_id in ids}
        self.breaks_at = ""
        self.gone: set[str] = set()
        self.fetched: list[str] = []

    def trace(self, session_id: str) -> dict[str, Any]:
        if session_id not in self.traces:
            raise NotFound(f"There is no session {session_id!r}.")
        self.fetched.append(session_id)
        return json.loads(json.dumps(self.traces[session_id]))  # type: ignore[no-any-return]

    def events(self, session_id: str) -> Iterator[bytes]:
        return self._pieces(f"{session_id} events")

    def track(self, session_id: str, track: str, kind: Sound) -> Iterator[bytes]:
        return self._pieces(f"{session_id} {track} {kind}")

    def clip(self, session_id: str, attachment_id: str) -> Iterator[bytes]:
        return self._pieces(f"{session_id} {attachment_id}")

    def _pieces(self, name: str) -> Iterator[bytes]:
        if name in self.gone:
            raise NotFound("no longer kept")
        self.fetched.append(name)
        yield name[:5].encode()
        if name == self.breaks_at:
            raise ConnectionResetError("broken")
        yield name[5:].encode()


def export(folder: Path, kind: Format, source: FakeSource, *ids: str, **wanted: Any) -> FolderWriter:
    with writer_for(kind, folder, source, Wanted(**{"public_url": URL, **wanted})) as writer:
        for session_id in ids:
            if not writer.has(session_id):
                writer.add(session_id)
    return writer


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_for_each_session_with_its_sound_beside_it(tmp_path: Path) -> None:
    source = FakeSource("sess_a", "sess_b")
    export(tmp_path, "jsonl", source, "sess_a", "sess_b", sound="flac", events=True)
    first, second = lines(tmp_path / "sessions.jsonl")
    assert (first["id"], second["id"]) == ("sess_a", "sess_b")
    assert first["spans"] == source.traces["sess_a"]["spans"]
    assert set(first["audio"]) == {"user", "assistant"}
    assert (tmp_path / first["audio"]["user"]).read_text() == "sess_a user flac"
    assert (tmp_path / "events" / "sess_b.jsonl").read_text() == "sess_b events"


def test_a_folder_for_each_session(tmp_path: Path) -> None:
    export(tmp_path, "files", FakeSource("sess_a", "sess_b"), "sess_a", "sess_b", events=True)
    assert set(files(tmp_path)) == {
        "manifest.jsonl",
        *(
            f"sess_{n}/{name}"
            for n in "ab"
            for name in ("trace.json", "events.jsonl", "user.wav", "assistant.wav")
        ),
    }


def test_one_session_right_in_its_folder_and_another_one_over_it(tmp_path: Path) -> None:
    source = FakeSource("sess_a", "sess_b")
    for session_id in ("sess_a", "sess_b"):
        write_one(tmp_path, source, Wanted(events=True), session_id)
        assert json.loads((tmp_path / "trace.json").read_text())["id"] == session_id
        assert (tmp_path / "user.wav").read_text() == f"{session_id} user wav"
    assert set(files(tmp_path)) == {"trace.json", "events.jsonl", "user.wav", "assistant.wav"}


def test_parquet_has_a_table_of_sessions_and_one_of_spans(tmp_path: Path) -> None:
    source = FakeSource("sess_a", "sess_b")
    export(tmp_path, "parquet", source, "sess_a", "sess_b")
    sessions = pyarrow.parquet.read_table(tmp_path / "sessions").to_pylist()
    first = sessions[0]
    assert [row["id"] for row in sessions] == ["sess_a", "sess_b"]
    assert first["started_at"] == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert (first["tags"], first["user_id"], first["turns"]) == (["demo"], "u1", 2)
    assert first["usage_input_tokens"] == 100
    assert json.loads(first["audio"])["user"] == "audio/sess_a/user.wav"
    assert json.loads(first["metadata"]) == {"user_id": "u1"}
    assert {f"metric_{name}" for name in METRICS} <= first.keys()
    assert first["metric_v2v_p50"] is None
    spans = pyarrow.parquet.read_table(tmp_path / "spans").to_pylist()
    assert len(spans) == 2 * len(source.traces["sess_a"]["spans"])
    response = next(row for row in spans if row["type"] == "response" and row["text"])
    assert response["text"] == "It is foggy in London today my friend."
    tool = next(row for row in spans if row["type"] == "tool")
    assert json.loads(tool["output"]) == {"result": {"sky": "foggy"}}
    assert (tool["ended_at"] - tool["started_at"]).total_seconds() == pytest.approx(0.395)


def test_braintrust_rows_have_the_tree_the_messages_and_the_clips(tmp_path: Path) -> None:
    source = FakeSource("sess_a")
    export(tmp_path, "braintrust", source, "sess_a", clips=True)
    rows = lines(tmp_path / "braintrust.jsonl")
    spans = source.traces["sess_a"]["spans"]
    assert [row["span_parents"] for row in rows] == [
        [s["parent_id"]] if s["parent_id"] else [] for s in spans
    ]
    assert {row["root_span_id"] for row in rows} == {spans[0]["id"]}
    assert rows[0]["metadata"]["audio"]["user"] == "audio/sess_a/user.wav"
    assert (rows[0]["tags"], rows[0]["metadata"]["url"]) == (["demo"], f"{URL}/sessions/sess_a")
    first, second = [row for row in rows if row["span_attributes"]["type"] == "llm"]
    assert first["metrics"]["prompt_tokens"] == 100
    assert first["metrics"]["prompt_cached_tokens"] == 30
    assert first["metrics"]["estimated_cost"] == spans[3]["cost_usd"]
    started = datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()
    assert second["metrics"]["start"] == started + 2
    assert second["metrics"]["end"] == pytest.approx(started + 2.7)
    assert second["metrics"]["time_to_first_token"] == pytest.approx(0.2)
    assert second["created"] == "2026-11-22T10:00:02.000Z"
    system, user, called, result = second["input"]
    assert system == {"role": "system", "content": "Be brief."}
    words, clip = user["content"]
    assert words["text"] == "How is the weather in London?"
    assert (clip["type"], clip["content_type"]) == ("inline_attachment", "audio/wav")
    assert (tmp_path / clip["src"]).read_text().startswith("sess_a att_")
    assert called["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": {"city": "London"}}
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "call_1", {"sky": "foggy"})
    [tool] = [row for row in rows if row["span_attributes"]["type"] == "tool"]
    assert (tool["input"], tool["output"]) == ({"city": "London"}, {"sky": "foggy"})


def test_without_sound_braintrusts_attachments_are_links(tmp_path: Path) -> None:
    export(tmp_path, "braintrust", FakeSource("sess_a"), "sess_a", tracks=())
    user = next(
        row for row in lines(tmp_path / "braintrust.jsonl") if row["span_attributes"]["name"] == "user"
    )
    assert user["input"][0]["content"][1]["src"].startswith(f"{URL}/api/sessions/sess_a/attachments/att_")
    assert not (tmp_path / "audio").exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_that_broke_off_goes_on_where_it_was(tmp_path: Path, kind: Format) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    ids = ("sess_a", "sess_b", "sess_c")
    wanted = {"events": True, "clips": True}
    export(whole, kind, FakeSource(*ids), *ids, **wanted)
    source = FakeSource(*ids)
    source.breaks_at = "sess_b assistant wav"
    with pytest.raises(ConnectionResetError):
        export(broken, kind, source, *ids, **wanted)
    assert not (broken / "audio" / "sess_b" / "assistant.wav").exists()
    source.breaks_at, source.fetched = "", []
    export(broken, kind, source, *ids, **wanted)
    assert "sess_a user wav" not in source.fetched
    assert "sess_b user wav" not in source.fetched
    assert "sess_b assistant wav" in source.fetched
    if kind == "parquet":
        for table in ("sessions", "spans"):
            read = [pyarrow.parquet.read_table(folder / table).to_pylist() for folder in (whole, broken)]
            assert read[0] == read[1]
        return
    assert files(broken) == files(whole)


@pytest.mark.parametrize("kind", ["jsonl", "braintrust"])
def test_half_a_session_that_a_crash_left_is_cut_off(tmp_path: Path, kind: Format) -> None:
    export(tmp_path, kind, FakeSource("sess_a"), "sess_a")
    before = files(tmp_path)
    for name in before:
        if name.endswith(".jsonl"):
            with (tmp_path / name).open("ab") as file:
                file.write(b'{"id": "sess_b", "half')
    export(tmp_path, kind, FakeSource("sess_a"))
    assert files(tmp_path) == before


def test_running_it_again_brings_only_what_is_new(tmp_path: Path) -> None:
    source = FakeSource("sess_a", "sess_b")
    export(tmp_path, "jsonl", source, "sess_a")
    source.fetched = []
    writer = export(tmp_path, "jsonl", source, "sess_b", "sess_a")
    assert [one for one in source.fetched if one.startswith("sess_a")] == []
    assert [line["id"] for line in lines(tmp_path / "sessions.jsonl")] == ["sess_a", "sess_b"]
    assert writer.written_bytes > 0


def test_a_folder_of_another_format_is_refused(tmp_path: Path) -> None:
    export(tmp_path, "jsonl", FakeSource())
    with pytest.raises(InvalidRequest, match="holds an export with the format 'jsonl'"):
        export(tmp_path, "parquet", FakeSource())


def test_sound_that_is_no_longer_kept_is_left_out(tmp_path: Path) -> None:
    source = FakeSource("sess_a")
    source.gone = {"sess_a user wav"}
    export(tmp_path, "jsonl", source, "sess_a")
    assert set(lines(tmp_path / "sessions.jsonl")[0]["audio"]) == {"assistant"}
