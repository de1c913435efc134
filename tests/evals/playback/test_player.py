"""A script played to a client, message by message, by a clock of the test's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.evals.playback.calls import sound
from tests.traces.calls import Call, pcm

from voxgate.evals.playback.cutting import cut
from voxgate.evals.playback.matching import Matching
from voxgate.evals.playback.player import Player


class Played:
    """A recorded call that a client of today is in."""

    def __init__(self, call: Call, speed: float | None = None, matching: Matching = "strict") -> None:
        events = call.events
        self.now = 0.0

        def read(line: int) -> dict[str, Any]:
            copied: dict[str, Any] = json.loads(json.dumps(events[line].msg))
            return copied

        self.player = Player(cut(enumerate(events)), read, speed=speed, matching=matching)
        self.player.open(self.now)
        self.events: list[dict[str, Any]] = []

    def say(self, type: str, **fields: Any) -> list[str]:  # noqa: A002
        """What the client is told at once; what is due is in `heard`."""
        told = self.player.receive(json.dumps({"type": type, **fields}), self.now)
        return [error.message for error in told]

    def heard(self, until: float | None = None) -> list[str]:
        """The types of what comes, with a clock that runs to `until`."""
        found: list[dict[str, Any]] = []
        while True:
            found += [json.loads(text) for text in self.player.due(self.now)]
            next_at = self.player.next_at
            if next_at is None or until is None or next_at > until:
                break
            self.now = next_at
        self.now = max(self.now, until or 0.0)
        self.events += found
        return [event["type"] for event in found]


def spoken(call: Call, start: float = 500) -> Call:
    """A second of sound from `start` on, of which the provider hears the beginning and the end."""
    call.append(start, pcm(500)).server(start + 500, "input_audio_buffer.speech_started", item_id="item_u")
    call.append(start + 500, pcm(500)).server(start + 1000, "input_audio_buffer.speech_stopped")
    call.committed(start + 1000, "item_u")
    call.created(start + 1100, "resp_1").audio(start + 1200, "resp_1", "item_a", pcm(200))
    return call.done(start + 1300, "resp_1")


def test_what_the_provider_hears_comes_when_as_much_sound_was_sent() -> None:
    played = Played(spoken(Call().session()))
    assert played.heard() == ["session.created"]
    for _ in range(4):
        played.say("input_audio_buffer.append", audio=sound(100))
    assert played.heard() == []
    assert played.say("conversation.item.create", item={"type": "message", "role": "user"})[0].endswith(
        "What it expects next: 100 ms more of sound (then input_audio_buffer.speech_started)."
    )
    played.say("input_audio_buffer.append", audio=sound(100))
    assert played.heard() == ["input_audio_buffer.speech_started"]
    played.say("input_audio_buffer.append", audio=sound(500))
    assert played.heard()[:2] == ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
    assert played.player.is_over


def test_sound_counts_by_its_length_whatever_its_format() -> None:
    played = Played(spoken(Call().session()))
    g711 = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    assert "no answer to session.update" in played.say("session.update", session=g711)[0]
    played.say("input_audio_buffer.append", audio=sound(1000 / 6))  # as many bytes as a second has in G.711
    assert played.heard()[-1] == "response.done"


def test_the_recorded_pauses_are_kept_and_divided_by_the_speed() -> None:
    for speed in (1.0, 4.0):
        played = Played(spoken(Call().session()), speed=speed)
        assert played.heard(until=0.3) == ["session.created"]
        played.say("input_audio_buffer.append", audio=sound(1000))
        begin, times = played.now, []
        while (next_at := played.player.next_at) is not None:
            times += [round((next_at - begin) * speed, 3)] * len(played.heard(until=next_at))
        # Speech is found 0.1 s after the sound before it was sent, its end half a second later.
        assert times == [0.1, 0.6, 0.6, 0.6, 0.7, 0.8, 0.9]


def test_what_comes_late_by_the_client_stays_late_and_nothing_is_hurried() -> None:
    call = Call().session()
    call.user_text(100, "hi").client(110, "response.create").created(300, "resp_1").done(900, "resp_1")
    played = Played(call, speed=1.0)
    played.say("conversation.item.create", item=call.events[2].msg["item"])  # type: ignore[index]
    played.heard(until=5.0)
    played.say("response.create")
    assert played.heard(until=5.18) == []
    assert played.heard(until=5.7) == ["response.created"]
    assert played.heard(until=5.8) == ["response.done"]


def tool_call(call: Call) -> Call:
    """The recorded client sent the tool's output before the response was done."""
    call.session().client(50, "response.create").created(100, "resp_1")
    call.call_tool(200, "resp_1", "call_1", "look_up", "{}").tool_result(210, "call_1", "42")
    added = {"id": "item_o", "type": "function_call_output", "call_id": "call_1", "output": "42"}
    call.server(220, "conversation.item.added", item=added).done(230, "resp_1")
    return call.client(240, "response.create").created(300, "resp_2").done(400, "resp_2")


def test_a_client_that_waits_longer_than_the_recorded_one_is_not_waited_for() -> None:
    played = Played(tool_call(Call()))
    played.say("response.create")
    assert played.heard()[-1] == "response.done"  # although no output was sent yet
    item = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
    assert played.say("conversation.item.create", item=item) == []
    assert played.heard() == ["conversation.item.added"]
    played.say("response.create")
    assert played.heard() == ["response.created", "response.done"]


def test_a_response_does_not_begin_in_the_middle_of_another() -> None:
    call = Call().session().client(20, "response.create").created(100, "resp_1").done(500, "resp_1")
    call.client(600, "response.create").created(700, "resp_2").done(900, "resp_2")
    played = Played(call, speed=1.0)
    played.say("response.create")
    played.say("response.create")
    assert played.heard(until=0.3) == ["session.created", "response.created"]
    assert played.heard(until=9.0) == ["response.done", "response.created", "response.done"]


def test_another_result_of_a_tool_is_no_answer_to_a_strict_replay_and_one_to_a_lenient() -> None:
    item = {"type": "function_call_output", "call_id": "call_1", "output": "43"}
    for matching, count in (("strict", 1), ("lenient", 0)):
        played = Played(tool_call(Call()), matching=matching)  # type: ignore[arg-type]
        played.say("response.create")
        played.heard()
        told = played.say("conversation.item.create", item=item)
        assert len(told) == count
        assert all("item.output is '42' in the recording and '43' now" in one for one in told)
    other = {**item, "call_id": "call_2"}
    assert (
        "no answer to conversation.item.create (function_call_output of call_2)"
        in played.say("conversation.item.create", item=other)[0]
    )


def test_a_cancelled_response_ends_when_the_client_cancels_it() -> None:
    call = Call().session().client(20, "response.create").created(100, "resp_1")
    call.audio(200, "resp_1", "item_a", pcm(100)).client(300, "response.cancel")
    call.audio(310, "resp_1", "item_a", pcm(100)).cancelled(320, "resp_1", "client_cancelled")
    played = Played(call)
    assert "no answer to response.cancel" in played.say("response.cancel")[0]  # nothing is said yet
    played.say("response.create")
    assert played.heard() == ["session.created", "response.created", "response.output_audio.delta"]
    played.say("response.cancel")
    assert played.heard() == ["response.output_audio.delta", "response.done"]


def test_a_cancel_that_came_too_late_is_not_waited_for() -> None:
    call = Call().session().client(20, "response.create").created(100, "resp_1")
    call.client(190, "response.cancel", event_id="c_1").done(200, "resp_1")
    call.server(210, "error", event_id="e", error={"code": "response_cancel_not_active", "event_id": "c_1"})
    played = Played(call)
    played.say("response.create")
    assert played.heard()[-1] == "response.done"
    played.say("response.cancel", event_id="mine")
    assert played.heard() == ["error"]
    assert played.events[-1]["error"]["event_id"] == "mine"


def test_an_interrupted_response_ends_when_the_client_speaks() -> None:
    call = Call().session().client(20, "response.create").created(100, "resp_1")
    call.audio(200, "resp_1", "item_a", pcm(500)).append(600, pcm(200))
    call.server(750, "input_audio_buffer.speech_started", item_id="item_u", audio_start_ms=0)
    call.cancelled(760, "resp_1", "turn_detected")
    call.client(800, "conversation.item.truncate", item_id="item_a", audio_end_ms=250, content_index=0)
    call.server(820, "conversation.item.truncated", item_id="item_a", audio_end_ms=250, content_index=0)
    played = Played(call)
    played.say("response.create")
    assert played.heard()[-1] == "response.output_audio.delta"
    played.say("input_audio_buffer.append", audio=sound(200))
    assert played.heard() == ["input_audio_buffer.speech_started", "response.done"]
    played.say("conversation.item.truncate", item_id="item_a", audio_end_ms=199, content_index=0)
    assert played.heard() == ["conversation.item.truncated"]
    assert played.events[-1]["audio_end_ms"] == 199  # the client's own


def test_items_have_the_ids_that_the_client_gives_them() -> None:
    call = Call().session().user_text(50, "hi", id="theirs")
    item = {"id": "theirs", "type": "message", "role": "user"}
    call.server(60, "conversation.item.added", item=item, previous_item_id=None)
    call.client(70, "conversation.item.delete", item_id="theirs")
    call.server(80, "conversation.item.deleted", item_id="theirs")
    played = Played(call)
    text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    played.say("conversation.item.create", item={**text, "id": "ours"})
    assert played.heard()[-1] == "conversation.item.added"
    assert played.events[-1]["item"]["id"] == "ours"
    played.say("conversation.item.delete", item_id="ours")
    assert played.heard() == ["conversation.item.deleted"]
    assert played.events[-1]["item_id"] == "ours"


def test_what_a_client_knows_its_response_by_comes_back() -> None:
    metadata = {"client_event_id": "theirs"}
    call = Call().session().client(20, "response.create", response={"metadata": metadata})
    call.created(100, "resp_1", metadata=metadata).done(200, "resp_1", metadata=metadata)
    played = Played(call)
    played.say("response.create", response={"metadata": {"client_event_id": "ours"}})
    played.heard()
    assert [event["response"]["metadata"] for event in played.events[1:]] == [{"client_event_id": "ours"}] * 2


def test_a_session_does_not_come_expired() -> None:
    played = Played(Call().session(expires_at=1_700_000_000))
    played.heard()
    assert played.events[0]["session"]["expires_at"] > 1_800_000_000 - 10**8


def test_commits_by_the_client_are_waited_for_and_not_counted_as_sound() -> None:
    call = Call().session().append(100, pcm(300)).client(400, "input_audio_buffer.commit")
    call.committed(410, "item_u").client(420, "response.create").created(500, "resp_1").done(600, "resp_1")
    played = Played(call)
    played.heard()
    played.say("input_audio_buffer.append", audio=sound(50))  # another length is another voice
    assert played.heard() == []
    played.say("input_audio_buffer.commit")
    assert played.heard() == ["input_audio_buffer.committed", "conversation.item.added"]


def test_a_message_more_than_the_recording_has_is_told_with_what_is_expected() -> None:
    played = Played(tool_call(Call()))
    played.heard()
    told = played.say("session.update", event_id="mine", session={})
    expected = "response.create; or conversation.item.create (function_call_output of call_1)."
    assert told == [f"The recording has no answer to session.update. What it expects next: {expected}"]
    assert played.player.diverged == told


@pytest.mark.parametrize("text", ["{", "[]", "1", b"\xff"])
def test_what_is_no_message_is_refused_and_the_call_goes_on(text: str | bytes) -> None:
    played = Played(tool_call(Call()))
    assert [error.code for error in played.player.receive(text, 0.0)] == ["invalid_event"]
    assert played.player.diverged == []
