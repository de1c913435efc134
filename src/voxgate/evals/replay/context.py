"""What the model knew before a turn, as items that a client may create: the words that were said and heard,
the calls and their results. Recorded items in, GA items out (realtime-protocol 2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from voxgate.evals.replay.recorded import RecordedCall, Spoken
from voxgate.traces.events import Json, name_of, objects, string

_LONGEST_ID: Final = 32
_ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_KINDS: Final = ("message", "function_call", "function_call_output", "mcp_call")

Sounding = Callable[[Spoken], Json | None]
"""The content of a user's item as sound, in the format of the session; None where there is none."""


@dataclass(slots=True)
class Rebuilt:
    """`of` is the recorded item that each one stands for. `left_out` counts by type what no client can
    create."""

    items: list[Json] = field(default_factory=list)
    of: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def add(self, item_id: str, *items: Json) -> None:
        self.items += items
        self.of += [item_id] * len(items)

    def extend(self, more: Rebuilt) -> None:
        self.items += more.items
        self.of += more.of
        for kind, count in more.left_out.items():
            self.left_out[kind] = self.left_out.get(kind, 0) + count


def rebuild(
    call: RecordedCall, item_ids: Sequence[str], sounding: Sounding, *, prefer_sound: bool = False
) -> Rebuilt:
    """Items in their order. The user's sound becomes words where its transcript is known, unless
    `prefer_sound`; the assistant's always does, since no client can put sound into its mouth."""
    found, spoken = Rebuilt(), spoken_items(call)
    called: set[str] = set()
    for item_id in item_ids:
        item = call.items.get(item_id, {})
        kind = string(item, "type") or "message"
        made = list(_made(call, item_id, item, called))
        if kind == "message" and item_id in spoken:
            made = list(_spoken(spoken[item_id], sounding, prefer_sound=prefer_sound))
        if made:
            found.add(item_id, *made)
        elif kind not in _KINDS or kind == "function_call_output":
            found.left_out[kind] = found.left_out.get(kind, 0) + 1
    return found


def spoken_items(call: RecordedCall) -> dict[str, Spoken]:
    """The user's speech by the id of its item."""
    inputs = (one for turn in call.turns for one in turn.inputs)
    return {one.item_id: one for one in inputs if one.item_id and one.kind != "text"}


def input_item(spoken: Spoken) -> Json | None:
    """What the user wrote, as an item; None for nothing."""
    content = list(_user_content(spoken.item or {})) or _texts(spoken.words)
    return _message("user", content) if content else None


def _made(call: RecordedCall, item_id: str, item: Json, called: set[str]) -> Iterator[Json]:
    match string(item, "type"):
        case "function_call":
            yield from _function_call(call, item, called)
        case "function_call_output":
            if (call_id := name_of(item, "call_id")) is not None and call_id in called:
                yield _output(call_id, string(item, "output") or "")
        case "mcp_call":
            # No client can say that a server of the provider's ran something: as a function it is known.
            yield from _function_call(call, item, called)
            if name_of(item, "name"):
                yield _output(string(item, "call_id") or item_id, string(item, "output") or "")
        case "message" | "force_message" | None:
            yield from _words(call, item_id, item)


def _function_call(call: RecordedCall, item: Json, called: set[str]) -> Iterator[Json]:
    name, call_id = name_of(item, "name"), name_of(item, "call_id") or name_of(item, "id")
    if name is None or call_id is None:
        return
    called.add(call_id)
    whole = next((one.arguments for one in call.calls if call_id in (one.call_id, one.item_id)), "")
    arguments = string(item, "arguments") or whole or "{}"
    yield {"type": "function_call", "call_id": short_id(call_id), "name": name, "arguments": arguments}


def _output(call_id: str, output: str) -> Json:
    return {"type": "function_call_output", "call_id": short_id(call_id), "output": output}


def _words(call: RecordedCall, item_id: str, item: Json) -> Iterator[Json]:
    role = _ROLES.get(string(item, "role") or "assistant", "user")
    content = list(_user_content(item)) if role == "user" else []
    content = content or _texts(
        call.words.get(item_id, ""), "output_text" if role == "assistant" else "input_text"
    )
    if content:
        yield _message(role, content)


def _spoken(spoken: Spoken, sounding: Sounding, *, prefer_sound: bool) -> Iterator[Json]:
    sound = sounding(spoken) if prefer_sound or not spoken.words else None
    content = [sound] if sound is not None else _texts(spoken.words)
    if content:
        yield _message("user", content)


def _user_content(item: Json) -> Iterator[Json]:
    for part in objects(item, "content"):
        if (text := string(part, "text")) and string(part, "type") in ("input_text", "text"):
            yield {"type": "input_text", "text": text}
        elif (url := string(part, "image_url")) and string(part, "type") == "input_image":
            yield {"type": "input_image", "image_url": url}


def _texts(words: str, kind: str = "input_text") -> list[Json]:
    return [{"type": kind, "text": words}] if words else []


def _message(role: str, content: Any) -> Json:
    return {"type": "message", "role": role, "content": content}


def short_id(name: str) -> str:
    """Ids of other providers can be longer than the live service takes."""
    if len(name) <= _LONGEST_ID:
        return name
    return f"call_{blake2b(name.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
