"""A request that was no call, told as one: its messages go in, and events come out that a session of one turn
would have had. So spans, usage, cost and tool calls of both kinds are made in one place.

    body of the request      → what the session was set up with, the user's last words, the response begins
    sound that it sends      → the user speaks
    answer, whole or events  → the response's words and tool calls (`answers`)
    the log's end            → the response's sound; it is done, with its usage
"""

from __future__ import annotations

from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from typing import Any, Final

import pybase64

from voxgate.traces.answers import Answer, Said, answer_of
from voxgate.traces.events import CLIENT, GATEWAY, SERVER, Event, Json, number, obj, objects, string
from voxgate.traces.images import file_url, shown_images
from voxgate.traces.media import answer_images, answer_sound, content_images, content_sounds, sound_format
from voxgate.traces.responses import MADE_IMAGES
from voxgate.traces.usage import as_realtime, flat_usage

RESPONSE: Final = "answer"
ITEM: Final = "answer_text"
_HISTORY: Final = ("messages", "input", "prompt")
_NOTHING_USED: Final = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
_MOST_WORDS: Final = 20_000
_BAD: Final = 400
_DEEPEST: Final = 4
_MOST_SOUND_BYTES: Final = 64 << 20
_MOST_MADE: Final = 20

Decode = Callable[[bytes, str], bytes | None]
"""A sound file and what its sender calls it in, the bytes of a track out: 16-bit mono at 24 kHz."""
Message = tuple[str, Any]
"""Role and content."""


class Exchange:
    """Begins with the fact `gateway.opened` of a log whose transport is `http`."""

    def __init__(self, opened: Json, decode: Decode | None = None) -> None:
        self._endpoint = string(opened, "endpoint") or ""
        self._answer: Answer = answer_of(self._endpoint)
        self._decode = decode
        self._status: int | None = None
        self._content_type = ""
        self._refused: Json = {}
        """Why the gateway gave up."""
        self._keeps_words = obj(opened, "recorded").get("text") is not False
        self._is_read = self._is_unreadable = False
        """Whether of an answer in words some, or something else, was in the log."""
        self._asked = self._done = False
        self._cache: Json | None = None
        """What the cache had to do with it."""
        self._waiting: tuple[Event, Json] | None = None
        """A request whose files are still to come."""
        self._files: list[bytes] = []
        self._format = ""
        self._pieces: list[bytes] = []
        self._piece_bytes = 0
        self._sounded_ns = 0
        self._images: list[Json] = []

    def words(self, event: Event) -> str | None:
        """Of an event that brings a piece of the answer's text and nothing else, which then need not be
        translated: it is of `RESPONSE` and `ITEM`."""
        if event.dir != SERVER or event.msg is None or self._waiting is not None:
            return None
        if (found := self._answer.words(event.msg)) is not None:
            self._is_read = True
        return found

    def translate(self, event: Event) -> Iterator[Event]:
        """What the builder is to be told in the place of this event, in order."""
        if self._waiting is not None and (event.dir != CLIENT or event.raw is None):
            yield from self._begin()
        if event.dir == GATEWAY:
            yield from self._fact(event)
        elif event.dir == CLIENT:
            yield from self._sent(event)
        elif event.dir == SERVER:
            yield from self._received(event)

    def _sent(self, event: Event) -> Iterator[Event]:
        if self._waiting is not None and event.raw is not None:
            self._files.append(event.raw)
            if len(self._files) == len(objects(self._waiting[1], "files")):
                yield from self._begin()
        elif event.msg is not None and not self._asked:
            self._asked, self._format = True, sound_format(event.msg)
            self._waiting = event, event.msg
            if not objects(event.msg, "files"):
                yield from self._begin()

    def _begin(self) -> Iterator[Event]:
        assert self._waiting is not None
        (event, body), self._waiting = self._waiting, None
        yield from self._request(event, body)

    def _received(self, event: Event) -> Iterator[Event]:
        if event.msg is None:
            self._is_unreadable = True
            self._keep_sound(event, event.raw or b"")
            return
        self._is_read = True
        if sound := answer_sound(event.msg):
            self._keep_sound(event, _from_base64(sound))
        if len(self._images) < _MOST_MADE:
            self._images += shown_images(answer_images(event.msg))
        yield from self._said(event, self._answer.take(event.msg))

    def _keep_sound(self, event: Event, data: bytes) -> None:
        if data and (self._status or 0) < _BAD and self._piece_bytes + len(data) <= _MOST_SOUND_BYTES:
            self._sounded_ns = self._sounded_ns or event.t_ns
            self._pieces.append(data)
            self._piece_bytes += len(data)

    def _fact(self, event: Event) -> Iterator[Event]:
        msg = event.msg or {}
        if event.type == "gateway.answered_http":
            self._status = int(number(msg, "status") or 0)
            self._content_type = string(msg, "content_type") or ""
        elif event.type == "gateway.cache":
            self._cache = {name: value for name, value in msg.items() if name != "type"}
        elif event.type == "gateway.error":
            self._refused = obj(msg, "error")
        if event.type == "gateway.closed" and not self._done:
            self._done = True
            yield from self._end(event, msg)
        yield event

    # The request

    def _request(self, event: Event, body: Json) -> Iterator[Event]:
        settings = {name: value for name, value in body.items() if name not in _HISTORY}
        messages = _messages(body)
        last = next((n for n in range(len(messages), 0, -1) if messages[n - 1][0] == "assistant"), 0)
        system = [_words(content) for role, content in messages if role in ("system", "developer")]
        instructions = "\n".join(text for text in system if text)
        if instructions:
            settings["instructions"] = instructions
        if last:
            settings["history"] = [{"role": role, "text": _words(said)} for role, said in messages[:last]]
        yield _event(event, "session.created", session={"model": body.get("model"), **settings})
        pictures = self._pictures()
        for position, (role, said) in enumerate(messages[last:]):
            if role == "user":
                yield from self._user(event, f"user_{position}", said, pictures)
                pictures = []
        if pictures:
            yield from self._user(event, "user_files", None, pictures)
        if self._endpoint.startswith("audio/"):
            for number_, file in enumerate(self._files):
                yield from self._heard(event, f"user_file_{number_}", file, "")
        yield _event(event, "response.created", response={"id": RESPONSE, "status": "in_progress"})

    def _pictures(self) -> list[str]:
        """Those that a form has brought."""
        is_of_pictures = self._endpoint.startswith("images/")
        return [url for file in self._files if (url := file_url(file))] if is_of_pictures else []

    def _user(self, event: Event, item_id: str, said: Any, pictures: list[str]) -> Iterator[Event]:
        shown = (*content_images(said), *pictures)
        content = [{"type": "input_image", "image_url": url} for url in shown]
        text, sounds = _words(said), list(content_sounds(said))
        if text or content or not sounds:
            content.append({"type": "input_text", "text": text})
            item = {"id": item_id, "type": "message", "role": "user", "content": content}
            yield _event(event, "conversation.item.added", item=item, previous_item_id=None)
        for number_, (data, kind) in enumerate(sounds):
            yield from self._heard(event, f"{item_id}_{number_}", _from_base64(data), kind)

    def _heard(self, event: Event, item_id: str, data: bytes, kind: str) -> Iterator[Event]:
        """The user said it, all at once."""
        pcm = self._decoded(data, kind)
        if pcm:
            append = {"type": "input_audio_buffer.append", "audio": ""}
            yield Event(event.t_ns, CLIENT, append, sound=pcm)
            yield Event(event.t_ns, CLIENT, {"type": "input_audio_buffer.commit"})
            yield _event(event, "input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        elif data and self._decode is not None:
            yield _unheard(event, data)

    def _decoded(self, data: bytes, kind: str) -> bytes | None:
        return self._decode(data, kind) if data and self._decode is not None else None

    # The answer

    def _said(self, event: Event, said: Said) -> Iterator[Event]:
        if said.text:
            yield _event(
                event, "response.output_text.delta", response_id=RESPONSE, item_id=ITEM, delta=said.text
            )
        for call in said.new_calls:
            yield _event(event, "response.output_item.added", response_id=RESPONSE, item=call.item(""))

    def _end(self, event: Event, closed: Json) -> Iterator[Event]:
        if not self._asked:
            return
        yield from self._sound(event)
        output = [call.item(call.arguments) for call in self._answer.calls]
        response: Json = {"id": RESPONSE, "output": output, **self._outcome(closed)}
        usage = as_realtime(self._answer.usage) if self._answer.usage else None
        if self._cache is not None:
            response["cache"] = dict(self._cache)
        if self._cache is not None and self._cache.get("result") == "hit":
            response["cache"]["usage"] = flat_usage(usage or {})
            usage = dict(_NOTHING_USED)  # what was used then was paid then
        if usage:
            response["usage"] = usage
        if self._images:
            response[MADE_IMAGES] = self._images
        yield _event(event, "response.done", response=response)

    def _sound(self, event: Event) -> Iterator[Event]:
        """It can be read as a whole only; it came when its first piece did."""
        data, self._pieces = b"".join(self._pieces), []
        if pcm := self._decoded(data, self._format):
            named = {"type": "response.output_audio.delta", "response_id": RESPONSE, "item_id": ITEM}
            yield Event(self._sounded_ns, SERVER, {**named, "delta": ""}, sound=pcm)
        elif data and self._decode is not None:
            yield _unheard(event, data)

    def _outcome(self, closed: Json) -> Json:
        error = self._answer.error
        if error is not None or (self._status or 0) >= _BAD:
            shown = error or {"message": f"The provider answered {self._status}."}
            return {"status": "failed", "status_details": {"error": {"code": self._status, **shown}}}
        if self._status is None:
            shown = self._refused or {"message": string(closed, "reason") or "no answer"}
            return {"status": "failed", "status_details": {"error": shown}}
        if number(closed, "code") != 1000:
            if string(closed, "side") == "client":
                return {"status": "cancelled", "status_details": {"reason": "client_hung_up"}}
            cut: Json = {"reason": "cut_off", **({"error": self._refused} if self._refused else {})}
            return {"status": "incomplete", "status_details": cut}
        if (unreadable := self._unreadable()) is not None:
            return {"status": "failed", "status_details": {"error": unreadable}}
        details = {"reason": self._answer.finish} if self._answer.finish else {}
        return {"status": "completed", "status_details": details}

    def _unreadable(self) -> Json | None:
        """What is wrong with an answer that says it is JSON, or events of it."""
        says_json = "json" in self._content_type or "event-stream" in self._content_type
        if not says_json or self._is_read or not self._keeps_words:
            return None
        said = "is not JSON" if self._is_unreadable else "is empty, or larger than what is recorded"
        return {"code": "unreadable", "message": f"The provider's answer {said}."}


def _event(event: Event, kind: str, **fields: Any) -> Event:
    return Event(event.t_ns, SERVER, {"type": kind, **fields})


def _unheard(event: Event, data: bytes) -> Event:
    return Event(event.t_ns, GATEWAY, {"type": "gateway.sound_unread", "bytes": len(data)})


def _from_base64(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except (NotBase64, ValueError):
        return b""


def _messages(body: Json) -> list[Message]:
    """Role and content of each, in OpenAI's chat and responses and in Anthropic's messages; of an endpoint
    without roles its input is the user's."""
    system = body.get("system") or body.get("instructions")
    found: list[Message] = [("system", system)] if system else []
    given = body.get("messages", body.get("input", body.get("prompt")))
    if not isinstance(given, list) or not any(isinstance(one, dict) for one in given):
        return [*found, ("user", given)] if given is not None else found
    for one in given:
        if isinstance(one, dict):
            role = string(one, "role") or ("tool" if "output" in one else "user")
            found.append((role, one.get("content", one.get("output"))))
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
