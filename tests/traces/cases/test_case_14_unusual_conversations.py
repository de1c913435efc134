"""Case 14. Responses out of band, several at once, deleted and inserted items."""

from __future__ import annotations

from tests.traces.calls import Call, pcm, spans


def test_an_out_of_band_response_belongs_to_the_turn_it_is_about() -> None:
    call = Call().session().user_text(50, "hi", id="u").client(60, "response.create").created(70, "resp_1")
    call.client(80, "response.create", response={"conversation": "none", "metadata": {"topic": "summary"}})
    call.created(90, "resp_2", metadata={"topic": "summary"}).done(100, "resp_2").done(110, "resp_1")
    trace = call.close(200).trace()
    first, second = spans(trace, "response")
    assert trace.summary["turns"] == 1
    assert (first.input["out_of_band"], second.input["out_of_band"]) == (False, True)
    assert second.input["metadata"] == {"topic": "summary"}


def test_two_responses_in_flight_keep_their_words_and_sound_apart() -> None:
    call = Call().session().user_text(50, "hi", id="u").client(60, "response.create")
    call.client(61, "response.create", response={"conversation": "none"})
    call.created(70, "resp_1").created(71, "resp_2")
    call.words(80, "resp_1", "item_1", "eins").words(81, "resp_2", "item_2", "one")
    call.audio(82, "resp_1", "item_1", pcm(100)).audio(83, "resp_2", "item_2", pcm(50))
    call.audio(84, "resp_1", "item_1", pcm(100)).done(90, "resp_2").done(91, "resp_1")
    first, second = spans(call.close(900).trace(), "response")
    assert (first.output["transcript"], second.output["transcript"]) == ("eins", "one")
    assert (first.metrics["audio_generated_ms"], second.metrics["audio_generated_ms"]) == (200, 50)
    assert [(clip.start_byte, clip.end_byte) for clip in first.attachments] == [(0, 4800), (7200, 12_000)]


def test_deleted_and_inserted_items_change_the_context() -> None:
    call = Call().session()
    for n, name in enumerate(("a", "b", "c")):
        call.user_text(100 + n, name, id=name)
    item = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "!"}]}
    call.client(110, "conversation.item.create", item={**item, "id": "x"}, previous_item_id="a")
    call.client(120, "conversation.item.create", item={**item, "id": "first"}, previous_item_id="root")
    call.server(130, "conversation.item.deleted", item_id="b")
    call.client(140, "response.create").created(150, "resp_1").done(160, "resp_1")
    trace = call.close(200).trace()
    assert spans(trace, "response")[0].input["context_item_ids"] == ["first", "a", "x", "c"]
    assert [item["id"] for item in trace.data["items"] if item["deleted"]] == ["b"]


def test_items_without_ids_get_the_ones_that_the_provider_gives() -> None:
    call = Call().session().user_text(100, "one").client(101, "response.create")
    named = {
        "id": "item_9",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "one"}],
    }
    call.server(120, "conversation.item.added", item=named, previous_item_id=None)
    trace = call.created(130, "resp_1").done(140, "resp_1").close(200).trace()
    assert [span.input["item_id"] for span in spans(trace, "user")] == ["item_9"]
    assert trace.data["items"][0]["made_by"] == "client"
    assert trace.summary["turns"] == 1


def test_answers_asked_for_at_once_are_told_apart_by_their_metadata() -> None:
    """They may begin in another order than they were asked for."""
    call = Call().session().user_text(50, "hi", id="u")
    for n, topic in enumerate(("one", "two")):
        response = {"conversation": "none", "metadata": {"topic": topic}, "instructions": f"about {topic}"}
        call.client(60 + n, "response.create", response=response)
    call.created(70, "resp_2", metadata={"topic": "two"}).created(71, "resp_1", metadata={"topic": "one"})
    found = {span.input["response_id"]: span for span in spans(call.close(90).trace(), "response")}
    assert [found[key].input["instructions"] for key in ("resp_1", "resp_2")] == ["about one", "about two"]
    assert found["resp_1"].metrics["commit_to_response"] == 11
