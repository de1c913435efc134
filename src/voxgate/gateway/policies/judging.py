"""Reads a client's message so that what is judged is what the provider will read, whichever JSON reader it
has, and says a refusal: message in, the decoded event or an `error` event out.

A name that is written twice, in another case or with letters that some readers drop could mean one thing here
and another there. No client writes so, and such a message is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from voxgate.core.errors import InvalidEvent, VoxgateError
from voxgate.core.ids import new_id
from voxgate.gateway.policies.ruling import Ruling

Body = dict[str, Any]
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_LONGEST_EVENT_ID: Final = 512


def read_event(text: bytes) -> Body:
    """The event, with names that are plain and its type. InvalidEvent for everything else."""
    event = read_object(text, "event")
    if not isinstance(event.get("type"), str):
        raise InvalidEvent("Invalid event: it has no type.", param="type")
    return event


def read_object(text: bytes, what: str) -> Body:
    """The object, with names that are plain. InvalidEvent for everything else, which calls it `what`."""
    try:
        body = json.loads(text.decode(), object_pairs_hook=_members, parse_constant=_no_number)
    except _SaidTwice as twice:
        raise InvalidEvent(f"Invalid {what}: it names {shown(twice.args[0])} twice in one object.") from None
    except (ValueError, RecursionError):
        raise InvalidEvent(f"Invalid {what}: failed to parse JSON value.") from None
    if not isinstance(body, dict):
        raise InvalidEvent(f"Invalid {what}: expected a JSON object.")
    check_names(body, what=what)
    return body


def lacks(text: bytes, word: bytes) -> bool:
    """Whether no reader can find the word, which is in ASCII: not in another case, not behind escapes, not
    with letters between that it would drop."""
    return text.isascii() and b"\\" not in text and b"\0" not in text and word not in text.lower()


def check_names(body: Body, at: str = "", what: str = "event") -> None:
    """InvalidEvent for a name that no field of the protocol has: another reader might take it for one."""
    for name in body:
        if not _NAME.fullmatch(name):
            where = f" in {at}" if at else ""
            raise InvalidEvent(
                f"Invalid {what}: {shown(name)}{where} is no name of a field.", param=at or None
            )


def an_object(value: Any, at: str) -> Body:
    """The value, if it is an object with names that are plain; InvalidEvent if not."""
    if not isinstance(value, dict):
        raise InvalidEvent(f"Invalid event: {at} must be an object.", param=at)
    check_names(value, at)
    return value


def a_list(value: Any, at: str) -> list[Any]:
    """The value, if it is a list, and an empty one for null; InvalidEvent if not."""
    if not isinstance(value, list | None):
        raise InvalidEvent(f"Invalid event: {at} must be a list.", param=at)
    return value or []


def decoded(text: bytes) -> Body:
    """A provider's message; empty if it is none of the protocol."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def refusal(error: VoxgateError, event: Mapping[str, Any] | None = None) -> Ruling:
    """The `error` event for the client; nothing goes on to the provider."""
    said = error.event(new_id("event"))
    said["error"]["event_id"] = _event_id(event)
    return Ruling(back=(orjson.dumps(said),))


def shown(value: Any) -> str:
    """Somebody's word in a message for people: in ASCII, since it may hold what is no text, and not long."""
    return ascii(value[:100]) if isinstance(value, str) else "unknown"


def _event_id(event: Mapping[str, Any] | None) -> str | None:
    event_id = event.get("event_id") if event else None
    if not isinstance(event_id, str) or len(event_id) > _LONGEST_EVENT_ID:
        return None
    try:
        event_id.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    return event_id


class _SaidTwice(ValueError):
    pass


def _members(pairs: list[tuple[str, Any]]) -> Body:
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, _ in pairs]
        raise _SaidTwice(next(name for name in names if names.count(name) > 1))
    return body


def _no_number(word: str) -> None:
    """NaN and Infinity are not JSON, though Python reads them."""
    raise ValueError(word)
