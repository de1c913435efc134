"""Case 11. Nothing is rejected because it is unknown."""

from __future__ import annotations

from tests.traces.calls import Call, pcm, spans, vad


def test_semantic_vad_odd_tools_and_unknown_events_are_no_obstacle() -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "teleport", "x": 1}, None]
    call = Call().session(turn_detection=vad("semantic_vad", eagerness="low"), tools=tools, quux={"a": 1})
    call.server(20, "something.new", response_id="resp_0", payload=[1]).client(30, "what.ever").server(40, "")
    call.append(50, pcm(1000)).speech("item_u", 300, 900).created(950, "resp_1").done(990, "resp_1")
    trace = call.close(1000).trace()
    assert spans(trace, "user")[0].input["vad"] == "semantic_vad"
    assert spans(trace, "user")[0].metrics["true_speech_end_ms"] is None
    assert trace.data["config"]["tools"] == tools
    assert trace.metrics["v2v_p50"] is None


def test_unknown_items_parts_and_statuses_stay_as_they_are() -> None:
    odd = {
        "id": "item_x",
        "type": "hologram",
        "role": "narrator",
        "content": [{"type": "smell", "text": "rose"}],
    }
    call = Call().session().server(50, "conversation.item.added", item=odd, previous_item_id=None)
    call.client(60, "response.create").created(100, "resp_1", colour="blue")
    call.server(
        110, "response.output_item.done", response_id="resp_1", item={"id": "item_y", "type": "dance"}
    )
    trace = call.done(200, "resp_1", "evaporated").close(300).trace()
    (response,) = spans(trace, "response")
    assert (response.status, response.output["item_ids"]) == ("evaporated", ["item_y"])
    assert response.input["context_item_ids"] == ["item_x"]
    assert [(item["type"], item["role"], item["text"]) for item in trace.data["items"]] == [
        ("hologram", "narrator", "rose")
    ]
    assert trace.data["messages"] == len(call.events) - 2  # all but the gateway's own


def test_configurations_that_change_are_events_and_answers_name_the_one_in_force() -> None:
    call = Call().session().client(50, "response.create").created(100, "resp_1").done(150, "resp_1")
    call.server(200, "session.updated", session={"instructions": "be brief", "brand_new": {"x": 1}})
    call.client(250, "response.create").created(300, "resp_2").done(350, "resp_2")
    trace = call.close(400).trace()
    first, second = (span.input["config_hash"] for span in spans(trace, "response"))
    marks = [event["hash"] for event in trace.data["events"] if event["type"] == "config"]
    assert marks == [first, second]
    assert trace.data["config"] == {"instructions": "be brief", "brand_new": {"x": 1}}
