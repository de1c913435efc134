"""From words to timed pieces: sentences for the voice, audio cut into pieces with the words they speak."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from voxgate.providers.local.formats import RATES, Samples, encode
from voxgate.providers.local.voices import RATE

CHUNK_MS = 200
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)]*\s+(?=\S)")
_NO_END = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St|No|vs|etc|e\.g|i\.e|[A-Z])\.\s*$")
_LONGEST = 300


@dataclass(frozen=True)
class Piece:
    """Some audio in the output format and the words that begin in it (often none)."""

    words: str
    audio: bytes
    duration_ms: int


class Sentences:
    """Gathers words as they come; gives out whole sentences as early as they are whole."""

    def __init__(self) -> None:
        self._pending = ""

    def push(self, words: str) -> list[str]:
        self._pending += words
        whole, start = [], 0
        for match in _SENTENCE_END.finditer(self._pending):
            if not _NO_END.search(self._pending[start : match.end()]):
                whole.append(self._pending[start : match.end()])
                start = match.end()
        self._pending = self._pending[start:]
        if len(self._pending) > _LONGEST and ", " in self._pending:
            clause, self._pending = self._pending.rsplit(", ", 1)
            whole.append(clause + ", ")
        return whole

    def rest(self) -> list[str]:
        pending, self._pending = self._pending, ""
        return [pending] if pending.strip() else []


def pieces_of(sentence: str, samples: Samples, format_type: str) -> Iterator[Piece]:
    """The words are spread over the audio by their letters, which is close enough to cut a transcript by."""
    rate = RATES[format_type]
    if rate != RATE:
        samples = np.asarray(soxr.resample(samples, RATE, rate), np.int16)
    words = re.findall(r"\s*\S+|\s+$", sentence)
    size = CHUNK_MS * rate // 1000
    said = 0
    for start in range(0, max(len(samples), 1), size):
        chunk = samples[start : start + size]
        last = start + size >= len(samples)
        due = sentence if last else sentence[: len(sentence) * start // len(samples) + 1]
        text = _through(words, len(due))
        yield Piece(text[said:], encode(format_type, chunk), len(chunk) * 1000 // rate)
        said = len(text)


def _through(words: list[str], characters: int) -> str:
    """The whole words of which at least the first letter is within so many characters."""
    text = ""
    for word in words:
        if len(text) >= characters:
            break
        text += word
    return text
