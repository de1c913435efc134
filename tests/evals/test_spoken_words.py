"""Numbers and signs are the same however they are written, and what is none stays as it is."""

from __future__ import annotations

import pytest

from voxgate.evals.spoken_words import spoken_words


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        (["25", "twenty-five", "Twenty five", "two five", "2 5", "25th", "twenty fifth"], ["25"]),
        (["105", "one hundred and five", "a hundred five"], ["105"]),
        (["2024", "two thousand twenty four", "twenty twenty-four", "2,024", "20 24"], ["2024"]),
        (["1000000", "1 million", "one million", "a million", "1,000,000"], ["1000000"]),
        (["3400", "three thousand four hundred", "thirty-four hundred"], ["3400"]),
        (["at 5:30", "at five thirty"], ["at", "530"]),
        (["555-0123", "five five five zero one two three", "5550123"], ["5550123"]),
        (["$42", "42 dollars", "forty-two dollars"], ["42", "dollars"]),
        (
            ["$42.50.", "$42.50", "forty two dollars and fifty cents", "42 dollars 50 cents"],
            ["42", "dollars", "50", "cents"],
        ),
        (["$5 and a man", "five dollars and a man"], ["5", "dollars", "and", "a", "man"]),
        (["50%", "fifty percent", "50 percent"], ["50", "percent"]),
        (["Mr. Jones", "mister Jones"], ["mr", "jones"]),
        (["one and two", "1 and 2"], ["1", "and", "2"]),
        (["seven hundred and", "700 and"], ["700", "and"]),
        (["a man and a hundred", "a man and 100"], ["a", "man", "and", "100"]),
        (["zero", "0"], ["0"]),
        (["4K", "4k"], ["4k"]),
        (["", "?!"], []),
    ],
)
def test_what_is_the_same_number_is_the_same_words(ways: list[str], words: list[str]) -> None:
    for way in ways:
        assert spoken_words(way) == words, way


def test_other_numbers_are_other_words() -> None:
    found = [
        spoken_words(one)[0] for one in ("fifteen", "fifty", "five hundred", "five thousand", "150", "115")
    ]
    assert len(set(found)) == 6
