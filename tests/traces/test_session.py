"""What the gateway's facts say of the session itself."""

from __future__ import annotations

from typing import Any

from tests.traces.calls import Call

from voxgate.traces import build_trace


def test_what_the_recording_lacks_is_summed_and_each_gap_is_a_mark_with_its_side() -> None:
    call = Call().session()
    call.gateway(500, "gateway.lost", side="client", records=3, bytes=9000, skip=0, torn=False)
    call.gateway(500, "gateway.lost", side="provider", records=2, bytes=700, skip=0, torn=False)
    call.gateway(900, "gateway.lost", side="provider", records=1, bytes=30, skip=0, torn=False)
    call.gateway(1000, "gateway.closed", code=1000, reason="", side="client")
    trace = build_trace(call.events)
    assert trace.data["lost"] == {"records": 6, "bytes": 9730}
    marks = [each for each in trace.data["events"] if each["type"] == "gateway.lost"]
    assert [(mark["t_ms"], mark["side"], mark["records"], mark["bytes"]) for mark in marks] == [
        (500, "client", 3, 9000),
        (500, "provider", 2, 700),
        (900, "provider", 1, 30),
    ]
    assert trace.summary["status"] == "complete"


def test_a_whole_recording_lacks_nothing() -> None:
    assert build_trace(Call().session().events).data["lost"] is None


def test_the_bytes_of_both_sides_are_on_the_trace_where_somebody_counted_them() -> None:
    call = Call().session()
    counted = {"in": 4000, "out": 90_000}
    call.gateway(1000, "gateway.closed", code=1000, reason="", side="client", bytes=counted)
    assert build_trace(call.events).data["bytes"] == counted
    assert build_trace(Call().session().close(1000).events).data["bytes"] is None


def test_calls_with_the_same_instructions_and_tools_have_the_same_hashes() -> None:
    def hashes(**config: Any) -> tuple[str | None, str | None]:
        data = build_trace(Call().session(**config).events).data
        return data["instructions_hash"], data["tools_hash"]

    tools = [{"type": "function", "name": "get_weather"}]
    first = hashes(instructions="Be kind.", tools=tools)
    assert None not in first
    assert hashes(instructions="Be kind.", tools=tools, speed=1.5) == first
    assert hashes(instructions="Be brief.", tools=tools)[1] == first[1]
    assert hashes(instructions="Be brief.", tools=[])[0] != first[0]
    assert hashes(instructions="", tools=[]) == hashes() == (None, None)
