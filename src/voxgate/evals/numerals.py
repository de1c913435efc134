"""Numbers as people say them, read as digits: English. Words in, words out with digits in the place of what
was a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_UNITS: Final = dict(
    zip(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        range(10),
        strict=True,
    )
)
_TEENS: Final = dict(
    zip(
        (
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
            *("eighteen", "nineteen"),
        ),
        range(10, 20),
        strict=True,
    )
)
_TENS: Final = dict(
    zip(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"],
        range(20, 100, 10),
        strict=True,
    )
)
_SCALES: Final = {"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_SMALL: Final = {**_UNITS, **_TEENS, **_TENS}
_TIMES: Final = {"double": 2, "triple": 3}
_OH: Final = frozenset({"oh", "o"})
_ORDINALS: Final = {
    **dict(
        zip(
            (
                *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
                *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth"),
                *("seventeenth", "eighteenth", "nineteenth", "twentieth"),
            ),
            range(1, 21),
            strict=True,
        )
    ),
    "thirtieth": 30,
}
_ORDINAL: Final = re.compile(r"(\d+)(?:st|nd|rd|th)")


def in_digits(words: Sequence[str]) -> list[str]:
    """`twenty three` as `23`, `three point five` as `3.5`; what is said digit by digit stays one word for
    each; `oh` beside a digit is 0, and `double five` is `55`."""
    found: list[str] = []
    at = 0
    while at < len(words):
        if words[at] in _TIMES and at + 1 < len(words) and _digit(words[at + 1]):
            found.append(_digit(words[at + 1]) * _TIMES[words[at]])
            at += 2
        elif words[at] in _SMALL:
            number, at = _number(words, at)
            fraction, at = _fraction(words, at)
            found.append(f"{number}.{fraction}" if fraction else str(number))
        else:
            found.append(words[at])
            at += 1
    return _with_zeros(found)


def _digit(word: str) -> str:
    if word in _UNITS:
        return str(_UNITS[word])
    return word if len(word) == 1 and word.isdigit() else "0" if word in _OH else ""


def _with_zeros(words: list[str]) -> list[str]:
    """`oh` is a number beside one."""
    is_number = [word.isdigit() for word in words]
    for at, word in enumerate(words):
        near = (at > 0 and is_number[at - 1], at + 1 < len(words) and is_number[at + 1])
        if word in _OH and any(near):
            words[at], is_number[at] = "0", True
    return words


def _number(words: Sequence[str], at: int) -> tuple[int, int]:
    """The longest number from there on, and where it ends."""
    total, smallest = 0, None
    while at < len(words) and words[at] in _SMALL:
        part, after = _below_thousand(words, at)
        scale = _SCALES.get(words[after], 1) if after < len(words) else 1
        if smallest is not None and scale >= smallest:
            break
        total, at = total + part * scale, after + (scale > 1)
        smallest = scale
        if scale == 1:
            break
        if at + 1 < len(words) and words[at] == "and" and words[at + 1] in _SMALL:
            at += 1
    return total, at


def _below_thousand(words: Sequence[str], at: int) -> tuple[int, int]:
    value, at = _below_hundred(words, at)
    if at < len(words) and words[at] == "hundred" and 0 < value < 100:
        value, at = value * 100, at + 1
        rest = at + 1 if at + 1 < len(words) and words[at] == "and" else at
        if rest < len(words) and words[rest] in _SMALL:
            more, at = _below_hundred(words, rest)
            value += more
    return value, at


def _below_hundred(words: Sequence[str], at: int) -> tuple[int, int]:
    value = _SMALL[words[at]]
    at += 1
    if value >= 20 and at < len(words) and _UNITS.get(words[at], 0):
        return value + _UNITS[words[at]], at + 1
    return value, at


def _fraction(words: Sequence[str], at: int) -> tuple[str, int]:
    if at + 1 >= len(words) or words[at] != "point" or not _digit(words[at + 1]):
        return "", at
    digits, at = "", at + 1
    while at < len(words) and _digit(words[at]):
        digits, at = digits + _digit(words[at]), at + 1
    return digits, at


def ordinals_in_digits(words: Sequence[str]) -> list[str]:
    """`fifth` and `5th` as `5`, `twenty first` as `21`: before `in_digits`."""
    found: list[str] = []
    for word in words:
        matched = _ORDINAL.fullmatch(word)
        value = int(matched[1]) if matched else _ORDINALS.get(word)
        if value is not None and value < 10 and found and found[-1] in _TENS:
            value += _TENS[found.pop()]
        found.append(word if value is None else str(value))
    return found
