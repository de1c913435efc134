"""Two versions of the same words compared: what should be heard in a line and what is, number by number and
name by name, and where in the line the difference lies. Texts in, differences out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import regex

from voxgate.evals.spoken_words import spoken_words
from voxgate.evals.wording import align, likeness

NAME_LIKENESS: Final = 0.8
"""A name may be spelt in several ways."""
_CAPITAL: Final = regex.compile(r"(?<![\w'’])(?!I\b)(\p{Lu}[\w'’]*)")
_SENTENCE: Final = re.compile(r"(?:^|[.!?:;…\n\"“”(])\s*\Z")
_TITLES: Final = frozenset({"mr", "mrs", "ms", "dr"})
_SMALL_NUMBERS: Final = frozenset({"1", "2"})
"""`one` and `second` are often no numbers; their digits are."""


@dataclass(frozen=True, slots=True)
class Block:
    """Words `[first, last)` of what should be heard, and what was heard in their place."""

    first: int
    last: int
    wanted: str
    heard: str


@dataclass(frozen=True, slots=True)
class Compared:
    words: int
    errors: int
    blocks: tuple[Block, ...]
    entities: int
    wrong_entities: tuple[Block, ...]


def compare_words(wanted: str, heard: str, *, is_cut: bool = False) -> Compared:
    """`is_cut`: nobody knows at which word it ended, so what differs at the very end does not count."""
    should, said = spoken_words(wanted), spoken_words(heard)
    blocks = _blocks(should, said)
    if is_cut and blocks and (blocks[-1][1] == len(should) or blocks[-1][3] == len(said)):
        first, _, start, _ = blocks.pop()
        should, said = should[:first], said[:start]
    found = [_block(should, said, one) for one in blocks]
    errors = sum(max(last - first, end - start) for first, last, start, end in blocks)
    entities = list(_entities(should, wanted))
    wrong = [one for one in (_wrong(should, said, blocks, *entity) for entity in entities) if one is not None]
    return Compared(len(should), errors, tuple(found), len(entities), tuple(wrong))


_Place = tuple[int, int, int, int]
"""Words `[a, b)` of the one, `[c, d)` of the other."""


def _blocks(should: Sequence[str], said: Sequence[str]) -> list[_Place]:
    """Runs of differences without an equal word between them."""
    found: list[_Place] = []
    for one in align(should, said).differences:
        (first, last), (start, end) = one.wanted, one.said
        if found and found[-1][1] == first and found[-1][3] == start:
            found[-1] = (found[-1][0], last, found[-1][2], end)
        else:
            found.append((first, last, start, end))
    return found


def _block(should: Sequence[str], said: Sequence[str], place: _Place) -> Block:
    first, last, start, end = place
    return Block(first, last, " ".join(should[first:last]), " ".join(said[start:end]))


def _entities(should: Sequence[str], text: str) -> Iterator[tuple[int, int, bool]]:
    """Words `[first, last)` that are a number or a code, or, which is the third, a name: capital letters
    within a sentence."""
    names, digits = _names(text), set(re.findall(r"\d+", text))
    at = 0
    while at < len(should):
        word, first = should[at], at
        at += 1
        if any(sign.isdigit() for sign in word):
            if not word.isdigit() or word not in _SMALL_NUMBERS or word in digits:
                yield first, at, False
        elif word in names:
            while at < len(should) and should[at] in names:
                at += 1
            yield first, at, True


def _names(text: str) -> set[str]:
    found = (one for one in _CAPITAL.finditer(text) if not _SENTENCE.search(text[: one.start()]))
    return {word for one in found for word in spoken_words(one[1]) if not word.isdigit()} - _TITLES


def _wrong(
    should: Sequence[str], said: Sequence[str], blocks: Sequence[_Place], first: int, last: int, is_name: bool
) -> Block | None:
    """None where it was heard: the same letters, however they are parted; of a name nearly the same."""
    start, end = _heard_at(blocks, first, last)
    wanted, heard = "".join(should[first:last]), said[start:end]
    runs = ("".join(heard[a:b]) for a in range(len(heard)) for b in range(a + 1, len(heard) + 1))
    for run in runs:
        if run == wanted or (is_name and likeness(run, wanted) >= NAME_LIKENESS):
            return None
    return Block(first, last, " ".join(should[first:last]), " ".join(heard))


def _heard_at(blocks: Sequence[_Place], first: int, last: int) -> tuple[int, int]:
    """Where the words `[first, last)` are in what was heard, with all that differs beside them."""
    shift, start, end = 0, first, last
    for a, b, _, d in blocks:
        if b < first:
            shift = d - b
        elif a <= last:  # it touches them
            start, end = min(start, a), max(end, b)
    begin = next((c for a, b, c, d in blocks if a == start), start + shift)
    after = [d - b for a, b, c, d in blocks if b <= end]
    return begin, end + (after[-1] if after else 0)
