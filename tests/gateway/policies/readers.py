"""JSON as a hostile client may write it, and as readers other than ours may read it."""

from __future__ import annotations

import functools
import json
import unicodedata
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Pairs = list[tuple[str, Any]]
"""An object whose members keep their order and may be named twice; a plain list is a JSON list."""


class Members(list[tuple[str, Any]]):
    pass


NAMES = (
    "session", "response", "item", "type", "audio", "output", "input", "voice", "instructions", "prompt",
    "tools", "tool_choice", "name", "role", "model", "turn_detection", "speed", "id", "event_id",
)  # fmt: skip
WORDS = (
    "session.update", "response.create", "conversation.item.create", "input_audio_buffer.append", "realtime",
    "cedar", "alloy", "function", "mcp", "system", "user", "get_weather", "steal", "fake", "other",
    "message", "",
)  # fmt: skip


def _disguised(name: str) -> st.SearchStrategy[str]:
    """As it is nearly always; else in another case, with letters that fold to it, or with letters that some
    readers drop."""
    places = st.integers(0, len(name))
    return st.one_of(
        *[st.just(name)] * 12,
        st.sampled_from([name.upper(), name.title(), name.replace("s", "ſ"), name + " "]),
        places.map(lambda at: f"{name[:at]}\ud800{name[at:]}"),
        places.map(lambda at: f"{name[:at]}\u200b{name[at:]}"),
        st.just(f"{name}\0x"),
    )


names = st.sampled_from(NAMES).flatmap(_disguised)
leaves = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=3), st.floats()
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(st.tuples(names, inner), max_size=4).map(Members) | st.lists(inner, max_size=3),
    max_leaves=12,
)


def _holder(name: str, within: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.tuples(_disguised(name), within)


_settings = st.one_of(
    _holder("voice", values),
    _holder("instructions", values),
    _holder("tools", values),
    st.tuples(names, values),
)
_audio = _holder(
    "audio",
    st.lists(_holder("output", st.lists(_settings, max_size=3).map(Members)), max_size=2).map(Members),
)
_body = st.lists(st.one_of(_settings, _audio), max_size=4).map(Members)
events = st.lists(
    st.one_of(
        _holder("session", _body | values),
        _holder("response", _body | values),
        _holder("type", st.sampled_from(WORDS[:4])),
        st.tuples(names, values),
    ),
    max_size=5,
).map(lambda pairs: Members([*pairs, ("type", "session.update")]))


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


def _write(value: Any, escapes: frozenset[str]) -> bytes:
    return _written(value, lambda letter: letter in escapes and ord(letter) < 0x10000).encode()


texts = st.builds(_write, events | values, st.frozensets(st.sampled_from("sieta_"), max_size=2))
"""Events as text: with members named twice, escaped letters, and members in disguise."""

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
    except ValueError:
        return None


def _only_letters(name: str) -> str:
    """Of a reader that drops what is no letter it knows, and stops at a zero."""
    return "".join(c for c in name.partition("\0")[0] if unicodedata.category(c) not in {"Cs", "Cf"}).strip()


READERS: tuple[Reader, ...] = tuple(
    functools.partial(_read, first=first, normal=normal)
    for first in (True, False)
    for normal in (str, str.casefold, _only_letters)
)
