"""The filter language of session lists: text to a tree of conditions, and back. Pure; `conditions` turns the
tree into SQL, and docs/filters.md is its grammar for people. The API, the command line and the web app use
this one.

A comparison with a value that a session does not have does not hold; `not` holds wherever its part does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from voxgate.core.clock import unix_ms
from voxgate.store.fields import Field, Kind, field_of, write_number, write_span

COMPARISONS: Final = ("=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text between which any text may stand: of one piece, it must be equal."""

    pieces: tuple[str, ...]

    def __str__(self) -> str:
        escaped = "*".join(re.sub(r'(["\\*])', r"\\\1", piece) for piece in self.pieces)
        plain = "*".join(self.pieces)
        return plain if plain == escaped and _BARE_VALUE.fullmatch(plain) else f'"{escaped}"'

    def matches(self, text: str) -> bool:
        return re.fullmatch(".*".join(map(re.escape, self.pieces)), text, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Ago:
    """So long before now."""

    ms: float

    def __str__(self) -> str:
        return f"-{write_span(self.ms)}"

    def bounds_ms(self, now: datetime) -> tuple[int, int]:
        start = unix_ms(now) - int(self.ms)
        return start, start + 1


@dataclass(frozen=True, slots=True)
class Moment:
    """A month, a day, a minute, a second or a millisecond, as it was written, in Unix milliseconds."""

    text: str
    start_ms: int
    end_ms: int

    def __str__(self) -> str:
        return self.text

    def bounds_ms(self, now: datetime) -> tuple[int, int]:
        return self.start_ms, self.end_ms


Value = Pattern | Ago | Moment | str | float
"""A status is a str; a measured value a float in the unit of its column."""


@dataclass(frozen=True, slots=True)
class Compare:
    field: str
    op: str
    """One of COMPARISONS; text, lists and choices know `=` only."""
    value: Value

    def __str__(self) -> str:
        kind, value = field_of(self.field).kind, self.value
        written = write_number(kind, value) if isinstance(value, float) else str(value)
        return f"{self.field}{':' if self.op == '=' else self.op}{written}"


@dataclass(frozen=True, slots=True)
class Has:
    """The session has any value of the field."""

    field: str

    def __str__(self) -> str:
        return f"has:{self.field}"


@dataclass(frozen=True, slots=True)
class Words:
    """These words, one after the other; with `prefix` the last may go on."""

    text: str
    prefix: bool = False
    field: str = "text"

    def __str__(self) -> str:
        bare = _BARE_WORD.fullmatch(self.text) and self.text.lower() not in KEYWORDS
        written = self.text if bare else '"' + re.sub(r'(["\\])', r"\\\1", self.text) + '"'
        return ("" if self.field == "text" else f"{self.field}:") + written + ("*" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter

    def __str__(self) -> str:
        return f"not {_inside(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """All of them; of none, every session."""

    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return " ".join(_inside(part, And, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return " or ".join(_inside(part, Or) for part in self.parts)


Filter = Compare | Has | Words | Not | And | Or
ALL: Final = And(())

KEYWORDS: Final = ("and", "or", "not")
# What needs no quotes; a word more often than a value, since it must not look like anything else.
_BARE_VALUE: Final = re.compile(r'[^\s()"<>=!:-][^\s()"]*')
_BARE_WORD: Final = re.compile(r"[^\W_][\w.,'-]*")


def _inside(part: Filter, *needing: type) -> str:
    return f"({part})" if isinstance(part, needing) else str(part)


def words_of(node: Filter) -> list[Words]:
    """What a session of the result was found by: the words that are not excluded."""
    if isinstance(node, Words):
        return [node]
    return [one for part in node.parts for one in words_of(part)] if isinstance(node, And | Or) else []


_DATE: Final = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?"
_SECOND: Final = r"(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?"
_TIME: Final = rf"(?P<hour>[0-9]{{2}}):(?P<minute>[0-9]{{2}})(?::{_SECOND})?"
_ZONE: Final = r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
_MOMENT: Final = re.compile(rf"{_DATE}(?:(?<=-[0-9]{{2}}-[0-9]{{2}})[Tt ]{_TIME}{_ZONE})?")
_LENGTHS: Final = {
    "fraction": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "day": timedelta(days=1),
}


def read_moment(text: str) -> Moment | None:
    """As much of RFC 3339 as is given, in UTC where it names no zone; None if it is none."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    try:
        start = _start(match)
        end = start + next((length for part, length in _LENGTHS.items() if match[part]), _month(start))
        return Moment(text.upper().replace(" ", "T"), unix_ms(start), unix_ms(end))
    except (ValueError, OverflowError):
        return None


def _start(match: re.Match[str]) -> datetime:
    date = f"{match['year']}-{match['month']}-{match['day'] or '01'}"
    time = f"{match['hour'] or '00'}:{match['minute'] or '00'}:{match['second'] or '00'}"
    milliseconds = ((match["fraction"] or "") + "000")[:3]
    zone = (match["zone"] or "Z").upper().replace("Z", "+00:00")
    return datetime.fromisoformat(f"{date}T{time}.{milliseconds}{zone}")


def _month(start: datetime) -> timedelta:
    return (start.replace(day=28) + timedelta(days=4)).replace(day=1) - start.replace(day=1)


def takes(field: Field, op: str) -> bool:
    """Whether values of the field can be compared like this."""
    return op in COMPARISONS if field.kind.is_measured or field.kind is Kind.TIME else op == "="
