"""Recorded calls become cases with copies of their own, and cases come in as JSON lines."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.test_api_archive import put_away
from tests.api.world import ADMIN_KEY, World
from tests.jobs.recorded import Bench, begin, end, say, talk
from tests.traces.calls import pcm
from voxgate.api.wav import HEADER_BYTES
from voxgate.auth.keys import KeyRing
from voxgate.auth.tokens import TokenBox
from voxgate.recording.wirelog import CLIENT, SERVER

ARGUMENTS = json.dumps({"city": "Oslo"})


def record(bench: Bench, session_id: str) -> None:
    """Two turns: a question with a tool call before the answer, and a written one."""
    log = begin(bench.writer(), session_id)
    talk(log, pcm(500), pcm(300))
    words = "conversation.item.input_audio_transcription.completed"
    say(log, SERVER, type=words, item_id="u_resp_1", content_index=0, transcript="What is the weather?")
    names = {"response_id": "resp_1", "item_id": "a_resp_1"}
    say(log, SERVER, type="response.output_audio_transcript.done", transcript="Let me see.", **names)
    text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "In Oslo"}]}
    say(log, CLIENT, type="conversation.item.create", item={"id": "u_2", **text})
    say(log, CLIENT, type="response.create")
    say(log, SERVER, type="response.created", response={"id": "resp_2"})
    item = {"id": "i_tool", "type": "function_call", "call_id": "call_1", "name": "weather"}
    say(log, SERVER, type="response.output_item.added", response_id="resp_2", item=item)
    done = item | {"arguments": ARGUMENTS, "status": "completed"}
    say(log, SERVER, type="response.output_item.done", response_id="resp_2", item=done)
    say(log, SERVER, type="response.done", response={"id": "resp_2", "status": "completed", "output": [done]})
    end(log)
    bench.record_until(session_id, "complete")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for writer in made.writers:
        writer.stop()
    made.store.close()


@pytest.fixture
def world(bench: Bench) -> Iterator[World]:
    keys = KeyRing(bench.store, ADMIN_KEY)
    made = World(bench.store, bench.blobs, keys, TokenBox({"k": os.urandom(32)}))
    yield made
    made.app.state.control.archive.close()


@pytest.fixture
def base(client: TestClient) -> str:
    return f"/api/datasets/{client.post('/api/datasets', json={'name': 'calls'}).json()['id']}"


def take(client: TestClient, base: str, **asked: Any) -> dict[str, Any]:
    answer = client.post(f"{base}/from-sessions", json=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def cases_of(client: TestClient, base: str) -> dict[str, Any]:
    return {case["id"]: case for case in client.get(f"{base}/cases").json()["items"]}


def test_a_case_of_a_call_has_its_log_and_outlives_it(bench: Bench, client: TestClient, base: str) -> None:
    record(bench, "sess_1")
    log = client.get("/api/sessions/sess_1/events").content
    answer = take(client, base, sessions=["sess_1"], expected="said", tags=["refund"])
    assert answer == {"version": 1, "ids": ["sess_1"], "known": [], "skipped": []}
    trace = client.get("/api/sessions/sess_1").json()
    client.delete("/api/sessions/sess_1")
    case = cases_of(client, base)["sess_1"]
    known_by = (case["metadata"]["title"], case["metadata"]["duration_ms"])
    assert known_by == ("What is the weather?", trace["duration_ms"])
    assert (case["input"]["kind"], case["session_id"], case["tags"]) == (
        "session",
        "sess_1",
        ["demo", "refund"],
    )
    assert case["expected"]["transcript"] == "Let me see."
    assert case["expected"]["tool_calls"] == [{"name": "weather", "arguments": {"city": "Oslo"}}]
    assert client.get(f"{base}/blobs/{case['input']['recording']}").content == log
    assert len(log.splitlines()) > 10


def test_each_turn_is_a_case_with_what_the_user_says_in_it(
    bench: Bench, client: TestClient, base: str
) -> None:
    record(bench, "sess_1")
    trace = client.get("/api/sessions/sess_1").json()
    turns = [span for span in trace["spans"] if span["type"] == "turn"]
    answer = take(client, base, sessions=["sess_1"], turns="each", expected="said")
    assert answer["ids"] == ["sess_1.0", "sess_1.1"]
    spoken, written = cases_of(client, base).values()
    assert [case["span_id"] for case in (spoken, written)] == [turn["id"] for turn in turns]
    assert (spoken["input"]["kind"], spoken["input"]["turn"]) == ("turn", 0)
    assert (spoken["input"]["text"], written["input"]["text"]) == ("What is the weather?", "In Oslo")
    [clip] = spoken["input"]["clips"]
    assert (clip["duration_ms"], written["input"]["clips"]) == (500, [])
    assert client.get(f"{base}/blobs/{clip['blob']}").content[HEADER_BYTES:] == pcm(500)
    assert spoken["expected"] == {"transcript": "Let me see.", "tool_calls": [], "value": None}
    assert written["expected"]["tool_calls"] == [{"name": "weather", "arguments": {"city": "Oslo"}}]
    assert spoken["input"]["recording"] == written["input"]["recording"]


def test_single_turns_are_taken_by_their_spans(bench: Bench, client: TestClient, base: str) -> None:
    record(bench, "sess_1")
    spans = client.get("/api/sessions/sess_1").json()["spans"]
    second = [span["id"] for span in spans if span["type"] == "turn"][1]
    answer = take(client, base, sessions=["sess_1"], turns=[second])
    assert answer["ids"] == ["sess_1.1"]
    assert cases_of(client, base)["sess_1.1"]["expected"] == {
        "transcript": None,
        "tool_calls": None,
        "value": None,
    }
    wrong = client.post(f"{base}/from-sessions", json={"sessions": ["sess_1"], "turns": [second, "span_x"]})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "turns")


def test_what_was_edited_since_stays(bench: Bench, client: TestClient, base: str) -> None:
    record(bench, "sess_1")
    take(client, base, sessions=["sess_1"])
    case = cases_of(client, base)["sess_1"]
    client.put(f"{base}/cases/sess_1", json=case | {"expected": {"transcript": "by hand"}})
    answer = take(client, base, sessions=["sess_1", "sess_1"], expected="said")
    assert (answer["version"], answer["ids"], answer["known"]) == (2, ["sess_1"], ["sess_1"])
    assert cases_of(client, base)["sess_1"]["expected"]["transcript"] == "by hand"


def test_a_filter_finds_calls_and_those_that_run_are_left_out(
    bench: Bench, client: TestClient, base: str
) -> None:
    record(bench, "sess_1")
    log = begin(bench.writer("worker_2"), "sess_2")
    talk(log, pcm(100), pcm(100))
    bench.record_until("sess_2", "live")
    assert take(client, base, q="tag:demo") == {
        "version": 1,
        "ids": ["sess_1"],
        "known": [],
        "skipped": ["sess_2"],
    }
    assert take(client, base, q="tag:none")["ids"] == []
    refused = client.post(f"{base}/from-sessions", json={"sessions": ["sess_1", "sess_2"]})
    assert refused.status_code == 409
    log.close(1000, "", "client")
    bench.record_until("sess_2", "complete")


def test_a_call_that_was_put_away_is_copied_the_same(
    bench: Bench, world: World, client: TestClient, base: str
) -> None:
    record(bench, "sess_1")
    log = client.get("/api/sessions/sess_1/events").content
    put_away(world)
    assert world.blobs.size("sessions/sess_1/events.jsonl") is None
    take(client, base, sessions=["sess_1"], turns="each")
    found = cases_of(client, base)["sess_1.0"]["input"]
    assert client.get(f"{base}/blobs/{found['recording']}").content == log
    sound = client.get(f"{base}/blobs/{found['clips'][0]['blob']}").content
    assert sound[HEADER_BYTES:] == pcm(500)


def test_a_turn_without_kept_sound_has_its_words(bench: Bench, client: TestClient, base: str) -> None:
    record(bench, "sess_1")
    bench.blobs.delete_prefix("sessions/sess_1/user.pcm")
    take(client, base, sessions=["sess_1"], turns="each")
    spoken = cases_of(client, base)["sess_1.0"]["input"]
    assert (spoken["clips"], spoken["text"]) == ([], "What is the weather?")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"sessions": ["sess_1"], "q": "x"}, 400),
        ({"sessions": ["sess_none"]}, 404),
        ({"q": "duration>soon"}, 400),
        ({"sessions": ["sess_1"], "turns": "some"}, 400),
    ],
)
def test_what_cannot_be_made_is_refused(client: TestClient, base: str, asked: Any, status: int) -> None:
    assert client.post(f"{base}/from-sessions", json=asked).status_code == status
    assert client.get(base).json()["version"] == 0


def test_a_key_of_a_project_takes_no_calls_of_others(bench: Bench, world: World) -> None:
    record(bench, "sess_1")
    stranger = world.client(world.key("admin", "else"))
    base = f"/api/datasets/{stranger.post('/api/datasets', json={'name': 'x'}).json()['id']}"
    assert stranger.post(f"{base}/from-sessions", json={"sessions": ["sess_1"]}).status_code == 404
    assert take(stranger, base, q="tag:demo")["ids"] == []
    asked = {"q": "tag:demo", "project": "default"}
    assert stranger.post(f"{base}/from-sessions", json=asked).status_code == 403


def test_what_is_still_to_be_redacted_is_not_copied(world: World, client: TestClient, base: str) -> None:
    world.add_session(data={"redaction": {"state": "pending"}})
    assert client.post(f"{base}/from-sessions", json={"sessions": ["sess_1"]}).status_code == 409
    assert world.blobs.list("datasets") == []


def lines(*cases: Any) -> bytes:
    return b"".join(json.dumps(case).encode() + b"\n" for case in cases)


def case(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"c{number}", "input": {"kind": "text", "text": str(number)}, **more}


def test_many_cases_come_in_as_one_version(client: TestClient, base: str) -> None:
    body = b"\n".join([lines(*map(case, range(700))), lines({"input": {"kind": "value", "value": 1}})])
    assert client.post(f"{base}/import", content=body).json() == {"version": 1, "cases": 701}
    assert client.post(f"{base}/import", content=lines(case(3))).json() == {"version": 1, "cases": 1}
    assert client.get(base).json()["cases"] == 701


@pytest.mark.parametrize(
    ("wrong", "said", "param"),
    [
        (b"{nonsense\n", "Line 301: The body is not valid JSON", None),
        (lines(case(9, mood=1)), "Line 301: Unknown field: 'mood'", "mood"),
        (
            lines({"id": "x", "input": {"kind": "text"}}),
            "Line 301: It is not .* needs 'text'",
            None,
        ),
        (
            lines({"id": "x", "input": {"kind": "session", "recording": "blob_x"}}),
            "Line 301: The data set has no blob 'blob_x'",
            "cases.100.input",
        ),
        (lines(case(3)), "two cases 'c3'", "id"),
        (b"[1]\n", "Line 301", None),
    ],
)
def test_one_wrong_line_is_named_and_nothing_is_saved(
    client: TestClient, base: str, wrong: bytes, said: str, param: str | None
) -> None:
    answer = client.post(f"{base}/import", content=lines(*map(case, range(300))) + wrong)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert re.search(said, error["message"]), error
    assert error["param"] == param
    assert client.get(base).json()["version"] == 0


def test_numbers_that_no_database_has_come_in_and_out(client: TestClient, base: str) -> None:
    body = b'{"id": "a", "input": {"kind": "value", "value": [123456789012345678901234567890, 0.1]}}'
    assert client.post(f"{base}/import", content=body).status_code == 200
    assert client.get(f"{base}/cases/a").json()["input"]["value"] == [123456789012345678901234567890, 0.1]


def test_an_upload_without_cases_is_refused(client: TestClient, base: str) -> None:
    assert client.post(f"{base}/import", content=b"\n").status_code == 400
