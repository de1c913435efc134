"""Reads the filter language: from text to the tree of `filter`. Whatever the text, it ends in a tree or in an
InvalidRequest that names the place and what is possible there.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from voxgate.core.errors import InvalidRequest
from voxgate.store.fields import (
    ALIASES,
    FIELDS,
    SCORE,
    STATUSES,
    WITHOUT_VALUE,
    Field,
    Kind,
    find_field,
    read_number,
    read_span,
)
from voxgate.store.filter import (
    ALL,
    KEYWORDS,
    Ago,
    And,
    Compare,
    Filter,
    Has,
    Not,
    Or,
    Pattern,
    Value,
    Words,
    read_moment,
    takes,
)
from voxgate.store.words import stands_alone, words

MOST_CHARACTERS: Final = 4000
MOST_CONDITIONS: Final = 50
_MOST_DEPTH: Final = 40
_SHORTEST_PREFIX: Final = 3
"""With fewer letters a prefix would be nearly every word."""

_SPACE: Final = re.compile(r"\s*")
_SCORE_NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
_FIELD: Final = re.compile(
    rf"((?:(?i:score)\.{_SCORE_NAME})|[A-Za-z_][A-Za-z0-9_]*)(?::\s*(!=|<=|>=|<|>|=)?|\s*(!=|<=|>=|<|>|=))\s*"
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\*?)', re.DOTALL)
_BARE: Final = re.compile(r'[^\s()"]+')


def parse(text: str) -> Filter:
    """The whole filter; of a text without any condition one that every session passes."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._conditions = 0

    def parse(self) -> Filter:
        if len(self._text) > MOST_CHARACTERS:
            raise _invalid(
                f"The filter has {len(self._text)} characters; at most {MOST_CHARACTERS} are read."
            )
        self._skip()
        if self._at == len(self._text):
            return ALL
        found = self._either()
        if self._at < len(self._text):
            self._fail(self._at, "this parenthesis closes nothing")
        return found

    def _either(self) -> Filter:
        parts = [self._all()]
        while self._keyword("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Filter:
        parts = [self._one()]
        while self._keyword("and") or not self._ends():
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _ends(self) -> bool:
        """Whether no further condition of an `and` follows."""
        at_end = self._at == len(self._text) or self._text[self._at] == ")"
        return at_end or self._next_keyword() == "or"

    def _one(self) -> Filter:
        start = self._at
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            self._fail(start, f"parentheses and 'not' are nested deeper than {_MOST_DEPTH}")
        found = self._negation() or self._group() or self._condition()
        self._depth -= 1
        return found

    def _negation(self) -> Filter | None:
        if self._keyword("not"):
            return Not(self._one())
        if self._text.startswith("-", self._at) and re.match(r"[^\s)]", self._text[self._at + 1 :]):
            self._at += 1
            return Not(self._one())
        return None

    def _group(self) -> Filter | None:
        start = self._at
        if not self._text.startswith("(", start):
            return None
        self._move(start + 1)
        found = self._either()
        if not self._text.startswith(")", self._at):
            self._fail(start, "this parenthesis is never closed")
        self._move(self._at + 1)
        return found

    # Conditions

    def _condition(self) -> Filter:
        start = self._at
        if start == len(self._text) or self._text[start] == ")" or self._next_keyword():
            self._fail(start, "a condition is missing", "for example status:failed or duration>30s")
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            self._fail(start, f"more than {MOST_CONDITIONS} conditions")
        match = _FIELD.match(self._text, start)
        if match is None:
            return self._words("text")
        self._at = match.end()
        return self._field(_field_name(match[1]), match[2] or match[3] or "=", start)

    def _field(self, name: str, op: str, start: int) -> Filter:
        if name == "has":
            return self._has(op, start)
        if name == "last":
            return self._last(op, start)
        field = find_field(name)
        if field is None:
            self._fail(start, f"there is no field {name!r}", _all_fields())
        if op != "!=" and not takes(field, op):
            self._fail(start, f"{field.name} can be compared with : and != only")
        found = self._words(field.name) if field.kind is Kind.WORDS else self._comparison(field, op, start)
        return Not(found) if op == "!=" else found

    def _comparison(self, field: Field, op: str, start: int) -> Filter:
        op = "=" if op == "!=" else op
        value_at = self._at
        pieces = self._value(field, start)
        value = _read(field, op, pieces)
        if value is None:
            self._fail(value_at, *_wrong_value(field, op, "*".join(pieces)))
        return Compare(field.name, op, value)

    def _has(self, op: str, start: int) -> Filter:
        at = self._at
        name = _field_name("".join(self._value(None, start)))
        field = ALIASES.get(name, name)
        if op != "=" or not (field in WITHOUT_VALUE or field.startswith(SCORE)):
            self._fail(at, f"has:{name} asks for nothing", "possible: " + ", ".join(sorted(WITHOUT_VALUE)))
        return Has(field)

    def _last(self, op: str, start: int) -> Filter:
        at = self._at
        text = "".join(self._value(None, start))
        span = read_span(text)
        if op != "=" or span is None:
            self._fail(at, f"last:{text} is not a span of time", "examples: last:30m, last:24h, last:7d")
        return Compare("started", ">=", Ago(span))

    def _value(self, field: Field | None, start: int) -> list[str]:
        """Pieces between which anything may stand."""
        quoted = self._quoted()
        if quoted is not None:
            text, star = quoted
            if star:
                self._fail(self._at, "a * belongs inside the quotes")
            return _split(text)
        match = _BARE.match(self._text, self._at)
        if match is None:
            examples = (
                f"examples: {field.examples}" if field and field.examples else "quotes hold one together"
            )
            self._fail(start, "a value is missing", examples)
        self._move(match.end())
        return _collapsed(match[0].split("*"))

    def _words(self, field: str) -> Words:
        start = self._at
        quoted = self._quoted()
        if quoted is not None:
            text, prefix = re.sub(r"\\([\"\\])", r"\1", quoted[0]), quoted[1]
        else:
            match = _BARE.match(self._text, start)
            if match is None:
                self._fail(start, "words are missing", "quotes hold several together")
            self._move(match.end())
            text, prefix = match[0].removesuffix("*"), match[0].endswith("*")
        found = words(text)
        if not found:
            self._fail(start, f"{text!r} has no letter or digit to look for")
        if prefix and len(found[-1]) < _SHORTEST_PREFIX and not stands_alone(found[-1]):
            self._fail(start, f"before the * at least {_SHORTEST_PREFIX} letters are needed")
        return Words(text, prefix, field)

    def _quoted(self) -> tuple[str, bool] | None:
        """What is between quotes, with its escapes, and whether a star follows."""
        if not self._text.startswith('"', self._at):
            return None
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            self._fail(self._at, "this quote is never closed")
        self._move(match.end())
        return match[1], bool(match[2])

    # Places

    def _keyword(self, wanted: str) -> bool:
        if self._next_keyword() != wanted:
            return False
        self._move(self._at + len(wanted))
        return True

    def _next_keyword(self) -> str | None:
        match = _BARE.match(self._text, self._at)
        word = match[0].lower() if match else ""
        return word if word in KEYWORDS else None

    def _move(self, at: int) -> None:
        self._at = at
        self._skip()

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _fail(self, at: int, problem: str, possible: str = "") -> NoReturn:
        match = _BARE.match(self._text, at)
        there = match[0] if match else self._text[at : at + 1]
        place = f"at character {at + 1} ({there[:40]!r})" if there else "at its end"
        raise _invalid(f"The filter is wrong {place}: {problem}{f'; {possible}' if possible else ''}.")


def _field_name(text: str) -> str:
    """Large or small, but for the name of a score."""
    head, dot, rest = text.partition(".")
    return head.lower() + dot + rest


def _read(field: Field, op: str, pieces: list[str]) -> Value | None:
    text = "*".join(pieces)
    match field.kind:
        case Kind.CHOICE:
            return text.lower() if text.lower() in STATUSES else None
        case Kind.TIME:
            return _read_time(op, text)
        case Kind.TEXT | Kind.LIST:
            return _read_pattern(field, pieces)
        case _:
            return read_number(field.kind, text)


def _read_pattern(field: Field, pieces: list[str]) -> Pattern | None:
    """Of one that must match one of several texts, stars stand at the ends only: they would run on into the
    next text."""
    inner = pieces[1:-1] if len(pieces) > 2 else []
    ends = pieces[0] == pieces[-1] == "" if inner else len(pieces) == 1 or "" in pieces
    if pieces == [""] or (field.kind is Kind.LIST and (len(inner) > 1 or not ends)):
        return None
    return Pattern(tuple(pieces))


def _read_time(op: str, text: str) -> Value | None:
    if text.startswith("-"):
        ms = read_span(text[1:])
        return None if ms is None or op == "=" else Ago(ms)
    return read_moment(text)


def _wrong_value(field: Field, op: str, text: str) -> tuple[str, str]:
    problem = f"{text!r} is no value of {field.name}"
    match field.kind:
        case Kind.CHOICE:
            return problem, f"possible: {', '.join(STATUSES)}"
        case Kind.TIME if text.startswith("-") and op == "=":
            return problem, "a time before now is compared with < or >, as in started>-2h"
        case Kind.TIME:
            return problem, "examples: started>-2h, started:2026-11-23, started<2026-11-23T10:00Z"
        case Kind.LIST:
            return problem, "a * may stand at its beginning and at its end"
        case Kind.TEXT:
            return problem, 'examples: shop, gpt-*, "front desk"'
        case _:
            return problem, f"examples: {field.examples}"


def _all_fields() -> str:
    names = ", ".join(FIELDS)
    return f"possible are {names}, has and last; to look for the words, put them in quotes"


def _split(text: str) -> list[str]:
    r"""At the stars; `\*`, `\"` and `\\` stand for the characters themselves."""
    pieces = [""]
    for match in re.finditer(r'\\([*"\\])|(\*)|([^*\\]+|\\)', text, re.DOTALL):
        if match[2]:
            pieces.append("")
        else:
            pieces[-1] += match[1] or match[3]
    return _collapsed(pieces)


def _collapsed(pieces: list[str]) -> list[str]:
    """Several stars in a row are one."""
    inner = [piece for piece in pieces[1:-1] if piece]
    return pieces if len(pieces) == 1 else [pieces[0], *inner, pieces[-1]]


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="q")
