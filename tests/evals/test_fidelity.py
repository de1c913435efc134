"""What should be heard beside what was."""

from __future__ import annotations

import pytest

from voxgate.evals.fidelity import Block, compare_words


def differences(wanted: str, heard: str) -> list[tuple[str, str]]:
    return [(one.wanted, one.heard) for one in compare_words(wanted, heard).blocks]


def wrong(wanted: str, heard: str) -> list[tuple[str, str]]:
    return [(one.wanted, one.heard) for one in compare_words(wanted, heard).wrong_entities]


def test_other_numbers_and_names_are_named() -> None:
    wanted, heard = "Your order 42 ships on Monday to Paris.", "your order 40 ships on Sunday to Paris"
    assert differences(wanted, heard) == wrong(wanted, heard) == [("42", "40"), ("monday", "sunday")]
    found = compare_words(wanted, heard)
    assert (found.words, found.errors, found.entities) == (8, 2, 3)


@pytest.mark.parametrize(
    ("wanted", "heard", "entities"),
    [
        ("Call Mrs Özdemir at 555-0123.", "call misses Ozdemir at five five five zero one two three", 2),
        ("The code is AB12.", "the code is A B 12", 1),
        ("I like Anna Maria.", "i like Hannah Maria", 1),
        ("It is May 3rd.", "it is may third", 2),
        ("That one is fine, I think. Good.", "that one is fine I think good", 0),
        ("Wait a second.", "wait a second", 0),
    ],
)
def test_numbers_and_names_are_heard_however_they_are_spelt(wanted: str, heard: str, entities: int) -> None:
    assert wrong(wanted, heard) == []
    assert compare_words(wanted, heard).entities == entities


@pytest.mark.parametrize(
    ("wanted", "heard", "missed"),
    [
        ("It costs $42.", "it costs 142 dollars", ("42", "142")),
        ("It costs $42.", "it costs dollars", ("42", "")),
        ("The code is AB12.", "the code is A B 21", ("ab12", "a b 21")),
        ("Call Mr Smith.", "call mister Jones", ("smith", "jones")),
        ("It has 2 doors.", "it has 3 doors", ("2", "3")),
    ],
)
def test_what_is_not_heard_is_wrong(wanted: str, heard: str, missed: tuple[str, str]) -> None:
    assert wrong(wanted, heard) == [missed]


def test_a_difference_stands_at_its_words() -> None:
    found = compare_words("one day a small model lived here", "one day a model dwelt here now")
    assert [(one.first, one.last) for one in found.blocks] == [(3, 4), (5, 6), (7, 7)]
    assert found.errors == 3


def test_the_end_of_what_was_cut_does_not_count() -> None:
    assert compare_words("we will go to the", "we will go", is_cut=True).errors == 0
    assert compare_words("we will go", "we will go to th", is_cut=True).errors == 0
    assert compare_words("we will go to", "you will go too", is_cut=True).blocks == (
        Block(0, 1, "we", "you"),
    )
    assert compare_words("we will go to the", "we will go").errors == 2


def test_nothing_is_compared_with_nothing() -> None:
    assert compare_words("", "") == compare_words("...", "?", is_cut=True)
    assert compare_words("", "hello").errors == 1
    assert compare_words("hello there", "").errors == 2
