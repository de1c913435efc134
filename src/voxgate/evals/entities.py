"""Numbers, ids, e-mail addresses, dates and names, found in what was said however it was said: digits one by
one, `at` and `dot`, `the fifth of March`. An entity and a text in, whether it is in it out. English; what
is written in digits and letters is found in any language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, NamedTuple

from voxgate.evals.numerals import in_digits, ordinals_in_digits
from voxgate.evals.wording import words

VERSION: Final = "1"
Kind = Literal["number", "id", "email", "date", "name"]
KINDS: Final[tuple[Kind, ...]] = ("number", "id", "email", "date", "name")
_MONTHS: Final = {
    name: at
    for at, names in enumerate(
        (
            *("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul"),
            *("august aug", "september sep sept", "october oct", "november nov", "december dec"),
        ),
        start=1,
    )
    for name in names.split()
}
_SPELLED: Final = {
    ("x-ray" if word == "xray" else word): word[0]
    for word in [
        "alfa",
        "alpha",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
        "golf",
        "hotel",
        "india",
        "juliet",
        "juliett",
        "kilo",
        "lima",
        "mike",
        "november",
        "oscar",
        "papa",
        "quebec",
        "romeo",
        "sierra",
        "tango",
        "uniform",
        "victor",
        "whiskey",
        "xray",
        "yankee",
        "zulu",
    ]
}
_SIGNS: Final = {
    "at": "@",
    "dot": ".",
    "period": ".",
    "point": ".",
    "underscore": "_",
    "dash": "-",
    "hyphen": "-",
    "minus": "-",
    "plus": "+",
}
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
_ISO: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:T.*)?")
_ID: Final = re.compile(r"(?=.*\d)[\w+#/.() -]+")


@dataclass(frozen=True, slots=True)
class Entity:
    kind: Kind
    value: str

    def is_in(self, text: str) -> bool:
        return _FINDERS[self.kind](self.value, text)


def read_entity(written: Any) -> Entity:
    """`{"type": "date", "value": "2026-03-05"}`, or the value alone, whose kind is guessed. ValueError for
    what is none."""
    if isinstance(written, Mapping):
        kind, value = written.get("type"), written.get("value")
        if kind not in KINDS or value is None:
            raise ValueError(f"an entity has a type ({', '.join(KINDS)}) and a value, not {dict(written)!r}")
        return _checked(Entity(kind, str(value)))
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        raise ValueError(f"an entity is a text, a number or {{type, value}}, not {written!r}")
    return _checked(Entity(_kind_of(str(written).strip()), str(written).strip()))


def _checked(entity: Entity) -> Entity:
    value = entity.value
    if not words(value):
        raise ValueError(f"{value!r} is nothing that could be said")
    if entity.kind == "number" and _number(value) is None:
        raise ValueError(f"{value!r} is no number")
    if entity.kind == "date" and not _dates(value):
        raise ValueError(f"{value!r} is no date: write 2026-03-05")
    return entity


def _kind_of(value: str) -> Kind:
    if "@" in value:
        return "email"
    if _ISO.fullmatch(value) or (_dates(value) and any(word in _MONTHS for word in words(value))):
        return "date"
    is_code = value.startswith(("0", "+")) and len(value) > 1 and "." not in value
    if _NUMBER.fullmatch(value) and not is_code:
        return "number"
    return "id" if _ID.fullmatch(value) else "name"


# Text as a stream of words that may be parted otherwise than the entity is


class _Stream(NamedTuple):
    text: str
    edges: frozenset[int]
    """Where words begin and end."""

    def has(self, wanted: str) -> bool:
        at = self.text.find(wanted)
        while at >= 0:
            if at in self.edges and at + len(wanted) in self.edges:
                return True
            at = self.text.find(wanted, at + 1)
        return False


def _stream(pieces: Sequence[str]) -> _Stream:
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece))
    return _Stream("".join(pieces), frozenset(ends))


def compact(text: str) -> str:
    """Without what parts words."""
    return "".join(in_digits(words(text)))


# Each kind


def _number(text: str) -> float | None:
    said = in_digits(words(text))
    try:
        return float(said[0]) if len(said) == 1 else None
    except ValueError:
        return None


def _has_number(wanted: str, text: str) -> bool:
    """Without its sign. A whole number of more than one digit also as digits one by one."""
    said = in_digits(words(text))
    value = _number(wanted)
    if any(_number(one) == value for one in said):
        return True
    digits = "".join(words(wanted))
    return len(digits) > 1 and digits.isdigit() and _stream(said).has(digits)


def _has_id(wanted: str, text: str) -> bool:
    code = compact(wanted)
    said = in_digits(words(text))
    return _stream(said).has(code) or _stream([_SPELLED.get(one, one) for one in said]).has(code)


def _has_email(wanted: str, text: str) -> bool:
    spoken = [one.strip(",;:!?()<>\"'").rstrip(".") for one in text.casefold().split()]
    return _stream([_SIGNS.get(one, one) for one in in_digits(spoken)]).has(wanted.strip().casefold())


def _has_date(wanted: str, text: str) -> bool:
    """A year that one of them does not say is any."""
    said = _dates(text)
    return any(
        one[1:] == other[1:] and (one[0] is None or other[0] is None or one[0] == other[0])
        for one in _dates(wanted)
        for other in said
    )


def _has_name(wanted: str, text: str) -> bool:
    return f" {_plain(wanted)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    """Without accents, which transcripts leave out or invent."""
    parted = unicodedata.normalize("NFKD", " ".join(words(text)))
    return "".join(letter for letter in parted if not unicodedata.combining(letter))


_FINDERS: Final[dict[Kind, Callable[[str, str], bool]]] = {
    "number": _has_number,
    "id": _has_id,
    "email": _has_email,
    "date": _has_date,
    "name": _has_name,
}

# Dates

_Date = tuple[int | None, int, int]
"""Year, month, day."""


def _dates(text: str) -> set[_Date]:
    """All that the text may mean; of `05/03/2026` both."""
    said = in_digits(ordinals_in_digits([one for one in words(text) if one not in ("of", "the")]))
    found: set[_Date] = set()
    for at in range(len(said)):
        found.update(_named_dates(said, at))
        found.update(_numeric_dates(said[at : at + 3]))
    return {one for one in found if _exists(one)}


def _exists(one: _Date) -> bool:
    try:
        date(one[0] or 2024, one[1], one[2])
    except ValueError:
        return False
    return True


def _named_dates(said: Sequence[str], at: int) -> Iterator[_Date]:
    month = _MONTHS.get(said[at])
    if month is None:
        return
    if at + 1 < len(said) and (day := _small(said[at + 1])):
        yield _year(said, at + 2), month, day
    if at > 0 and (day := _small(said[at - 1])):
        yield _year(said, at + 1), month, day


def _numeric_dates(three: Sequence[str]) -> Iterator[_Date]:
    if len(three) < 3 or not all(one.isdigit() for one in three):
        return
    one, two, last = map(int, three)
    if len(three[0]) == 4:
        yield one, two, last
    elif len(three[2]) == 4:
        yield last, one, two
        yield last, two, one


def _small(word: str) -> int | None:
    return int(word) if word.isdigit() and 1 <= int(word) <= 31 else None


def _year(said: Sequence[str], at: int) -> int | None:
    """`2026`, or `20` and `26`."""
    if at < len(said) and said[at].isdigit():
        if len(said[at]) == 4:
            return int(said[at])
        if said[at] in ("19", "20") and at + 1 < len(said) and re.fullmatch(r"\d\d", said[at + 1]):
            return int(said[at] + said[at + 1])
    return None
