"""Reads the shapes of the beta events as the shared fixtures write them (`name => {field?: type, …}`), checks
events against them and makes events of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

_TOKEN = re.compile(r"\s*('[^']*'|[A-Za-z_][\w.\-]*|\d[\w.\-]*|[{}\[\]()|,:?*])")
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)
_SIMPLE: dict[str, tuple[tuple[type, ...], st.SearchStrategy[Any]]] = {
    "str": ((str,), _TEXT),
    "int": ((int,), st.integers(0, 2**31)),
    "float": ((int, float), st.floats(0, 4, width=32)),
    "bool": ((bool,), st.booleans()),
    "object": ((dict,), st.dictionaries(_TEXT, st.integers(0, 9) | _TEXT, max_size=3)),
}


@dataclass(frozen=True)
class Word:
    name: str

    def problems(self, value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, _SIMPLE[self.name][0]):
            yield f"{at}: {value!r} is no {self.name}"

    def values(self) -> st.SearchStrategy[Any]:
        return _SIMPLE[self.name][1]


@dataclass(frozen=True)
class Choice:
    words: tuple[str, ...]

    def problems(self, value: Any, at: str) -> Iterator[str]:
        if value not in self.words:
            yield f"{at}: {value!r} is none of {self.words}"

    def values(self) -> st.SearchStrategy[Any]:
        return st.sampled_from(self.words)


@dataclass(frozen=True)
class Many:
    inner: Shape

    def problems(self, value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{at}: {value!r} is no list"
            return
        for index, one in enumerate(value):
            yield from self.inner.problems(one, f"{at}[{index}]")

    def values(self) -> st.SearchStrategy[Any]:
        return st.lists(self.inner.values(), max_size=3)


@dataclass(frozen=True)
class Mapping:
    inner: Shape

    def problems(self, value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at}: {value!r} is no object"
            return
        for name, one in value.items():
            yield from self.inner.problems(one, f"{at}.{name}")

    def values(self) -> st.SearchStrategy[Any]:
        return st.dictionaries(_TEXT, self.inner.values(), max_size=3)


@dataclass(frozen=True)
class Record:
    fields: tuple[tuple[str, bool, Shape], ...]
    """Name, whether it must be there, shape."""

    def problems(self, value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at}: {value!r} is no object"
            return
        for name, needed, shape in self.fields:
            if value.get(name) is not None:  # the live services say null for what is not set
                yield from shape.problems(value[name], f"{at}.{name}")
            elif needed:
                yield f"{at}.{name} is missing"

    def values(self) -> st.SearchStrategy[Any]:
        needed = {name: shape.values() for name, is_needed, shape in self.fields if is_needed}
        others = {name: shape.values() for name, is_needed, shape in self.fields if not is_needed}
        return st.fixed_dictionaries(needed, optional=others)


@dataclass(frozen=True)
class Either:
    inner: tuple[Shape, ...]

    def problems(self, value: Any, at: str) -> Iterator[str]:
        found = [list(shape.problems(value, at)) for shape in self.inner]
        if all(found):
            yield from min(found, key=len)

    def values(self) -> st.SearchStrategy[Any]:
        return st.one_of(shape.values() for shape in self.inner)


Shape = Word | Choice | Many | Mapping | Record | Either


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0

    def take(self, expected: str | None = None) -> str:
        token: str = self.tokens[self.at]
        assert expected in (None, token), self.tokens[max(0, self.at - 9) : self.at + 3]
        self.at += 1
        return token

    def peek(self, token: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at] == token

    def shape(self) -> Shape:
        found = [self.one()]
        while self.peek("|"):
            self.take()
            found.append(self.one())
        return found[0] if len(found) == 1 else Either(tuple(found))

    def one(self) -> Shape:
        token = self.take()
        if token == "{":
            return self.record()
        if token == "[":
            inner = self.shape()
            self.take("]")
            return Many(inner)
        if token == "(":
            return self.choice()
        return Choice((token.strip("'"),)) if token.startswith("'") else Word(token)

    def choice(self) -> Choice:
        words = [self.take()]
        while self.peek("|"):
            self.take()
            words.append(self.take())
        self.take(")")
        return Choice(tuple(words))

    def record(self) -> Record | Mapping:
        if self.peek("*"):
            self.take()
            self.take(":")
            inner = self.shape()
            self.take("}")
            return Mapping(inner)
        fields = [self.field()]
        while self.peek(","):
            self.take()
            fields.append(self.field())
        self.take("}")
        return Record(tuple(fields))

    def field(self) -> tuple[str, bool, Shape]:
        name = self.take()
        needed = not self.peek("?")
        if not needed:
            self.take()
        self.take(":")
        return name, needed, self.shape()


def read_shapes(path: Path) -> dict[str, Shape]:
    lines = [line.split(" => ", 1) for line in path.read_text().splitlines() if " => " in line]
    return {name: _Reader(text).shape() for name, text in lines}


def problems(shapes: dict[str, Shape], event: dict[str, Any]) -> list[str]:
    """What is wrong with an event; more fields than the shape has are welcome."""
    shape = shapes.get(event["type"])
    if shape is None:
        return [f"there is no event {event['type']}"]
    return list(shape.problems(event, event["type"]))
