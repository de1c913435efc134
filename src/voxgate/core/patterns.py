"""What is to be redacted: patterns in, places in a text out.

Patterns come from the settings, and texts from anybody. So a search ends after a while whatever the pattern
is (the library `regex` can be told so, `re` cannot): then the whole text counts as found, since nobody knows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

LONGEST_PATTERN: Final = 1000
_SEARCH_SECONDS: Final = 0.1
_MOST_TIMEOUTS: Final = 3
"""Of one pattern. Afterwards it is not tried any more, and whatever it would be tried on counts as found."""
_LONGEST_TEXT: Final = 1 << 20
"""In characters; a longer one counts as found."""
_MOST_REMEMBERED: Final = 4096

_DIGIT: Final = r"(?:\d|zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_BETWEEN: Final = r"[\s,.;:/\-–]{0,3}+"
BUILT_IN: Final[Mapping[str, str]] = {
    "card_number": rf"(?<![\w]){_DIGIT}(?:{_BETWEEN}{_DIGIT}){{12,}}+",
    "email": r"[\w.+\-]{1,64}+@[\w\-]{1,63}+(?:\.[\w\-]{1,63}+){1,5}+"
    r"|\b[\w.+\-]{1,64}+(?: (?:dot|underscore|dash) [\w\-]{1,64}+){0,4}"
    r" at (?:[\w\-]{1,63}+ dot ){1,4}[\w\-]{2,63}+",
    "phone_number": rf"(?<![\w])(?:\+|plus )?\(?{_DIGIT}(?:[\s().,/\-–]{{0,3}}+{_DIGIT}){{6,14}}+",
    "iban": r"\b[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,4})?\b",
    "us_ssn": r"\b\d{3}[\- ]\d{2}[\- ]\d{4}\b",
}
"""By their names in the settings."""

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """Text `[start:end]`, and the name of the rule that found it."""

    start: int
    end: int
    rule: str


def check_pattern(pattern: str) -> str:
    """ValueError for one that is none, or that finds nothing in particular."""
    import regex  # noqa: PLC0415 - as in Rules

    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has {LONGEST_PATTERN} characters at most")
    try:
        compiled = regex.compile(pattern, regex.IGNORECASE)
        if compiled.search("", timeout=_SEARCH_SECONDS) is not None:
            raise ValueError(f"{pattern!r} finds the empty text, so it would be everywhere")
    except (regex.error, TimeoutError, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


class Rules:
    """Patterns by their names; capital letters and small ones are the same to them."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        import regex  # noqa: PLC0415 - large, and gateway workers read settings without ever searching

        self._patterns: dict[str, Any] = {
            name: regex.compile(pattern, regex.IGNORECASE) for name, pattern in patterns.items()
        }
        self._timeouts = dict.fromkeys(patterns, 0)
        self._remembered: dict[str, tuple[Found, ...]] = {}

    def find(self, text: str) -> tuple[Found, ...]:
        """In their order, none within or touching another."""
        known = self._remembered.get(text)
        if known is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[text] = merged(self._look(text))
        return known

    def _look(self, text: str) -> Iterator[Found]:
        if not text:
            return
        for name in self._patterns:
            if len(text) > _LONGEST_TEXT or self._timeouts[name] >= _MOST_TIMEOUTS:
                yield Found(0, len(text), name)
            else:
                yield from self._search(name, text)

    def _search(self, name: str, text: str) -> list[Found]:
        try:
            places = self._patterns[name].finditer(text, timeout=_SEARCH_SECONDS)
            return [Found(one.start(), one.end(), name) for one in places if one.end() > one.start()]
        except TimeoutError:
            self._timeouts[name] += 1
            more = ", and is not tried any more" if self._timeouts[name] >= _MOST_TIMEOUTS else ""
            logger.error("the pattern of %r takes too long: a whole text is redacted%s", name, more)
            return [Found(0, len(text), name)]


def merged(found: Iterable[Found]) -> tuple[Found, ...]:
    """What overlaps or touches is one, by the name of the first, of several the longest."""
    whole: list[Found] = []
    for one in sorted(found, key=lambda each: (each.start, -each.end)):
        if whole and one.start <= whole[-1].end:
            whole[-1] = whole[-1]._replace(end=max(whole[-1].end, one.end))
        else:
            whole.append(one)
    return tuple(whole)


def mark_of(rule: str) -> str:
    """What stands in the text's place."""
    return f"[redacted:{rule}]"


def replaced(text: str, found: Iterable[Found]) -> str:
    pieces, at = [], 0
    for one in found:
        pieces += [text[at : one.start], mark_of(one.rule)]
        at = one.end
    return "".join(pieces) + text[at:]
