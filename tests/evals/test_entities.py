"""Entities in what was said, however it was said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.evals.entities import read_entity
from voxgate.evals.numerals import in_digits, ordinals_in_digits


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("four seven one one", "4 7 1 1"),
        ("twenty three", "23"),
        ("forty seven eleven", "47 11"),
        ("one hundred and five people", "105 people"),
        ("one hundred and you", "100 and you"),
        ("three thousand five hundred twenty", "3520"),
        ("two thousand and six", "2006"),
        ("one million two hundred thousand", "1200000"),
        ("twenty twenty six", "20 26"),
        ("three point one four", "3.14"),
        ("the point is", "the point is"),
        ("oh seven oh", "0 7 0"),
        ("oh well", "oh well"),
        ("double five triple oh", "55 000"),
        ("double trouble", "double trouble"),
        ("ten twenty", "10 20"),
        ("two thousand three thousand", "2000 3000"),
        ("zero", "0"),
        ("5 oh 3", "5 0 3"),
    ],
)
def test_numbers_are_read_as_they_are_said(said: str, digits: str) -> None:
    assert " ".join(in_digits(said.split())) == digits


def test_ordinals_are_numbers() -> None:
    assert ordinals_in_digits(["the", "twenty", "first", "and", "3rd", "of", "fifth", "thirtieth"]) == [
        *("the", "21", "and", "3", "of", "5", "30"),
    ]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("4711", "number"),
        (42, "number"),
        (3.5, "number"),
        ("1,200", "number"),
        ("AB-1234", "id"),
        ("0171 2345", "id"),
        ("+49 30 1234", "id"),
        ("anna@example.com", "email"),
        ("2026-03-05", "date"),
        ("5 March", "date"),
        ("Anna Müller", "name"),
        ({"type": "id", "value": 4711}, "id"),
    ],
)
def test_the_kind_is_guessed_where_it_is_not_said(written: Any, kind: str) -> None:
    assert read_entity(written).kind == kind


@pytest.mark.parametrize(
    ("entity", "text"),
    [
        (42, "It costs forty-two euros."),
        (42, "It is 42."),
        ("1,200", "That is one thousand two hundred."),
        (3.5, "three point five degrees"),
        (4711, "Number four seven one one"),
        ("AB-1234", "Your order is A B one two three four."),
        ("AB-1234", "order ab1234, please"),
        ("AB-1234", "Alpha Bravo, twelve thirty-four"),
        ("0171 2345", "oh one seven one, two three four five"),
        ("AB-55", "a b double five"),
        ("anna.smith@example.com", "It is anna dot smith at example dot com."),
        ("anna.smith@example.com", "Write to Anna.Smith@example.com."),
        ("a_b7@example.com", "a underscore b seven at example dot com"),
        ("2026-03-05", "on March 5th, 2026"),
        ("2026-03-05", "the fifth of March"),
        ("2026-03-05", "the fifth of March twenty twenty-six"),
        ("2026-03-05", "2026-03-05"),
        ("2026-03-05", "05/03/2026"),
        ("2026-12-31", "December thirty-first"),
        ("5 March", "March fifth"),
        ("Anna Müller", "That is ANNA MULLER speaking"),
        ("O'Neill", "Mr. O’Neill, please"),
    ],
)
def test_what_was_said_right_is_found(entity: Any, text: str) -> None:
    assert read_entity(entity).is_in(text)


@pytest.mark.parametrize(
    ("entity", "text"),
    [
        (42, "It is 420 or 4.2 or 24."),
        (42, "forty twenty"),
        (5, "fifty five hundred"),
        ("AB-1234", "order AB-12345"),
        ("AB-1234", "order CAB 1234"),
        ("AB-1234", "A B one two three five"),
        ("anna.smith@example.com", "anna smith at example dot com"),
        ("anna@example.com", "joanna@example.com"),
        ("2026-03-05", "March 6th"),
        ("2026-03-05", "March 5th, 2025"),
        ("2026-03-05", "It may be 5."),
        ("Anna", "Joanna and Annabel"),
        ("Anna Müller", "Anna B. Müller"),
    ],
)
def test_what_was_said_wrong_is_not(entity: Any, text: str) -> None:
    assert not read_entity(entity).is_in(text)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"type": "place", "value": "x"}, "has a type"),
        ({"type": "date"}, "and a value"),
        ({"type": "date", "value": "soon"}, "is no date"),
        ({"type": "number", "value": "many"}, "is no number"),
        ("...", "nothing that could be said"),
        (None, "an entity is a text"),
        (True, "an entity is a text"),
    ],
)
def test_what_is_no_entity_is_refused(written: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_entity(written)


@given(st.integers(0, 999_999))
def test_every_number_is_found_as_digits_one_by_one(number: int) -> None:
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert read_entity(number).is_in("It is " + " ".join(names[int(digit)] for digit in str(number)))
    assert read_entity(number).is_in(f"It is {number:,}.")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_looked_for_in_any(wanted: str, text: str) -> None:
    try:
        entity = read_entity(wanted)
    except ValueError:
        return
    entity.is_in(text)
    if entity.kind == "name":
        assert entity.is_in(wanted)
