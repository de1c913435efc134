"""A request that was no call, told as one: its messages go in, and events come out that a session of one turn
would have had. So spans, usage, cost and tool calls of both kinds are made in one place.

    body of the request      → what the session was set up with, the user's last words, the response begins
    answer, whole or events  → the response's words and tool calls (`answers`)
    the log's end            → the response is done, with its usage
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voxgate.traces.answers import Answer, Said, answer_of
from voxgate.traces.events import CLIENT, GATEWAY, SERVER, Event, Json, number, obj, string
from voxgate.traces.usage import as_realtime, flat_usage

_RESPONSE: Final = "answer"
_ITEM: Final = "answer_text"
_HISTORY: Final = ("messages", "input", "prompt")
_NOTHING_USED: Final = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
_MOST_WORDS: Final = 20_000
_BAD: Final = 400
_DEEPEST: Final = 4


class Exchange:
    """Begins with the fact `gateway.opened` of a log whose transport is `http`."""

    def __init__(self, opened: Json) -> None:
        self._endpoint = string(opened, "endpoint") or ""
        self._answer: Answer = answer_of(self._endpoint)
        self._status: int | None = None
        self._asked = self._done = False
        self._cache: Json | None = None
        """What the cache had to do with it."""
        self._items: set[str] = set()

    def translate(self, event: Event) -> Iterator[Event]:
        """What the builder is to be told in the place of this event, in order."""
        if event.dir == GATEWAY:
            yield from self._fact(event)
        elif event.dir == CLIENT and not self._asked and event.msg is not None:
            self._asked = True
            yield from self._request(event, event.msg)
        elif event.dir == SERVER and event.msg is not None:
            yield from self._said(event, self._answer.take(event.msg))

    def _fact(self, event: Event) -> Iterator[Event]:
        msg = event.msg or {}
        if event.type == "gateway.answered_http":
            self._status = int(number(msg, "status") or 0)
        elif event.type == "gateway.cache":
            self._cache = {name: value for name, value in msg.items() if name != "type"}
        if event.type == "gateway.closed" and not self._done:
            self._done = True
            yield from self._end(event, msg)
        yield event

    # The request

    def _request(self, event: Event, body: Json) -> Iterator[Event]:
        settings = {name: value for name, value in body.items() if name not in _HISTORY}
        messages = _messages(body)
        last = next((n for n in range(len(messages), 0, -1) if messages[n - 1][0] == "assistant"), 0)
        instructions = "\n".join(text for role, text in messages if role in ("system", "developer") and text)
        if instructions:
            settings["instructions"] = instructions
        if last:
            settings["history"] = [{"role": role, "text": text} for role, text in messages[:last]]
        yield _event(event, "session.created", session={"model": body.get("model"), **settings})
        for position, (role, text) in enumerate(messages[last:]):
            if role == "user":
                content = [{"type": "input_text", "text": text}]
                item = {"id": f"user_{position}", "type": "message", "role": "user", "content": content}
                yield _event(event, "conversation.item.added", item=item, previous_item_id=None)
        yield _event(event, "response.created", response={"id": _RESPONSE, "status": "in_progress"})

    # The answer

    def _said(self, event: Event, said: Said) -> Iterator[Event]:
        if said.text:
            yield _event(
                event, "response.output_text.delta", response_id=_RESPONSE, item_id=_ITEM, delta=said.text
            )
        for call in said.new_calls:
            yield _event(event, "response.output_item.added", response_id=_RESPONSE, item=call.item(""))

    def _end(self, event: Event, closed: Json) -> Iterator[Event]:
        if not self._asked:
            return
        output = [call.item(call.arguments) for call in self._answer.calls]
        response: Json = {"id": _RESPONSE, "output": output, **self._outcome(closed)}
        usage = as_realtime(self._answer.usage) if self._answer.usage else None
        if self._cache is not None:
            response["cache"] = dict(self._cache)
        if self._cache is not None and self._cache.get("result") == "hit":
            response["cache"]["usage"] = flat_usage(usage or {})
            usage = dict(_NOTHING_USED)  # what was used then was paid then
        if usage:
            response["usage"] = usage
        yield _event(event, "response.done", response=response)

    def _outcome(self, closed: Json) -> Json:
        error = self._answer.error
        if error is not None or (self._status or 0) >= _BAD:
            shown = error or {"message": f"The provider answered {self._status}."}
            return {"status": "failed", "status_details": {"error": {"code": self._status, **shown}}}
        if self._status is None:
            reason = string(closed, "reason") or "no answer"
            return {"status": "failed", "status_details": {"error": {"message": reason}}}
        if number(closed, "code") != 1000:
            hung_up = string(closed, "side") == "client"
            details = {"reason": "client_hung_up" if hung_up else "cut_off"}
            return {"status": "cancelled" if hung_up else "incomplete", "status_details": details}
        details = {"reason": self._answer.finish} if self._answer.finish else {}
        return {"status": "completed", "status_details": details}


def _event(event: Event, kind: str, **fields: Any) -> Event:
    return Event(event.t_ns, SERVER, {"type": kind, **fields})


def _messages(body: Json) -> list[tuple[str, str]]:
    """Role and words of each, in OpenAI's chat and responses and in Anthropic's messages; of an endpoint
    without roles its input is the user's."""
    system = body.get("system") or body.get("instructions")
    found = [("system", _words(system))] if system else []
    given = body.get("messages", body.get("input", body.get("prompt")))
    if not isinstance(given, list) or not any(isinstance(one, dict) for one in given):
        return [*found, ("user", _words(given))] if given is not None else found
    for one in given:
        if isinstance(one, dict):
            role = string(one, "role") or ("tool" if "output" in one else "user")
            found.append((role, _words(one.get("content", one.get("output")))))
    return found


def _words(content: Any, depth: int = 0) -> str:
    if isinstance(content, str):
        return content[:_MOST_WORDS]
    if depth > _DEEPEST:
        return ""
    if isinstance(content, dict):
        told = content.get("text") or content.get("content") or obj(content, "input_audio").get("transcript")
        return _words(told, depth + 1)
    if isinstance(content, list):
        return "\n".join(filter(None, (_words(each, depth + 1) for each in content)))[:_MOST_WORDS]
    return ""
