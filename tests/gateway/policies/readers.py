"""JSON as a hostile client may write it, and as readers other than ours may read it."""

from __future__ import annotations

import functools
import json
import unicodedata
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import strategies as st


class Members(list[tuple[str, Any]]):
    """An object whose members keep their order and may be named twice; a plain list is a JSON list."""


NAMES = (
    "session", "response", "item", "type", "audio", "output", "input", "voice", "instructions", "prompt",
    "tools", "tool_choice", "name", "role", "model", "turn_detection", "speed", "id", "event_id",
)  # fmt: skip
WORDS = (
    "session.update", "response.create", "conversation.item.create", "input_audio_buffer.append", "realtime",
    "cedar", "alloy", "function", "mcp", "system", "user", "get_weather", "steal", "fake", "other",
    "message", "",
)  # fmt: skip


def _disguised(chance: Random, name: str) -> str:
    """As it is nearly always; else in another case, with letters that fold to it, or with letters that some
    readers drop."""
    if chance.random() < 0.9:
        return name
    at = chance.randrange(len(name) + 1)
    forms = (
        name.upper(),
        name.title(),
        name.replace("s", "ſ"),
        f"{name} ",
        f"{name[:at]}\ud800{name[at:]}",
        f"{name[:at]}\u200b{name[at:]}",
        f"{name}\0x",
    )
    return chance.choice(forms)


def _value(chance: Random, depth: int) -> Any:
    kind = chance.randrange(8) if depth else chance.randrange(6)
    if kind == 6:
        return Members((_name(chance), _value(chance, depth - 1)) for _ in range(chance.randrange(4)))
    if kind == 7:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(3))]
    return chance.choice(WORDS) if kind < 3 else chance.choice((None, True, 0, -1.5, float("nan"), "é\0"))


def _name(chance: Random) -> str:
    return _disguised(chance, chance.choice(NAMES))


def _body(chance: Random) -> Members:
    """A session or a response, with what is judged in it more often than not."""
    body = Members()
    for _ in range(chance.randrange(4)):
        name = chance.choice(("voice", "instructions", "tools", "model", "audio", "audio", None)) or _name(
            chance
        )
        value = _value(chance, 3)
        if name == "audio" and chance.random() < 0.8:
            outputs = [Members([("voice", _value(chance, 1)), (_name(chance), 1)]) for _ in range(2)]
            value = Members((_disguised(chance, "output"), each) for each in outputs[: chance.randrange(3)])
        if name == "tools" and chance.random() < 0.8:
            value = [
                Members([("type", "function"), ("name", chance.choice(WORDS)), (_name(chance), "steal")])
            ]
        body.append((_disguised(chance, name), value))
    return body


def _event(chance: Random) -> Members:
    event = Members([("type", chance.choice(WORDS[:4]))])
    for _ in range(chance.randrange(4)):
        name = chance.choice(("session", "session", "response", "type", None)) or _name(chance)
        value = chance.choice(WORDS[:4]) if name == "type" else _value(chance, 2)
        if name in ("session", "response") and chance.random() < 0.9:
            value = _body(chance)
        event.append((_disguised(chance, name), value))
    chance.shuffle(event)
    return event


def text_of(seed: int) -> bytes:
    chance = Random(seed)
    value = _event(chance) if chance.random() < 0.95 else _value(chance, 3)
    escapes = chance.sample("sieta_", chance.randrange(3)) if chance.random() < 0.5 else []
    return _written(value, escapes.__contains__).encode()


texts = st.integers(0, 1 << 64).map(text_of)
"""Events as text: with members named twice, escaped letters, and members in disguise."""


def _written(value: Any, escape: Callable[[str], bool]) -> str:
    if isinstance(value, Members):
        inner = ", ".join(f"{_text(name, escape)}: {_written(each, escape)}" for name, each in value)
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(each, escape) for each in value) + "]"
    return _text(value, escape) if isinstance(value, str) else json.dumps(value)


def _text(text: str, escape: Callable[[str], bool]) -> str:
    return '"' + "".join(f"\\u{ord(c):04x}" if _must(c) or escape(c) else c for c in text) + '"'


def _must(letter: str) -> bool:
    return letter in '"\\' or ord(letter) < 0x20 or 0xD800 <= ord(letter) < 0xE000


Reader = Callable[[bytes], Any]


def _read(text: bytes, *, first: bool, normal: Callable[[str], str]) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if not (first and normal(name) in found):
                found[normal(name)] = value
        return found

    try:
        return json.loads(text.decode(errors="replace"), object_pairs_hook=members, strict=False)
    except (ValueError, RecursionError):
        return None


def _only_letters(name: str) -> str:
    """Of a reader that drops what is no letter it knows, and stops at a zero."""
    return "".join(c for c in name.partition("\0")[0] if unicodedata.category(c) not in {"Cs", "Cf"}).strip()


READERS: tuple[Reader, ...] = tuple(
    functools.partial(_read, first=first, normal=normal)
    for first in (True, False)
    for normal in (str, str.casefold, _only_letters)
)
