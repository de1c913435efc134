"""Sentences, pieces of audio with their words, and the pace at which they leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.providers.local.answering import Pace
from voxgate.providers.local.speech import CHUNK_MS, Sentences, pieces_of


def test_sentences_come_as_soon_as_they_are_whole() -> None:
    sentences = Sentences()
    assert sentences.push("Hello there. How ") == ["Hello there. "]
    assert sentences.push("are you? ") == []
    assert sentences.push("I am Dr. Who! Bye") == ["How are you? ", "I am Dr. Who! "]
    assert sentences.rest() == ["Bye"]
    assert sentences.rest() == []


@given(st.lists(st.text(alphabet="ab.!? \n,", max_size=12), max_size=40))
def test_no_word_is_lost_between_sentences(pieces: list[str]) -> None:
    sentences = Sentences()
    whole = [sentence for piece in pieces for sentence in sentences.push(piece)]
    assert "".join([*whole, *sentences.rest()]).strip() == "".join(pieces).strip()


@given(
    st.text(alphabet="abc ,.", min_size=1, max_size=120),
    st.integers(0, 24_000 * 4),
    st.sampled_from(["audio/pcm", "audio/pcmu"]),
)
def test_pieces_hold_all_words_and_all_audio(sentence: str, size: int, format_type: str) -> None:
    pieces = list(pieces_of(sentence, np.zeros(size, np.int16), format_type))
    assert "".join(piece.words for piece in pieces) == sentence
    per_ms = 48 if format_type == "audio/pcm" else 8
    assert sum(len(piece.audio) for piece in pieces) == pytest.approx(size * per_ms / 24, abs=2)
    assert all(piece.duration_ms <= CHUNK_MS for piece in pieces)


def test_words_go_with_the_audio_that_speaks_them() -> None:
    pieces = list(pieces_of("one two three four five six.", np.zeros(24_000 * 2, np.int16), "audio/pcm"))
    assert pieces[0].words.startswith("one")
    assert sum(bool(piece.words) for piece in pieces) >= 5
    assert pieces[-1].words in {"", " six."}


def test_a_burst_goes_at_once_and_the_rest_at_a_multiple_of_real_time() -> None:
    now = 0.0
    pace = Pace(burst_ms=1000, pace=4.0, clock=lambda: now)
    waits = []
    for _ in range(15):
        wait = pace.delay_seconds(200)
        waits.append(wait)
        now += wait
    assert waits[:5] == [0.0] * 5
    assert sum(waits) == pytest.approx((15 * 0.2 - 1.0) / 4)
