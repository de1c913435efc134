"""Server-sent events, over a real server: test clients read a stream only when it has ended."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
import uvicorn

from tests.api.world import ADMIN_KEY, World
from voxgate.api import live
from voxgate.store import WATCHED, Change

SECONDS = 60
NEW_SPAN = {
    "parent_id": None,
    "name": "response",
    "end_ms": None,
    "status": "in_progress",
    "error": None,
    "input": None,
    "usage": None,
    "cost_usd": None,
    "metrics": {},
}


@pytest.fixture
def port(world: World) -> Iterator[int]:
    config = uvicorn.Config(world.app, port=0, log_level="warning", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(SECONDS)


@contextmanager
def stream(port: int, path: str, key: str = ADMIN_KEY) -> Iterator[HTTPResponse]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=SECONDS)) as connection:
        connection.request("GET", path, headers={"authorization": f"Bearer {key}"})
        with connection.getresponse() as response:
            yield response


def next_event(response: HTTPResponse) -> tuple[str, Any]:
    """`(event, data)`, or `("", comment)`."""
    fields: dict[str, str] = {}
    for line in iter(response.readline, b"\n"):
        assert line, "the stream ended without another event"
        name, _, value = line.decode().rstrip("\n").partition(": ")
        fields[name] = value
    if "event" not in fields:
        return "", fields[""]
    return fields["event"], json.loads(fields["data"])


def test_a_live_trace_is_sent_at_once_after_each_change_and_to_the_end(world: World, port: int) -> None:
    world.add_session(status="live", turns=0)
    with stream(port, "/api/sessions/sess_1/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        name, trace = next_event(response)
        assert (name, trace["id"], trace["turns"], trace["spans"]) == ("trace", "sess_1", 0, [])
        span = {"id": "span_1", "type": "turn", "start_ms": 0}
        world.store.save_trace({"id": "sess_1", "turns": 1}, [span])
        name, trace = next_event(response)
        assert (name, trace["turns"], trace["spans"][0]["id"]) == ("trace", 1, "span_1")
        world.store.save_session({"id": "sess_1", "status": "complete"})
        name, trace = next_event(response)
        assert (name, trace["status"]) == ("trace", "complete")
        assert next_event(response) == ("end", {"id": "sess_1", "status": "complete"})
        assert response.read() == b""


def test_changes_are_sent_as_what_is_new_and_add_up_to_the_session(world: World, port: int) -> None:
    clip = {"id": "att_1", "name": "user", "content_type": "audio/wav", "duration_ms": 1.0}
    span = {
        "id": "span_1",
        "type": "response",
        "start_ms": 0.0,
        "output": {"transcript": "one"},
        "position": 1,
    }
    data = {"metrics": {"turns": 1}, "events": [], "errors": [], "messages": 3}
    world.add_session(status="live", turns=0, data=data)
    counts = {"duration_ms": 50.0, "turns": 1, "interruptions": 0, "cost_usd": None, "title": "one"}
    with stream(port, "/api/sessions/sess_1/stream?changes=true") as response:
        name, trace = next_event(response)
        assert (name, trace["turns"], trace["spans"]) == ("trace", 0, [])
        body = {
            "row": {"turns": 1},
            "data": {"messages": 4},
            "spans": [{**NEW_SPAN, **span, "attachments": [clip]}],
        }
        world.store.save_changes([Change("sess_1", counts, body)])
        name, change = next_event(response)
        assert name == "change"
        assert change["id"] == "sess_1"
        assert change["session"] == {"turns": 1, "messages": 4, "events_count": 4}
        assert change["spans"][0]["attachments"][0]["url"] == "/api/sessions/sess_1/attachments/att_1"
        first = change["spans"][0]
        more = {
            "spans": [{"id": "span_1", "output": {"transcript": "one two"}}],
            "added": {"events": [{"t_ms": 1}]},
        }
        world.store.save_changes([Change("sess_1", counts, more)])
        world.store.save_changes([Change("sess_1", counts, {"gone": ["span_1"]})])
        _, change = next_event(response)
        assert change["spans"] == [{"id": "span_1", "output": {"transcript": "one two"}}]
        assert change["added"] == {"events": [{"t_ms": 1}]}
        assert next_event(response)[1]["removed"] == ["span_1"]
        shown = world.client().get("/api/sessions/sess_1").json()
        assert (shown["turns"], shown["events_count"], shown["spans"]) == (1, 4, [])
        assert shown["events"] == [{"t_ms": 1}]
        assert first["position"] == 1
        world.store.save_trace({"id": "sess_1", "status": "complete"}, [span])
        name, trace = next_event(response)
        assert (name, trace["status"]) == ("trace", "complete")
        assert next_event(response)[0] == "end"


def test_who_does_not_ask_for_changes_gets_the_whole_each_time(world: World, port: int) -> None:
    world.add_session(status="live", turns=0)
    counts = {"duration_ms": 50.0, "turns": 1, "interruptions": 0, "cost_usd": None, "title": "one"}
    with stream(port, "/api/sessions/sess_1/stream") as response:
        next_event(response)
        world.store.save_changes([Change("sess_1", counts, {"row": {"turns": 1}})])
        name, trace = next_event(response)
        assert (name, trace["turns"]) == ("trace", 1)


def test_what_cannot_be_told_as_a_change_comes_as_a_whole(world: World, port: int) -> None:
    world.add_session(status="live")
    with stream(port, "/api/sessions/sess_1/stream?changes=true") as response:
        next_event(response)
        world.store.edit_tags(["sess_1"], ["vip"], [])
        name, trace = next_event(response)
        assert (name, trace["tags"]) == ("trace", ["vip"])


@pytest.mark.parametrize("path", ["/api/sessions/sess_1/stream", "/api/sessions/sess_1"])
def test_who_looks_at_a_running_session_is_known_to_the_recorder(world: World, port: int, path: str) -> None:
    world.add_session(status="live")
    world.add_session("sess_2", status="live")
    with stream(port, path) as response:
        response.readline()
        deadline = time.monotonic() + SECONDS
        while world.store.lease_holders(WATCHED) != {"sess_1"}:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_stream_has_what_the_session_has(world: World, port: int) -> None:
    world.add_session(status="failed", title="line\nbreak")
    with stream(port, "/api/sessions/sess_1/stream") as response:
        _, trace = next_event(response)
    assert trace == world.client().get("/api/sessions/sess_1").json()
    assert trace["title"] == "line\nbreak"


def test_the_stream_of_a_deleted_session_ends(world: World, port: int) -> None:
    world.add_session(status="live")
    with stream(port, "/api/sessions/sess_1/stream") as response:
        assert next_event(response)[0] == "trace"
        world.store.delete_session("sess_1")
        assert next_event(response) == ("end", {"id": "sess_1", "status": None})


def test_a_quiet_stream_shows_that_it_is_alive(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.1)
    world.add_session(status="live")
    with stream(port, "/api/sessions/sess_1/stream") as response:
        assert next_event(response)[0] == "trace"
        assert next_event(response) == ("", "still here")


def test_a_reader_that_went_away_is_not_polled_for_any_more(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_session(status="live")
    looks = []
    real = world.store.session_revision
    monkeypatch.setattr(world.store, "session_revision", lambda session: looks.append(1) or real(session))
    with stream(port, "/api/sessions/sess_1/stream") as response:
        assert next_event(response)[0] == "trace"
    deadline = time.monotonic() + SECONDS
    seen = -1
    while seen != len(looks):  # no look within several polls
        assert time.monotonic() < deadline
        seen = len(looks)
        time.sleep(4 * live.POLL_SECONDS)


def test_the_list_of_sessions_is_sent_when_it_changes(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live._Watching, "poll_seconds", 0.02)
    world.add_session("sess_1")
    with stream(port, "/api/stream/sessions?q=project:shop&limit=5") as response:
        name, page = next_event(response)
        assert (name, [item["id"] for item in page["items"]]) == ("sessions", ["sess_1"])
        world.add_session("sess_0", project="other")
        world.add_session("sess_2")
        _, page = next_event(response)
        assert [item["id"] for item in page["items"]] == ["sess_2", "sess_1"]


def test_of_a_list_only_what_changed_is_sent(
    world: World, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live._Watching, "poll_seconds", 0.02)
    world.add_session("sess_1", status="live", turns=0)
    world.add_session("sess_2", status="live", turns=0)
    with stream(port, "/api/stream/sessions?changes=true") as response:
        assert next_event(response)[0] == "sessions"
        world.store.save_counts([{"id": "sess_1", "duration_ms": 5.0, "turns": 1}])
        assert next_event(response) == (
            "change",
            {"items": [{"id": "sess_1", "duration_ms": 5.0, "turns": 1}]},
        )
        world.add_session("sess_3", status="live")
        name, page = next_event(response)
        assert (name, len(page["items"])) == ("sessions", 3)


def test_a_wrong_filter_is_refused_before_the_stream_begins(port: int) -> None:
    with stream(port, "/api/stream/sessions?q=colour:red") as response:
        assert response.status == 400
        assert json.loads(response.read())["error"]["param"] == "q"


@pytest.mark.parametrize("path", ["/api/sessions/sess_1/stream", "/api/stream/sessions"])
def test_a_stream_ends_when_its_key_is_revoked(world: World, port: int, path: str) -> None:
    world.add_session(status="live")
    key, raw = world.keys.create("watcher", "read")
    with stream(port, path, raw) as response:
        next_event(response)
        world.keys.revoke(key.id)
        assert response.read() == b""
