"""Records of many logs, each as what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from voxgate.recording.foreign.shapes import CLIENT_EVENTS, NoEntry, Stamp, entry_of

DONE = {"type": "response.done", "response": {"id": "resp_1"}}
APPEND = {"type": "input_audio_buffer.append", "audio": "AAAA"}
CUSTOM = {"type": "vendor.special", "x": 1}
MOMENT = Stamp("moment", 1_795_341_601_500_000_000)


def entry(record: Any) -> Any:
    found = entry_of(record)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("record", "stamp"),
    [
        ({"timestamp": "2026-11-22T10:00:01.5Z", "direction": "received", "event": DONE}, MOMENT),
        ({"timestamp": "2026-11-22T11:00:01.5+01:00", "type": "server", "event": DONE}, MOMENT),
        ({"time": 1795341601.5, "source": "server", "event": DONE}, MOMENT),
        ({"ts": 1795341601500, "dir": "in", "msg": DONE}, MOMENT),
        ({"timestamp_ms": 1795341601500, "from": "openai", "data": DONE}, MOMENT),
        (
            {"at": "2026-11-22T10:00:01.5", "payload": '{"type":"response.done","response":{"id":"resp_1"}}'},
            MOMENT,
        ),
        (
            {"type": "response.done", "event_time_ms": 812.5, "event_index": 3, "event": DONE},
            Stamp("since", 812.5e6),
        ),
        ({"elapsed_ms": 30, "direction": "s2c", "message": DONE}, Stamp("since", 30e6)),
        ({"t": 12.5, "direction": "server", "event": DONE}, Stamp("unsure", 12.5)),
        ({**DONE, "timestamp": "10:00:01 PM"}, Stamp("clock", (22 * 3600 + 1) * 1e9)),
        ({"kind": "message", "direction": "received", "data": DONE}, None),
        ({"dir": "s2c", "ev": DONE}, None),
        (DONE, None),
    ],
)
def test_an_event_of_the_provider_by_many_names(record: dict[str, Any], stamp: Stamp | None) -> None:
    found = entry(record)
    assert (found.direction, found.msg, found.stamp) == ("server", DONE, stamp)


@pytest.mark.parametrize("word", ["sent", "client", "outgoing", "c2s", "Send", "user"])
@pytest.mark.parametrize("key", ["direction", "dir", "type", "source", "sender"])
def test_events_that_nobody_knows_are_from_whom_the_log_says(key: str, word: str) -> None:
    assert entry({key: word, "event": CUSTOM}).direction == "client"
    assert entry({"event": CUSTOM}).direction == "server"


def test_an_events_name_counts_for_more_than_a_log_that_was_written_on_the_other_side() -> None:
    assert entry({"direction": "received", "event": APPEND}).direction == "client"
    assert entry({"direction": "sent", "event": DONE}).direction == "server"


def test_no_event_of_the_client_is_taken_for_one_of_the_provider(shared: Path) -> None:
    folder = shared / "fixtures/realtime/event-shapes"
    names: dict[str, set[str]] = {}
    for side in ("client", "server"):
        text = "\n".join(path.read_text() for path in folder.glob(f"*{side}-events.txt"))
        names[side] = set(re.findall(r"^([a-z_.]+) => ", text, re.MULTILINE))
    assert len(names["server"]) > 40
    assert names["client"] - names["server"] == CLIENT_EVENTS


def test_our_own_lines_are_read_to_the_byte() -> None:
    assert entry({"t": 5, "dir": "client", "msg": APPEND}).stamp == Stamp("exact", 5)
    assert entry({"t": 5, "dir": "server", "raw": "AP8=", "binary": True}).raw == b"\x00\xff"
    assert entry({"t": 5, "dir": "server", "close": {"code": 1000, "reason": "x"}}).close == {
        "code": 1000,
        "reason": "x",
    }
    assert entry({"t": 5, "dir": "client", "msg": [1, 2]}).text == b"[1,2]"
    with pytest.raises(NoEntry, match="base64"):
        entry_of({"t": 5, "dir": "server", "raw": "!"})


def test_close_frames_and_ends_of_capture_files() -> None:
    assert entry({"dir": "c2s", "op": "CLOSE", "close": {"code": 1000, "reason": ""}}).direction == "client"
    assert entry({"dir": "s2c", "close": [4000, "why"]}).close == {"code": 4000, "reason": "why"}
    assert entry_of({"dir": "c2s", "eof": True}) is None


def test_calls_of_one_log_are_told_apart_by_what_the_log_says() -> None:
    assert entry({"session_id": "a", "event": DONE}).group == "a"
    assert entry({"source": "simulated user", "event": DONE}).group == "simulated user"
    assert entry({"source": "server", "event": DONE}).group == ""


@pytest.mark.parametrize(
    "record", [5, [DONE], {"hello": 1}, {"event": "response.done"}, {"event": {"kind": "x"}}]
)
def test_what_is_no_event_says_so(record: Any) -> None:
    with pytest.raises(NoEntry):
        entry_of(record)


@pytest.mark.parametrize("value", [True, None, "soon", float("nan"), 1e30, {"s": 1}, ""])
def test_a_time_that_is_none_is_left_out(value: Any) -> None:
    assert entry({"timestamp": value, "event": DONE}).stamp is None
