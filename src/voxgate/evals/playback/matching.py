"""Which message of the recorded client a live one stands for. Each of them stands for one, in the order in
which it comes, and where ids say which, by the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from voxgate.evals.playback.script import CANCEL, CREATE_ITEM, Json, Script, Sent, key_of
from voxgate.traces.events import name_of, obj

Matching = Literal["strict", "lenient"]
_ABOUT_ITEMS: Final = frozenset(
    {"conversation.item.truncate", "conversation.item.delete", "conversation.item.retrieve"}
)
_NOT_COMPARED: Final = frozenset({"id", "object", "status", "audio", "event_id", "image_url"})
_SHOWN_LETTERS: Final = 80


class Matcher:
    """`is_begun` says whether a response of the recording was begun."""

    def __init__(self, script: Script, is_begun: Callable[[str], bool]) -> None:
        self._left: dict[tuple[str, ...], list[Sent]] = {}
        self._is_begun = is_begun
        for sent in script.sent:
            self._left.setdefault(sent.key, []).append(sent)

    def find(self, name: str, msg: Json, item_id: str | None) -> Sent | None:
        """`item_id` is what the message is about, by the recorded id."""
        waiting = self._left.get(key_of(name, msg), [])
        found = next((sent for sent in waiting if self._fits(sent, item_id)), None)
        if found is not None:
            waiting.remove(found)
        return found

    def _fits(self, sent: Sent, item_id: str | None) -> bool:
        if sent.name in _ABOUT_ITEMS:
            return sent.item_id == item_id
        if sent.name == CANCEL and sent.response_id is not None:
            return self._is_begun(sent.response_id)
        return True


def difference(recorded: Sent, msg: Json) -> str | None:
    """Where an item says something else than the recorded one; None for what the answer does not hang on."""
    if recorded.name != CREATE_ITEM:
        return None
    return next(_differences("item", obj(recorded.msg, "item"), obj(msg, "item")), None)


def _differences(path: str, recorded: Any, sent: Any) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for name in sorted(set(recorded) | set(sent)):
            # What a side leaves out it leaves to the provider.
            if name not in _NOT_COMPARED and recorded.get(name) is not None and sent.get(name) is not None:
                yield from _differences(f"{path}.{name}", recorded[name], sent[name])
    elif isinstance(recorded, list) and isinstance(sent, list):
        if len(recorded) != len(sent):
            yield f"{path} has {len(recorded)} parts in the recording and {len(sent)} now"
        for number, (one, other) in enumerate(zip(recorded, sent, strict=False)):
            yield from _differences(f"{path}.{number}", one, other)
    elif recorded != sent:
        yield f"{path} is {_short(recorded)} in the recording and {_short(sent)} now"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…"


def client_item_id(msg: Json) -> str | None:
    return name_of(msg, "item_id") or name_of(obj(msg, "item"), "id")
