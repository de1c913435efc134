"""Cuts the event log of a call in steps: every message of the provider finds the step of what caused it.

The causes are those of the Realtime protocol (`docs/testing.md` lists them). Only what the client does on its
own account is waited for; what the provider does by itself, such as answering a turn that it has heard the
end of, follows what came before. So a client that does the same things in another order, or later, is still
answered, and nobody waits for something that the other side does not owe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voxgate.evals.playback.script import (
    APPEND,
    CANCEL,
    CLEAR,
    COMMIT,
    CREATE_ITEM,
    CREATE_RESPONSE,
    TRUNCATE,
    Answer,
    Json,
    Script,
    Sent,
    Sound,
    Step,
    name_of_message,
)
from voxgate.evals.playback.sound import SoundCount
from voxgate.traces.events import CLIENT, SERVER, Event, name_of, obj

_ANSWERED: Final = {
    "session.updated": "session.update",
    "input_audio_buffer.cleared": CLEAR,
    "output_audio_buffer.cleared": "output_audio_buffer.clear",
    "conversation.item.truncated": TRUNCATE,
    "conversation.item.deleted": "conversation.item.delete",
    "conversation.item.retrieved": "conversation.item.retrieve",
}
"""What answers a message of the client, one for one."""
_OPENING: Final = frozenset({"session.created", "conversation.created"})
_HEARD: Final = frozenset({"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"})
_BY_ITSELF: Final = frozenset({"input_audio_buffer.timeout_triggered"})
_ITEM: Final = frozenset({"conversation.item.added", "conversation.item.done", "conversation.item.created"})
_KNOWN: Final = frozenset({APPEND, COMMIT, CREATE_ITEM, CREATE_RESPONSE, CANCEL, *_ANSWERED.values()})
_INTERRUPTED: Final = "turn_detected"
_CANCELLED: Final = "client_cancelled"


@dataclass(slots=True)
class _Break:
    """What may have ended a response before its time; `answers` is how many messages there were before."""

    answers: int
    message: Sent | None = None
    step: int | None = None


def cut(events: Iterable[tuple[int, Event]]) -> Script:
    """The events of a log with the places of their lines."""
    cutter = Cutter()
    for line, event in events:
        cutter.feed(line, event)
    return cutter.script


class Cutter:
    def __init__(self) -> None:
        self.script = Script()
        self._unanswered: list[Sent] = []
        self._sound = SoundCount()
        self._sound_ns = 0
        self._items: dict[str, int] = {}
        """The step in which each item was spoken of last; likewise the responses."""
        self._responses: dict[str, int] = {}
        self._open: str | None = None
        """The response that is not done."""
        self._response_of: dict[str, str] = {}
        """By item."""
        self._breaks: dict[str, _Break] = {}
        """By the reason: what came while the response was open and may have ended it."""
        self._listened: int | None = None
        """The last step of what the provider heard or did by itself."""
        self._last: int | None = None
        self._last_response: int | None = None

    def feed(self, line: int, event: Event) -> None:
        if event.close is not None and event.dir in (CLIENT, SERVER) and self.script.close is None:
            self.script.close, self.script.close_ns = (
                {**event.close, "by": event.dir},
                event.t_ns,
            )
        if event.msg is None:
            return
        if event.dir == CLIENT:
            self._take_sent(event, event.msg)
        elif event.dir == SERVER:
            self._take_answer(line, event, event.msg)

    # The client

    def _take_sent(self, event: Event, msg: Json) -> None:
        name = event.type or name_of_message(msg)
        self._sound.client(name, msg, event.sound)
        if name == APPEND:
            self._sound_ns = event.t_ns
            return
        sent = Sent(len(self.script.sent), event.t_ns, name, msg)
        sent.item_id = _item_id(msg)
        if name == CANCEL and self._open is not None:
            sent.response_id = self._open
            self._breaks.setdefault(_CANCELLED, _Break(len(self.script.answers), message=sent))
        self.script.sent.append(sent)
        self._unanswered.append(sent)

    def _pop(self, name: str, item_id: str | None = None) -> Sent | None:
        """The first message of that name that waits for its answer, about that item if one is given."""
        for sent in self._unanswered:
            if sent.name == name and item_id in (None, sent.item_id):
                self._unanswered.remove(sent)
                return sent
        return None

    # The provider

    def _take_answer(self, line: int, event: Event, msg: Json) -> None:
        name = event.type or name_of_message(msg)
        self._sound.server(name, msg)
        step = self._step_of(name, msg)
        self.script.steps[step].answers.append(len(self.script.answers))
        self.script.answers.append(Answer(event.t_ns, line))
        self._last = step
        if (item_id := _item_id(msg)) is not None:
            self._items[item_id] = step
        if name == "response.done":
            self._end_response(step, obj(msg, "response"))

    def _step_of(self, name: str, msg: Json) -> int:
        if name in _OPENING:
            return self._opening()
        if name in _ANSWERED and (sent := self._pop(_ANSWERED[name], name_of(msg, "item_id"))) is not None:
            return self._new(name, message=sent)
        if name in _HEARD or name == "input_audio_buffer.committed":
            return self._heard(name)
        if name in _BY_ITSELF:
            return self._listen(self._new(name, after=[self._listened]))
        if name == "response.created":
            return self._response(msg)
        if name == "error":
            return self._refusal(name, msg)
        if name in _ITEM and (made := self._item_made(name, msg)) is not None:
            return made
        step = self._of_response(name, msg)
        step = step if step is not None else self._items.get(_item_id(msg) or "")
        return step if step is not None else self._otherwise(name)

    def _opening(self) -> int:
        return 0 if self.script.steps else self._new("session.created")

    def _heard(self, name: str) -> int:
        if name.endswith("committed") and (sent := self._pop(COMMIT)) is not None:
            return self._listen(self._new(name, message=sent))
        made = self._new(name, sound=self._sound.total, cause_ns=self._sound_ns, after=[self._listened])
        if name.endswith("speech_started") and self._open is not None:
            self._breaks.setdefault(_INTERRUPTED, _Break(len(self.script.answers), step=made))
        return self._listen(made)

    def _listen(self, step: int) -> int:
        self._listened = step
        return step

    def _response(self, msg: Json) -> int:
        sent, response_id = self._pop(CREATE_RESPONSE), name_of(obj(msg, "response"), "id")
        # By itself it answers what it has heard; and it has one answer at a time.
        before = [self._last_response, *([self._listened] if sent is None else [])]
        made = self._new("response.created", message=sent, after=before)
        if sent is not None:
            sent.response_id = response_id
        self._open, self._last_response = response_id, made
        if response_id is not None:
            self._responses[response_id] = made
        return made

    def _refusal(self, name: str, msg: Json) -> int:
        """Of the message that it names; else of the last one before it."""
        named = name_of(obj(msg, "error"), "event_id")
        by_id = (sent for sent in self._unanswered if named and sent.msg.get("event_id") == named)
        sent = next(by_id, None) or (self._unanswered[-1] if self._unanswered else None)
        if sent is None:
            return self._otherwise(name)
        self._unanswered.remove(sent)
        return self._new(name, message=sent)

    def _item_made(self, name: str, msg: Json) -> int | None:
        """The step of an item that the client has made, when it is spoken of for the first time."""
        item = obj(msg, "item")
        item_id = name_of(item, "id")
        if item_id is None or item_id in self._items:
            return None
        created = [sent for sent in self._unanswered if sent.name == CREATE_ITEM]
        by_id = (sent for sent in created if sent.item_id == item_id)
        alike = (sent for sent in created if sent.item_id is None and _alike(obj(sent.msg, "item"), item))
        sent = next(by_id, None) or next(alike, None)
        if sent is None:
            return None
        self._unanswered.remove(sent)
        sent.item_id = item_id
        return self._new(name, message=sent)

    def _of_response(self, name: str, msg: Json) -> int | None:
        response_id = name_of(msg, "response_id") or name_of(obj(msg, "response"), "id")
        item_id = _item_id(msg)
        if response_id is None:
            response_id = self._response_of.get(item_id or "") or self._open_one(name, msg)
        if response_id is None or response_id not in self._responses:
            return None
        if item_id is not None:
            self._response_of[item_id] = response_id
        return self._responses[response_id]

    def _open_one(self, name: str, msg: Json) -> str | None:
        """The response that is open, if a message that does not say it belongs to it."""
        item = obj(msg, "item")
        made = item.get("role") == "assistant" or str(item.get("type")).startswith(("function_call", "mcp"))
        is_new = name in _ITEM and made and _item_id(msg) not in self._items
        return self._open if name == "rate_limits.updated" or is_new else None

    def _end_response(self, step: int, response: Json) -> None:
        """What came of a response after it was cancelled or interrupted waits for that."""
        response_id = name_of(response, "id")
        if response_id not in (None, self._open):
            return
        found = self._breaks.get(str(obj(response, "status_details").get("reason")))
        if found is not None and response.get("status") == "cancelled":
            self._break(step, found)
        self._open = None
        self._breaks.clear()

    def _break(self, step: int, found: _Break) -> None:
        if found.message in self._unanswered:
            self._unanswered.remove(found.message)
        after = [step, found.step]
        ending = self._new("the end of the response", after=after, message=found.message)
        whole = self.script.steps[step].answers
        self.script.steps[step].answers = [answer for answer in whole if answer < found.answers]
        self.script.steps[ending].answers = [answer for answer in whole if answer >= found.answers]
        for steps in (self._items, self._responses):
            steps.update({known: ending for known, place in steps.items() if place == step})
        self._last = self._last_response = ending

    def _otherwise(self, name: str) -> int:
        """What is not known answers a message that is not known, or follows what came before it."""
        strange = [sent for sent in self._unanswered if sent.name not in _KNOWN]
        if strange:
            self._unanswered = [sent for sent in self._unanswered if sent.name in _KNOWN]
            return self._new(name, message=strange[-1])
        return self._last if self._last is not None else self._new(name)

    def _new(
        self,
        name: str,
        *,
        after: Iterable[int | None] = (),
        message: Sent | None = None,
        sound: Sound | None = None,
        cause_ns: int = 0,
    ) -> int:
        known = list(dict.fromkeys(step for step in after if step is not None))
        cause = message.t_ns if message is not None else cause_ns
        self.script.steps.append(Step(name, known, message, sound, cause))
        return len(self.script.steps) - 1


def _item_id(msg: Json) -> str | None:
    return name_of(msg, "item_id") or name_of(obj(msg, "item"), "id")


def _alike(asked: Json, made: Json) -> bool:
    kind = asked.get("type", "message")
    same = "role" if kind == "message" else "call_id"
    return kind == made.get("type", "message") and asked.get(same) == made.get(same)
