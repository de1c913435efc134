"""Words compared: how they are normalised, and where they differ."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.evals.wording import Difference, align, likeness, normalised, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello world"),
        ("It’s O'Neill's — isn`t it?", "it's o'neill's isn't it"),
        ("3,500.50 euros at 10:30.", "3500.50 euros at 10:30"),
        ("1,2 and 1,234,567", "1,2 and 1234567"),
        ("ＦＵＬＬ　ＷＩＤＴＨ ３", "full width 3"),
        ("rock 'n' roll", "rock n roll"),
        ("  a\n\tb  ", "a b"),
        ("GROẞE Straße", "grosse strasse"),
        ("naïve café", "naïve café"),
        ("... --- !!!", ""),
        ("天気は、どう？", "天気は どう"),
    ],
)
def test_words_are_normalised_the_same_way_however_they_are_written(text: str, expected: str) -> None:
    assert normalised(text) == expected
    assert normalised(expected) == expected


def test_the_differences_have_their_places() -> None:
    found = align(words("one two three four five six"), words("uno two three five six seven"))
    assert found.differences == (
        Difference("substitute", (0, 1), (0, 1)),
        Difference("delete", (3, 4), (3, 3)),
        Difference("insert", (6, 6), (5, 6)),
    )
    assert [found.count(kind) for kind in ("substitute", "delete", "insert")] == [1, 1, 1]
    assert found.rate == 3 / 6
    assert found.confusions() == [("one", "uno", 1), ("four", "", 1), ("", "seven", 1)]


def test_nothing_is_compared_too() -> None:
    assert (align([], []).rate, align([], ["a"]).rate, align(["a", "b"], []).rate) == (0, 1, 1)
    assert align(["a", "b"], []).count("delete") == 2
    assert (likeness("", ""), likeness("a", ""), likeness("Paris", "Parts")) == (1, 0, 0.8)


def test_a_token_is_one_whatever_is_in_it() -> None:
    assert align(["new york", "a"], ["new york", "b"]).errors == 1


_WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, max_size=12)


@given(_WORDS, _WORDS)
def test_the_rate_is_jiwers(wanted: list[str], said: list[str]) -> None:
    assert align(wanted, said).rate == pytest.approx(jiwer.wer(" ".join(wanted), " ".join(said)))


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_between_nothing_and_the_same(one: str, other: str) -> None:
    assert 0 <= likeness(one, other) <= 1
    assert (likeness(one, other) == 1) == (one == other)


@given(st.text(max_size=60))
def test_what_is_normalised_stays_as_it_is(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
