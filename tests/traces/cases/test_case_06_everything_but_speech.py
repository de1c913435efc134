"""Case 6. Texts, images, history and results of functions are in the trace and in the context of answers."""

from __future__ import annotations

from tests.traces.calls import Call, outline, pcm, spans

from voxgate.traces.images import digest_of


def test_texts_images_history_and_system_messages_are_in_the_trace_and_in_the_context() -> None:
    call = Call().session()
    system = {
        "id": "item_s",
        "type": "message",
        "role": "system",
        "content": [{"type": "input_text", "text": "be"}],
    }
    call.client(100, "conversation.item.create", item=system)
    call.user_text(110, "earlier question", id="item_h1")
    answer = {"id": "item_h2", "type": "message", "role": "assistant"}
    answer["content"] = [{"type": "output_text", "text": "earlier answer"}]
    call.client(120, "conversation.item.create", item=answer)
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    call.user_text(
        130, "what is this?", id="item_u", content=[{"type": "input_text", "text": "what is this?"}, image]
    )
    call.client(140, "response.create").created(200, "resp_1").done(300, "resp_1")
    trace = call.close(400).trace()
    assert outline(trace)[1:] == ["  turn 1 completed", "    user completed", "    response completed"]
    user, response = spans(trace, "user")[0], spans(trace, "response")[0]
    assert user.input["text"] == "what is this?"
    assert user.input["images"] == [
        {"content_type": "image/png", "chars": 26, "digest": digest_of(image["image_url"])}
    ]
    assert response.input["context_item_ids"] == ["item_s", "item_h1", "item_h2", "item_u"]
    texts = {item["id"]: (item["role"], item["text"]) for item in trace.data["items"]}
    assert texts["item_h2"] == ("assistant", "earlier answer")
    assert texts["item_s"] == ("system", "be")


def test_two_texts_before_the_answer_are_one_turn_and_two_after_it_another() -> None:
    call = Call().session().user_text(100, "one", id="a").user_text(110, "two", id="b")
    call.client(120, "response.create").user_text(130, "three", id="c").created(140, "resp_1").done(
        150, "resp_1"
    )
    trace = call.client(160, "response.create").created(170, "resp_2").done(180, "resp_2").close(200).trace()
    assert [span.input["text"] for span in spans(trace, "turn")] == ["one\ntwo", "three"]
    assert outline(trace)[1:] == [
        "  turn 1 completed",
        "    user completed",
        "    user completed",
        "    response completed",
        "  turn 2 completed",
        "    user completed",
        "    response completed",
    ]


def test_a_greeting_has_a_turn_of_its_own() -> None:
    call = Call().session(10).server(50, "session.updated", session={"voice": "x"})
    call.client(60, "response.create").created(100, "resp_1").audio(150, "resp_1", "item_a", pcm(200))
    call.done(200, "resp_1").append(300, pcm(1000)).speech("item_u", 400, 900).created(1000, "resp_2")
    trace = call.done(1100, "resp_2").close(2000).trace()
    assert outline(trace)[1:] == [
        "  turn 1 completed",
        "    response completed",
        "  turn 2 completed",
        "    user completed",
        "    response completed",
    ]
    assert spans(trace, "turn")[0].input is None
    assert trace.metrics["greeting_latency"] == 100


def test_two_items_with_one_id_are_two_spans_with_two_ids() -> None:
    call = Call().session().user_text(100, "one", id="a").user_text(110, "again", id="a")
    ids = [span.id for span in call.close(200).trace().spans]
    assert len(ids) == len(set(ids)) == 4


def test_the_result_of_a_function_is_in_the_context_of_the_answer_that_saw_it() -> None:
    call = Call().session().user_text(50, "weather?", id="item_u").client(60, "response.create")
    call.created(100, "resp_1").call_tool(120, "resp_1", "call_1", "look", "{}").done(150, "resp_1")
    item = {
        "id": "item_call_1",
        "type": "function_call",
        "name": "look",
        "call_id": "call_1",
        "arguments": "{}",
    }
    call.server(151, "conversation.item.added", item=item, previous_item_id="item_u")
    call.tool_result(400, "call_1", '{"deg": 3}').client(410, "response.create")
    named = {"id": "item_out", "type": "function_call_output", "call_id": "call_1", "output": '{"deg": 3}'}
    call.server(420, "conversation.item.added", item=named, previous_item_id="item_call_1")
    trace = call.created(450, "resp_2").done(500, "resp_2").close(600).trace()
    first, second = spans(trace, "response")
    assert first.input["context_item_ids"] == ["item_u"]
    assert second.input["context_item_ids"] == ["item_u", "item_call_1", "item_out"]
    texts = {item["id"]: item["text"] for item in trace.data["items"]}
    assert (texts["item_call_1"], texts["item_out"]) == ("look({})", '{"deg": 3}')
