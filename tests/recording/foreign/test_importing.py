"""Whole files, through wire logs and a real recorder, to sessions."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.recordings import read_recording
from tests.traces.calls import Call, b64, pcm

from voxgate.core.errors import InvalidRequest
from voxgate.core.prices import PriceTable
from voxgate.jobs.recorder import Recorder
from voxgate.recording.eventlog import read_events
from voxgate.recording.foreign.importing import check_retention, read_calls, write_wire_logs
from voxgate.recording.foreign.orders import Options, Orders, run_import
from voxgate.recording.wirelog import wire_logs
from voxgate.store import FolderBlobs, Store
from voxgate.traces import build_trace

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Importer:
    """A folder for imports, and a recorder that works on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wire = folder / "wire"
        self.database_url = f"sqlite:///{folder / 'voxgate.db'}"
        self.store = Store(self.database_url)
        self.blobs = FolderBlobs(folder / "blobs")

    def write(self, lines: list[Any] | str, name: str = "call.jsonl") -> Path:
        path = self.folder / name
        text = lines if isinstance(lines, str) else "".join(json.dumps(line) + "\n" for line in lines)
        path.write_text(text)
        return path

    def take(self, path: Path, **wishes: Any) -> list[dict[str, Any]]:
        """The sessions that the file became."""
        options = Options(name=path.name, **wishes)
        calls = read_calls(path, options, NOW)
        write_wire_logs(path, options, calls, self.wire, prices=PriceTable(), now=NOW)
        self.record()
        return [self.session(call.id) for call in calls]

    def record(self) -> None:
        recorder = Recorder(wire_dir=self.wire, store=self.store, blobs=self.blobs, poll_ms=1)
        while wire_logs(self.wire):
            recorder.step()

    def session(self, session_id: str) -> dict[str, Any]:
        row = self.store.get_session(session_id)
        assert row is not None
        return row

    def log(self, session_id: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw_log(session_id).splitlines()]

    def raw_log(self, session_id: str) -> bytes:
        with self.blobs.open(f"sessions/{session_id}/events.jsonl") as file:
            return file.read()


@pytest.fixture
def importer(tmp_path: Path) -> Iterator[Importer]:
    made = Importer(tmp_path)
    yield made
    made.store.close()


def spoken(folder_line: Callable[[str, float, dict[str, Any]], Any]) -> list[Any]:
    """A spoken turn as the lines of some log: of each the direction, the ms and the event."""
    call = Call().session(10).append(100, pcm(1000)).speech("item_u", 400, 1200, audio=(100, 1000))
    call.created(1400, "resp_1").words(1450, "resp_1", "item_a", "Good day.")
    call.audio(1500, "resp_1", "item_a", pcm(500)).done(
        1700, "resp_1", usage={"input_tokens": 5, "output_tokens": 2}
    )
    return [folder_line(one.dir, one.t_ms, one.msg or {}) for one in call.events if one.dir != "gateway"]


def check_spoken(row: dict[str, Any]) -> None:
    assert [span["type"] for span in row["spans"]] == ["session", "turn", "user", "response"]
    response = row["spans"][-1]
    assert response["output"]["transcript"] == "Good day."
    assert response["metrics"]["commit_to_response"] == 200
    assert response["metrics"]["model_ttfa"] == 100
    assert row["status"] == "complete"
    assert row["data"]["tracks"]["user"]["bytes"] == 48_000
    assert row["data"]["tracks"]["mix"]["channels"] == 2
    assert row["data"]["imported"]["file"]


def test_a_log_with_times_and_directions_becomes_a_session_as_if_it_had_been_recorded(
    importer: Importer,
) -> None:
    def line(direction: str, ms: float, event: dict[str, Any]) -> dict[str, Any]:
        at = datetime(2026, 11, 1, 9, tzinfo=UTC) + timedelta(milliseconds=ms)
        word = "sent" if direction == "client" else "received"
        return {"timestamp": at.isoformat(), "direction": word, "event": event}

    path = importer.write(spoken(line))
    [row] = importer.take(path, project="shop", tags=["old"], provider="openai")
    check_spoken(row)
    assert (row["project"], row["provider"], row["tags"]) == ("shop", "openai", ["old"])
    assert row["model"] == "gpt-realtime-2026"
    assert row["started_at"] == "2026-11-01T09:00:00.010Z"
    assert row["data"]["imported"] == {
        "at": "2026-11-23T00:00:00.000Z",
        "file": "call.jsonl",
        "times": "absolute",
    }
    assert row["metrics"]["model_ttfa_p50"] == 100
    with importer.blobs.open(f"sessions/{row['id']}/user.pcm") as file:
        assert file.read() == pcm(1000)


def test_the_log_of_the_cookbooks_harness(importer: Importer) -> None:
    """Of the provider's side only, with times since each response was asked for, and long texts cut."""
    long = b64(bytes(1000))
    cut = f"{long[:400]}...[truncated {len(long) - 400} chars]"

    def line(index: int, ms: float, event: dict[str, Any], turn: int) -> dict[str, Any]:
        meta = {"type": event["type"], "source": "assistant", "turn_index": turn, "event_index": index}
        return {**meta, "event_time_ms": ms, "event": event}

    names = {"response_id": "resp_1", "item_id": "item_a"}
    lines = [
        line(1, 5.0, {"type": "session.created", "session": {"id": "s", "model": "gpt-realtime"}}, 0),
        line(2, 210.5, {"type": "response.created", "response": {"id": "resp_1"}}, 0),
        line(3, 400.0, {"type": "response.output_audio.delta", "delta": cut, **names}, 0),
        line(4, 420.0, {"type": "response.output_audio_transcript.delta", "delta": "Hi.", **names}, 0),
        line(5, 9000.0, {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}, 0),
        line(6, 150.0, {"type": "response.created", "response": {"id": "resp_2"}}, 1),
        line(7, 350.0, {"type": "response.done", "response": {"id": "resp_2", "status": "completed"}}, 1),
    ]
    path = importer.write(lines)
    [call] = read_calls(path, Options(), NOW)
    assert "1 messages were cut when the log was written: their sound or words are lost" in call.warnings()
    assert any("client" in warning for warning in call.warnings())
    [row] = importer.take(path)
    first, second = [span for span in row["spans"] if span["type"] == "response"]
    assert first["metrics"]["generation_ms"] == pytest.approx(8789.5)
    assert first["output"]["transcript"] == "Hi."
    assert second["start_ms"] == pytest.approx(8995)
    assert row["data"]["tracks"] == {}
    assert row["started_at"] == "2026-11-23T00:00:00.000Z"


@pytest.mark.parametrize(
    "name",
    [
        "test_openai_ws__test_audio_in_server_vad_turn",
        "test_openai_ws__test_tool_call_round",
        "test_azure_voice_live_ws__test_audio_in_server_vad_turn",
        "test_xai_ws__test_audio_in_server_vad_turn",
        "test_openai_ws_sideband__test_webrtc_sideband_text_turn",
    ],
)
def test_a_cassette_becomes_a_session_whose_latencies_nobody_claims_to_know(
    importer: Importer, shared: Path, name: str
) -> None:
    path = shared / f"fixtures/realtime/recordings/{name}.yaml"
    [row] = importer.take(path)
    steps = read_recording(shared, name)
    said = [line["msg"] for line in importer.log(row["id"]) if line["dir"] != "gateway"]
    assert said == [event for _, event in steps]
    sides = [line["dir"] for line in importer.log(row["id"]) if line["dir"] != "gateway"]
    assert sides == ["client" if direction == "sent" else "server" for direction, _ in steps]
    assert row["turns"] >= 1
    assert row["data"]["imported"]["times"] == "made up"
    for metric in ("model_ttfa_p50", "v2v_p50", "response_rate", "cost_per_minute", "tool_wait_p95"):
        assert row["metrics"][metric] is None
    for metric in ("model_ttfa_p50", "v2v_p50", "cost_per_minute", "tool_wait_p95"):
        assert row["data"]["metric_reasons"][metric] == "the imported log has no times"
    assert row["metrics"]["tokens_in"] is not None
    latencies = [span["metrics"].get("model_ttfa") for span in row["spans"] if span["type"] == "response"]
    assert latencies
    assert set(latencies) == {None}


def test_what_a_call_cost_is_counted_by_the_prices_of_the_import(importer: Importer) -> None:
    details = {"text_tokens": 1_000_000, "audio_tokens": 0}
    usage = {"input_tokens": 1_000_000, "input_token_details": details, "output_tokens": 0}
    done = {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "usage": usage}}
    [row] = importer.take(importer.write([{"t_ms": 5, "event": done}]), model="gpt-realtime-2.1")
    price = PriceTable().of("gpt-realtime-2.1")
    assert price is not None
    assert row["cost_usd"] == price.text_input
    [unknown] = importer.take(importer.folder / "call.jsonl", model="nobody-knows")
    assert unknown["cost_usd"] is None


def test_importing_twice_makes_one_session(importer: Importer) -> None:
    path = importer.write(spoken(lambda direction, ms, event: {"t_ms": ms, "dir": direction, "event": event}))
    [row] = importer.take(path)
    renamed = importer.write(path.read_text(), "other.jsonl")
    [again] = read_calls(renamed, Options(), NOW + timedelta(days=9))
    assert again.id == row["id"]
    [elsewhere] = read_calls(renamed, Options(project="other"), NOW)
    assert elsewhere.id != row["id"]
    changed = path.read_text().replace("Good day.", "Good night.")
    [other] = read_calls(importer.write(changed), Options(), NOW)
    assert other.id != row["id"]


def test_the_process_of_its_own_says_what_it_did_and_leaves_what_is_there(importer: Importer) -> None:
    path = importer.write(spoken(lambda direction, ms, event: {"t_ms": ms, "dir": direction, "event": event}))
    orders = Orders(
        path=path,
        wire_dir=importer.wire,
        database_url=importer.database_url,
        options=Options(name="x.jsonl", tags=["a"]),
    )
    [first] = run_import(orders)
    assert first["status"] == "imported"
    assert run_import(orders)[0]["status"] == "exists"
    importer.record()
    assert importer.session(first["id"])["tags"] == ["a"]
    assert run_import(orders)[0]["status"] == "exists"
    assert wire_logs(importer.wire) == []
    dry = orders.model_copy(update={"options": Options(project="dry", dry_run=True)})
    assert run_import(dry)[0]["status"] == "checked"
    assert wire_logs(importer.wire) == []
    path.write_text('{"a": 1}\n')
    with pytest.raises(InvalidRequest, match=r"x\.jsonl, line 1 has no Realtime event"):
        run_import(orders)


def test_several_calls_in_one_file(importer: Importer) -> None:
    def call(number: int) -> list[Any]:
        created = {"type": "session.created", "session": {"id": f"s{number}", "model": "m"}}
        text = [{"type": "input_text", "text": f"call {number}"}]
        item = {"type": "message", "role": "user", "content": text}
        return [created, {"type": "conversation.item.create", "item": item}]

    one_after_the_other = [{"event": event} for number in (1, 2, 3) for event in call(number)]
    rows = importer.take(importer.write(one_after_the_other))
    assert [row["title"] for row in rows] == ["call 1", "call 2", "call 3"]
    mixed = [
        {"session_id": f"s{number}", "event": event}
        for events in zip(call(4), call(5), strict=True)
        for number, event in enumerate(events, 4)
    ]
    rows = importer.take(importer.write(mixed))
    assert [row["title"] for row in rows] == ["call 4", "call 5"]


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_json_array_is_read_like_lines_also_newest_first(importer: Importer, newest_first: bool) -> None:
    lines = spoken(
        lambda direction, ms, event: {"time": 1.76e9 + ms / 1000, "source": direction, "event": event}
    )
    lines = lines[::-1] if newest_first else lines
    [row] = importer.take(importer.write(json.dumps(lines), "events.json"))
    check_spoken(row)
    [row] = importer.take(importer.write(json.dumps({"events": lines}, indent=2), "pretty.json"), project="b")
    check_spoken(row)


def test_what_is_wrong_is_said_with_its_line(importer: Importer) -> None:
    good = {"event": {"type": "response.done", "response": {}}}
    text = f"{json.dumps(good)}\n\n{{broken\n{json.dumps({'a': 1})}\n"
    with pytest.raises(InvalidRequest) as raised:
        read_calls(importer.write(text), Options(name="bad.jsonl"), NOW)
    first, second = raised.value.message.splitlines()
    assert first.startswith("bad.jsonl, line 3 is not valid JSON")
    assert second.startswith("bad.jsonl, line 4 has no Realtime event")
    assert second.endswith("it has a")
    [call] = read_calls(importer.folder / "call.jsonl", Options(skip_bad_lines=True), NOW)
    assert call.events == 1
    yaml = (
        "version: 1\ninteractions:\n- kind: message\n  direction: sent\n  data: {type: response.create}\n"
        "- kind: message\n  data: 5\n"
    )
    with pytest.raises(InvalidRequest, match=r"cassette\.yaml, line 6 "):
        read_calls(importer.write(yaml, "cassette.yaml"), Options(name="cassette.yaml"), NOW)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "empty.jsonl", "is empty"),
        ("\n \n", "blank.jsonl", "is empty"),
        ("[]", "list.json", "no list of events"),
        ('{"events": 5}', "x.json", "no Realtime event"),
        ("[1, 2", "x.json", "neither JSON lines nor valid JSON"),
        ("{\n  broken\n}", "x.json", "neither"),
        ("hello: [", "x.yaml", "nor valid YAML"),
        ("a: &x [1]\nevents: [*x, *x]", "x.yaml", "aliases"),
        ("just words", "notes.txt", "no list of events"),
        ('{"dir": "c2s", "eof": true}', "x.jsonl", "no Realtime events"),
    ],
)
def test_files_that_are_no_logs(importer: Importer, text: str, name: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_calls(importer.write(text, name), Options(name=name), NOW)


def test_secrets_of_tools_are_taken_out_as_from_a_recorded_call(importer: Importer) -> None:
    tool = {"type": "mcp", "server_label": "s", "authorization": "PLUM-SECRET"}
    update = {"type": "session.update", "session": {"tools": [tool]}}
    [row] = importer.take(importer.write([{"event": update}]))
    assert b"PLUM-SECRET" not in importer.raw_log(row["id"])
    assert b"[redacted]" in importer.raw_log(row["id"])


def test_a_call_that_would_be_deleted_at_once_is_refused(importer: Importer) -> None:
    at = (NOW - timedelta(days=31)).isoformat()
    path = importer.write([{"timestamp": at, "event": {"type": "response.create"}}])
    [call] = read_calls(path, Options(), NOW)
    check_retention(call, 32, NOW)
    check_retention(call, None, NOW)
    with pytest.raises(InvalidRequest, match="30 days: it would be deleted at once"):
        check_retention(call, 30, NOW)


# Our own logs: out and in again


def without_mark(row: dict[str, Any]) -> dict[str, Any]:
    """A stored session but for what an import adds, and the counter of its saves."""
    data = {key: value for key, value in row["data"].items() if key != "imported"}
    return {**row, "data": data, "revision": 0}


def lines_of(call: Call) -> list[dict[str, Any]]:
    return [{"t": one.t_ns, "dir": one.dir, "msg": one.msg} for one in call.events]


def test_a_log_that_was_exported_gives_an_equal_trace_when_it_is_imported(
    importer: Importer, tmp_path: Path
) -> None:
    lines = lines_of(
        Call(session_id="sess_round").session().append(100, pcm(700)).speech("item_u", 300, 700)
        .transcript(800, "item_u", "Hello?").created(900, "resp_1").audio(1000, "resp_1", "item_a", pcm(400))
        .call_tool(1100, "resp_1", "call_1", "look", '{"a":1}').done(1200, "resp_1")
        .tool_result(1500, "call_1", "5").close(2000)
    )  # fmt: skip
    lines[-1:-1] = [
        {"t": 1_900_000_000, "dir": "client", "raw": "AAEC", "binary": True},
        {"t": 1_910_000_000, "dir": "server", "raw": "bm8ganNvbg=="},
        {"t": 1_950_000_000, "dir": "client", "close": {"code": 1000, "reason": "bye"}},
    ]
    [first] = importer.take(importer.write(lines))
    assert first["id"] == "sess_round"
    exported = importer.raw_log("sess_round")
    (tmp_path / "other").mkdir()
    other = Importer(tmp_path / "other")
    [second] = other.take(other.write(exported.decode()))
    assert without_mark(second) == without_mark(first)
    again = [line for line in other.log("sess_round") if line["dir"] != "gateway"]
    assert again == [line for line in importer.log("sess_round") if line["dir"] != "gateway"]
    keys = [key for key in importer.blobs.list("sessions/sess_round") if not key.endswith("events.jsonl")]
    assert len(keys) >= 3
    for key in keys:
        assert other.blobs.read_range(key, 0, 1 << 20) == importer.blobs.read_range(key, 0, 1 << 20), key
    other.store.close()


def test_a_log_of_ours_that_a_crash_cut_off_stays_interrupted(importer: Importer) -> None:
    [row] = importer.take(importer.write(lines_of(Call().session().user_text(20, "hi"))))
    assert row["status"] == "interrupted"


def test_a_gap_in_our_log_stays_a_gap_and_eats_nothing(importer: Importer) -> None:
    lost = {"type": "gateway.lost", "side": "client", "records": 3, "bytes": 500, "skip": 400, "torn": True}
    call = Call().session().gateway(30, **lost).user_text(40, "still there").close(50)
    [row] = importer.take(importer.write(lines_of(call)))
    assert row["data"]["lost"] == {"records": 3, "bytes": 500}
    assert row["title"] == "still there"


def test_what_a_log_of_ours_says_of_the_session_can_be_overridden(importer: Importer) -> None:
    call = Call().session().close(50)
    [row] = importer.take(importer.write(lines_of(call)), project="mine", tags=["x"], provider="house")
    assert (row["project"], row["tags"]) == ("mine", ["demo", "x"])
    assert row["metadata"] == {"user_id": "u1"}


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
kinds = st.sampled_from(
    [
        "session.created",
        "session.update",
        "input_audio_buffer.append",
        "conversation.item.create",
        "response.create",
        "response.created",
        "response.output_audio.delta",
        "response.done",
        "error",
        "vendor.thing",
    ]
)
messages = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    kinds,
    st.dictionaries(
        st.sampled_from(
            ["session", "item", "response", "response_id", "item_id", "delta", "audio", "error", "x"]
        ),
        json_values | st.just("AAAA"),
        max_size=4,
    ),
)
raws = st.builds(
    lambda data, binary: {"raw": b64(data), **({"binary": True} if binary else {})},
    st.binary(max_size=20),
    st.booleans(),
)
closes = st.builds(
    lambda code, reason: {"close": {"code": code, "reason": reason}},
    st.integers(1000, 4999),
    st.text("abc ", max_size=20),
)
entries = st.lists(
    st.tuples(
        st.integers(0, 10**8),
        st.sampled_from(["client", "server"]),
        messages.map(lambda msg: {"msg": msg}) | raws | closes,
    ),
    min_size=1,
    max_size=12,
)


@given(entries)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_in_a_log_of_ours_comes_out_as_it_went_in(
    steps: list[tuple[int, str, dict[str, Any]]],
) -> None:
    opened = {"type": "gateway.opened", "session_id": "sess_p", "project": "p"}
    lines: list[dict[str, Any]] = [{"t": 0, "dir": "gateway", "msg": opened}]
    now = 0
    for gap, direction, content in steps:
        now += gap
        lines.append({"t": now, "dir": direction, **content})
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = Importer(Path(one)), Importer(Path(other))
        try:
            [row] = first.take(first.write(lines))
            exported = first.raw_log("sess_p")
            [again] = second.take(second.write(exported.decode()))
            assert without_mark(again) == without_mark(row)
            assert second.raw_log("sess_p").splitlines()[1:] == exported.splitlines()[1:]
            built = build_trace(read_events(exported.splitlines()), session_id="sess_p")
            assert {span.id for span in built.spans} == {span["id"] for span in row["spans"]}
        finally:
            first.store.close()
            second.store.close()
