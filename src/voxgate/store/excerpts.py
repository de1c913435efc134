"""What was said in a session, as lines, and the piece of it that shows why a filter found the session.
Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxgate.store.filter import Words
from voxgate.store.words import Word, places, words

SPEAKERS: Final = {"title": "title", "user": "user_said", "assistant": "assistant_said", "tool": "tools"}
"""Whose line it is, and in which column of the full text its words are."""
MOST_CHARACTERS: Final = 300_000
"""Of a session's lines. Hours of speech have fewer; what a client sends as text may have more."""
_BEFORE: Final = 60
_LENGTH: Final = 180


@dataclass(frozen=True, slots=True)
class Line:
    speaker: str
    """A key of SPEAKERS."""
    text: str


def lines_of(title: str | None, spans: Iterable[Mapping[str, Any]]) -> list[Line]:
    """The title and what the spans say, in their order, as far as it is searched."""
    left = MOST_CHARACTERS
    found: list[Line] = []
    for speaker, text in _spoken(title, spans):
        line = " ".join(text[:left].split())
        if line:
            found.append(Line(speaker, line))
            left -= len(line)
    return found


def _spoken(title: str | None, spans: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    yield "title", title or ""
    for span in spans:
        match span["type"]:
            case "user":
                yield from (("user", text) for text in _texts(span.get("input")))
            case "response":
                yield from (("assistant", text) for text in _texts(span.get("output")))
            case "tool":
                yield "tool", span.get("name") or ""


def _texts(shown: Any) -> list[str]:
    found = [shown.get(name) for name in ("transcript", "text")] if isinstance(shown, Mapping) else []
    return [text for text in found if isinstance(text, str)]


def write_lines(lines: Iterable[Line]) -> str:
    """As it is kept: no line has a line break or a tab."""
    return "\n".join(f"{line.speaker}\t{line.text}" for line in lines)


def read_lines(text: str) -> list[Line]:
    return [Line(speaker, said) for speaker, _, said in (line.partition("\t") for line in text.split("\n"))]


def excerpt(lines: Iterable[Line], wanted: Sequence[Words]) -> dict[str, Any] | None:
    """`{"speaker", "parts": [{"text", "hit"}]}` of the line that has most of what is wanted; None if none has
    any. Parts instead of places, since languages do not agree on how characters are counted."""
    best: tuple[int, Line, list[tuple[int, int]]] | None = None
    for line in lines:
        found = [hits for one in wanted if (hits := _hits(line, one))]
        if found and (best is None or len(found) > best[0]):
            best = len(found), line, sorted(hit for hits in found for hit in hits)
        if best is not None and best[0] == len(wanted):
            break
    return None if best is None else _shown(best[1], best[2])


def _hits(line: Line, wanted: Words) -> list[tuple[int, int]]:
    """Where it stands in the line."""
    if wanted.field not in ("text", SPEAKERS[line.speaker]):
        return []
    phrase = words(wanted.text)
    if line.text.isascii():
        return [match.span() for match in _ascii_pattern(wanted).finditer(line.text.lower())]
    said = list(places(line.text))
    starts = range(len(said) - len(phrase) + 1)
    return [
        (said[n].start, said[n + len(phrase) - 1].end)
        for n in starts
        if _matches(said[n : n + len(phrase)], phrase, wanted)
    ]


@functools.lru_cache(maxsize=256)
def _ascii_pattern(wanted: Words) -> re.Pattern[str]:
    """The same for text without accents, where it is far quicker: of long calls there is much to look at."""
    phrase = "[^a-z0-9]+".join(map(re.escape, words(wanted.text)))
    return re.compile(f"(?<![a-z0-9]){phrase}{'[a-z0-9]*' if wanted.prefix else '(?![a-z0-9])'}")


def _matches(said: Sequence[Word], phrase: Sequence[str], wanted: Words) -> bool:
    last = said[-1].folded.startswith(phrase[-1]) if wanted.prefix else said[-1].folded == phrase[-1]
    return last and all(one.folded == word for one, word in zip(said[:-1], phrase[:-1], strict=True))


def _shown(line: Line, hits: list[tuple[int, int]]) -> dict[str, Any]:
    start, end = _window(line.text, hits[0][0])
    parts: list[dict[str, Any]] = [{"text": "…", "hit": False}] if start else []
    at = start
    for hit_start, hit_end in hits:
        if hit_end <= at or hit_start >= end:
            continue
        parts.append({"text": line.text[at : max(at, hit_start)], "hit": False})
        parts.append({"text": line.text[max(at, hit_start) : min(hit_end, end)], "hit": True})
        at = min(hit_end, end)
    parts.append({"text": line.text[at:end] + ("…" if end < len(line.text) else ""), "hit": False})
    return {"speaker": line.speaker, "parts": [part for part in parts if part["text"]]}


def _window(text: str, hit: int) -> tuple[int, int]:
    """From a word's beginning, if there is one not far before the hit."""
    start = max(0, hit - _BEFORE)
    if start:
        start = text.find(" ", start, hit) + 1 or start
    return start, min(len(text), start + _LENGTH)
