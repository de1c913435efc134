"""Words as they are said, whatever they are written like: a text in, words out in which `twenty-five`, `25`
and `2 5`, or `$5` and `five dollars`, are the same. For two transcripts of one sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

from voxgate.evals.numerals import in_digits, ordinals_in_digits
from voxgate.evals.wording import words

VERSION: Final = "1"
"""Grows when the same text would become other words."""
_SIGNS: Final = (
    (re.compile(r"([$€£])\s?(\d+(?:[.,]\d+)*(?: (?:hundred|thousand|million|billion))*)"), r"\2 \1"),
    (re.compile(r"(\d[\d,]*)\.(\d\d) ([$€£])"), r"\1 \3 \2 cents"),
    (re.compile(r"%"), " percent "),
    (re.compile(r"\$"), " dollars "),
    (re.compile(r"€"), " euros "),
    (re.compile(r"£"), " pounds "),
    (re.compile(r"(?<=\w)-(?=\w)"), " "),
    (re.compile(r"\bmister\b", re.IGNORECASE), "Mr"),
    (re.compile(r"\bmiss(?:us|es)\b", re.IGNORECASE), "Mrs"),
    (re.compile(r"\bdoctor\b", re.IGNORECASE), "Dr"),
)
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_MONEY: Final = frozenset({"dollar", "dollars", "euro", "euros", "pound", "pounds"})
_DIGITS: Final = re.compile(r"\d[\d.,:]*")


def spoken_words(text: str) -> list[str]:
    """Normalised, numbers as digits alone; numbers that stand side by side are one, since nobody hears where
    one ends: `5:30` and `five thirty` are both `530`."""
    for sign, spoken in _SIGNS:
        text = sign.sub(spoken, text)
    said = in_digits(ordinals_in_digits(_with_one(words(text))))
    return list(_joined(list(_scaled(_without_and(said)))))


def _with_one(said: Sequence[str]) -> list[str]:
    """`a hundred` is one hundred."""
    return ["one" if word == "a" and then in _SCALES else word for word, then in pairwise([*said, ""])]


def _without_and(said: Sequence[str]) -> list[str]:
    """`five dollars and ten cents` is said as `five dollars ten cents` is."""
    around = zip(["", *said], said, [*said[1:], ""], strict=False)
    return [
        word for before, word, then in around if word != "and" or before not in _MONEY or not then.isdigit()
    ]


def _scaled(said: Sequence[str]) -> Iterator[str]:
    """`1 million` is said as `one million` is."""
    number: int | None = None
    for word in said:
        if number is not None and word in _SCALES:
            number *= _SCALES[word]
            continue
        if number is not None:
            yield str(number)
        number = (
            int(word) if word.isascii() and word.isdigit() and len(word) < 10 and word[0] != "0" else None
        )
        if number is None:
            yield word
    if number is not None:
        yield str(number)


def _joined(said: Sequence[str]) -> Iterator[str]:
    for is_number, run in groupby(said, lambda word: bool(_DIGITS.fullmatch(word))):
        if is_number:
            yield re.sub(r"[^0-9]", "", "".join(run)) or "0"
        else:
            yield from run
