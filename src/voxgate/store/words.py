"""What is looked for in a text: its words, folded the same way in the index, in a filter and in an excerpt.

Pure, and ours instead of the databases' own, so that SQLite, PostgreSQL and the tests mean the same by a
word.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 64
"""Characters of a word that are compared; what is longer is no word, but an id or encoded bytes."""

# Scripts without spaces between words: each character is a word, and a longer one is found as a phrase.
_SINGLE: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_MARKS: Final = "".join(
    chr(code) for code in range(0x300, 0x1D00) if unicodedata.category(chr(code)).startswith("M")
)
"""Vowel signs and accents belong to their letter, though Python does not count them as part of a word."""
_WORD: Final = re.compile(rf"[{_SINGLE}]|(?:[^\W_{_SINGLE}][{_MARKS}]*)+")
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+")
_ACCENTS: Final = re.compile("[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands in the text."""

    folded: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """Without case and accents: `Café, 2 Grüße!` gives cafe, 2, grusse."""
    if text.isascii():
        plain: list[str] = _ASCII_WORD.findall(text.lower())
        # Looking for one that is too long takes a fifth of cutting all.
        return plain if max(map(len, plain), default=0) <= LONGEST else [word[:LONGEST] for word in plain]
    found: list[str] = []
    for word in _WORD.findall(text):
        if word.isascii():
            found.append(word[:LONGEST].lower())
        else:
            found += _fold(word)
    return found


def places(text: str) -> Iterator[Word]:
    """The same words, each with its place."""
    for match in _WORD.finditer(text):
        for folded in _fold(match[0]):
            yield Word(folded, match.start(), match.end())


def stands_alone(word: str) -> bool:
    """Whether it is a character of a script whose characters are words by themselves."""
    return re.fullmatch(f"[{_SINGLE}]", word) is not None


@functools.lru_cache(maxsize=50_000)
def _fold(word: str) -> tuple[str, ...]:
    """Mostly one; a compatibility character such as ½ may hide several."""
    decomposed = unicodedata.normalize("NFKD", word).casefold()
    plain = unicodedata.normalize("NFKC", _ACCENTS.sub("", decomposed))
    return tuple(found[:LONGEST] for found in _WORD.findall(plain))
