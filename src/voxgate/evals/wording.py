"""Words compared: what was said is normalised, split, and laid beside what should have been said. Texts in,
errors out, each with its place. The normalisation has a version, which the scores carry.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Final, Literal

import regex

VERSION: Final = "1"
"""Of `normalised`: grows when the same words would become others."""
Unit = Literal["words", "characters"]
_APOSTROPHES: Final = regex.compile("[’‘ʼ＇`´]")
_KEPT: Final = regex.compile(r"(?<=\p{N})[.,:](?=\p{N})|(?<=\p{L})'(?=\p{L})")
"""Points inside numbers and apostrophes inside words, which belong to them."""
_THOUSANDS: Final = regex.compile(r"(?<=\p{N}),(?=\p{N}{3}(?!\p{N}))")
_HOLD: Final = {".": "\ue000", ",": "\ue001", ":": "\ue002", "'": "\ue003"}
_RELEASE: Final = {ord(held): sign for sign, held in _HOLD.items()}
_HELD: Final = regex.compile(r"[^\p{L}\p{M}\p{N}\ue000-\ue003]+")


def normalised(text: str) -> str:
    """Version 1: Unicode NFKC; lower case; one kind of apostrophe, kept inside words; commas that group
    thousands removed; points, commas and colons kept inside numbers; all other signs are spaces; one space
    between words. Numerals stay numerals: `3` and `three` are different words."""
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text).casefold())
    text = _THOUSANDS.sub("", text)
    text = _KEPT.sub(lambda found: _HOLD[found[0]], text)
    return " ".join(_HELD.sub(" ", text).translate(_RELEASE).split())


def words(text: str) -> list[str]:
    return normalised(text).split()


@dataclass(frozen=True, slots=True)
class Difference:
    """A run of one kind: of the reference `[wanted]`, of what was said `[said]`, as places `[start, end)`."""

    kind: Literal["substitute", "insert", "delete"]
    wanted: tuple[int, int]
    said: tuple[int, int]

    @property
    def count(self) -> int:
        return max(self.wanted[1] - self.wanted[0], self.said[1] - self.said[0])


@dataclass(frozen=True, slots=True)
class Alignment:
    """Of the fewest errors that make what was said of what should have been (Levenshtein)."""

    wanted: list[str]
    said: list[str]
    differences: tuple[Difference, ...]

    def count(self, kind: str) -> int:
        return sum(one.count for one in self.differences if one.kind == kind)

    @property
    def errors(self) -> int:
        return sum(one.count for one in self.differences)

    @property
    def rate(self) -> float:
        """(S + D + I) / N; can exceed 1. Of an empty reference: 0 if nothing was said, else 1."""
        if not self.wanted:
            return float(bool(self.said))
        return self.errors / len(self.wanted)

    def confusions(self, most: int = 5) -> list[tuple[str, str, int]]:
        """What was said in the place of what, most frequent first; an empty text for nothing."""
        found: Counter[tuple[str, str]] = Counter()
        for one in self.differences:
            for at in range(one.count):
                found[_at(self.wanted, one.wanted, at), _at(self.said, one.said, at)] += 1
        return [(wanted, said, times) for (wanted, said), times in found.most_common(most)]


def _at(tokens: Sequence[str], place: tuple[int, int], at: int) -> str:
    return tokens[place[0] + at] if place[0] + at < place[1] else ""


def align(wanted: Sequence[str], said: Sequence[str]) -> Alignment:
    """Of words or characters."""
    wanted, said = list(wanted), list(said)
    if not wanted or not said:
        kind: Any = "insert" if said else "delete"
        empty = not wanted and not said
        whole = () if empty else (Difference(kind, (0, len(wanted)), (0, len(said))),)
        return Alignment(wanted, said, whole)
    # As one letter for each token, so that a token may have spaces in it and nothing is split again.
    letters: dict[str, str] = {}
    coded = [
        "".join(letters.setdefault(token, chr(0x10000 + len(letters))) for token in tokens)
        for tokens in (wanted, said)
    ]
    found = _jiwer().process_characters(coded[0], coded[1], **_as_they_are())
    differences = tuple(
        Difference(
            chunk.type,
            (chunk.ref_start_idx, chunk.ref_end_idx),
            (chunk.hyp_start_idx, chunk.hyp_end_idx),
        )
        for chunk in found.alignments[0]
        if chunk.type != "equal"
    )
    return Alignment(wanted, said, differences)


def likeness(one: str, other: str) -> float:
    """1 - edits / length of the longer: 1 for the same text, 0 for nothing in common."""
    longest = max(len(one), len(other))
    return 1 - align(list(one), list(other)).errors / longest if longest else 1.0


@cache
def _jiwer() -> ModuleType:
    import jiwer  # noqa: PLC0415 - it takes a second to load, and few scorers need it

    return jiwer


@cache
def _as_they_are() -> dict[str, Any]:
    """The texts are not touched again: they are normalised already."""
    jiwer = _jiwer()
    untouched = jiwer.Compose([jiwer.ReduceToListOfListOfChars()])
    return {"reference_transform": untouched, "hypothesis_transform": untouched}
