"""Arguments of tools, compared by what they say."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.evals.arguments import by_argument, canonical, is_same, is_within, parsed, similarity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": 2}', '{ "b": 2.0, "a": 1 }'),
        ({"a": [1.0, " x "]}, {"a": [1, "x"]}),
        ("", "{}"),
        (None, {}),
        ("not json ", "not json"),
        ({"a": 0.1 + 0.2}, {"a": 0.1 + 0.2}),
    ],
)
def test_the_same_arguments_have_one_text(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1}, {"a": "1"}), ({"a": True}, {"a": 1}), ({"a": None}, {}), ({"a": 1}, {"a": 1.5})],
)
def test_other_arguments_have_another(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)
    assert not is_same(one, other)


def test_what_is_no_json_stays_text() -> None:
    assert parsed("[1, 2") == "[1, 2"
    assert parsed("[1, 2]") == [1, 2]
    assert parsed('"x"') == "x"


def test_a_subset_has_what_is_wanted_all_the_way_down() -> None:
    given = {"city": "Paris", "when": {"day": 3, "hour": 10}, "tags": ["a", {"b": 1, "c": 2}]}
    assert is_within({"when": {"day": 3.0}}, given)
    assert is_within({"tags": ["a", {"b": 1}]}, given)
    assert not is_within({"tags": ["a"]}, given)
    assert not is_within({"when": {"minute": 0}}, given)
    assert not is_within({"city": {"name": "Paris"}}, given)
    assert is_within({}, {})


def test_likeness_is_said_of_each_argument() -> None:
    found = by_argument({"city": "Paris", "days": 3, "unit": "C"}, {"city": "paris", "days": 4, "more": 1})
    assert found == {"city": 1.0, "days": 0.0, "more": 0.0, "unit": 0.0}
    assert similarity({"city": "Paris", "days": 3}, {"city": "Parts", "days": 3}) == pytest.approx(0.9)
    assert similarity(["a", "b"], ["a"]) == 0.5
    assert similarity({}, {}) == similarity([], []) == 1.0
