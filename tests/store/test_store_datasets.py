"""Data sets keep every version of their cases as it was, in both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from voxgate.core.errors import InvalidRequest
from voxgate.store import Saved, Store


def case(case_id: str, text: str = "hello", **more: Any) -> dict[str, Any]:
    given = {"input": {"kind": "text", "text": text}, "expected": {}, "metadata": {}, "tags": []}
    return {"id": case_id, **given, "session_id": None, "span_id": None, **more}


def cases_of(store: Store, dataset_id: str, version: int, limit: int = 100) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        page, cursor = store.list_cases(dataset_id, version, limit=limit, cursor=cursor)
        items += page
        if cursor is None:
            return items


def texts(store: Store, dataset_id: str, version: int, limit: int = 100) -> dict[str, str]:
    return {one["id"]: one["input"]["text"] for one in cases_of(store, dataset_id, version, limit)}


@pytest.fixture
def refunds(store: Store) -> str:
    made = store.add_dataset({"project": "shop", "name": "refunds"})
    assert made is not None
    return str(made["id"])


def test_a_data_set_is_read_as_it_was_saved(store: Store) -> None:
    saved = store.add_dataset({"project": "shop", "name": "a", "description": "b\0", "metadata": {"c": 1}})
    assert saved is not None
    assert (saved["description"], saved["metadata"], saved["version"], saved["cases"]) == (
        "b�",
        {"c": 1},
        0,
        0,
    )
    assert store.get_dataset(saved["id"]) == saved
    assert store.get_dataset("dataset_none") is None


def test_a_name_is_given_once_in_a_project(store: Store, refunds: str) -> None:
    assert store.add_dataset({"project": "shop", "name": "refunds"}) is None
    other = store.add_dataset({"project": "else", "name": "refunds"})
    assert other is not None
    second = store.add_dataset({"project": "shop", "name": "b"})
    assert second is not None
    with pytest.raises(ValueError, match="refunds"):
        store.edit_dataset(second["id"], {"name": "refunds"})
    edited = store.edit_dataset(second["id"], {"name": "c", "metadata": {"x": 1}})
    assert edited is not None
    assert (edited["name"], edited["metadata"]) == ("c", {"x": 1})


def test_data_sets_are_listed_newest_first_by_project_and_name(store: Store) -> None:
    for name in "abc":
        store.add_dataset({"project": "shop", "name": name})
    store.add_dataset({"project": "else", "name": "a"})
    first, cursor = store.list_datasets(project="shop", limit=2)
    rest, end = store.list_datasets(project="shop", limit=2, cursor=cursor)
    assert sorted(row["name"] for row in first + rest) == ["a", "b", "c"]
    assert (len(first), len(rest), end) == (2, 1, None)
    assert {row["project"] for row in store.list_datasets(name="a")[0]} == {"shop", "else"}


def test_a_version_stays_as_it_was_whatever_comes_after_it(store: Store, refunds: str) -> None:
    assert store.save_cases(refunds, [case("a"), case("b")]) == Saved(1, ["a", "b"])
    assert store.save_cases(refunds, [case("b", "changed"), case("c")]) == Saved(2, ["b", "c"])
    assert store.delete_cases(refunds, ["a", "none"]) == Saved(3, ["a"])
    assert store.save_cases(refunds, [case("a", "again")]) == Saved(4, ["a"])
    assert texts(store, refunds, 1) == {"a": "hello", "b": "hello"}
    assert texts(store, refunds, 2) == {"a": "hello", "b": "changed", "c": "hello"}
    assert texts(store, refunds, 3) == {"b": "changed", "c": "hello"}
    assert texts(store, refunds, 4) == {"b": "changed", "c": "hello", "a": "again"}
    assert store.get_case(refunds, "b", 1) == case("b")
    assert store.get_case(refunds, "a", 3) is None
    saved = store.get_dataset(refunds)
    assert saved is not None
    assert (saved["version"], saved["cases"]) == (4, 3)


def test_the_versions_say_what_became_of_their_cases(store: Store, refunds: str) -> None:
    store.save_cases(refunds, [case("a"), case("b")], "ann")
    store.save_cases(refunds, [case("b", "changed"), case("c")], "bob")
    store.delete_cases(refunds, ["a"])
    found, _ = store.dataset_versions(refunds)
    keys = ("version", "cases", "added", "changed", "deleted", "created_by")
    assert [tuple(row[key] for key in keys) for row in found] == [
        (3, 2, 0, 0, 1, ""),
        (2, 3, 1, 1, 0, "bob"),
        (1, 2, 2, 0, 0, "ann"),
    ]
    newest, cursor = store.dataset_versions(refunds, limit=1)
    assert [row["version"] for row in newest] == [3]
    assert [row["version"] for row in store.dataset_versions(refunds, cursor=cursor)[0]] == [2, 1]


def test_a_changed_case_keeps_its_place_and_costs_one_row(store: Store, refunds: str) -> None:
    store.save_cases(refunds, [case(name) for name in "cab"])
    store.save_cases(refunds, [case("a", "changed"), case("c")])
    assert list(texts(store, refunds, 2)) == ["c", "a", "b"]
    assert store.dataset_versions(refunds)[0][0]["changed"] == 1


def test_what_is_saved_as_it_is_makes_no_version(store: Store, refunds: str) -> None:
    store.save_cases(refunds, [case("a", metadata={"x": 1, "y": 2.0})])
    assert store.save_cases(refunds, [case("a", metadata={"y": 2.0, "x": 1})]) == Saved(1, ["a"])
    assert store.delete_cases(refunds, ["none"]) == Saved(1, [])
    assert len(store.dataset_versions(refunds)[0]) == 1


@pytest.mark.parametrize("apart", [0, 600])
def test_an_id_that_is_there_twice_is_refused_with_all_of_the_cases(
    store: Store, refunds: str, apart: int
) -> None:
    between = [case(f"x{number}") for number in range(apart)]
    with pytest.raises(InvalidRequest, match="two cases 'a'"):
        store.save_cases(refunds, [case("a"), *between, case("a", "other")])
    saved = store.get_dataset(refunds)
    assert saved is not None
    assert (saved["version"], cases_of(store, refunds, 1)) == (0, [])


def test_nothing_can_be_saved_in_a_data_set_that_is_not_there(store: Store) -> None:
    assert store.save_cases("dataset_none", [case("a")]) is None
    assert store.delete_cases("dataset_none", ["a"]) is None
    assert not store.add_dataset_blob("dataset_none", {"id": "b", "content_type": "x", "size_bytes": 1})


def test_pages_of_a_version_are_in_order_and_changes_meanwhile_are_not_in_them(
    store: Store, refunds: str
) -> None:
    store.save_cases(refunds, (case(f"case {number:04}") for number in range(1200)))
    page, cursor = store.list_cases(refunds, 1, limit=500)
    store.save_cases(refunds, [case("case 0700", "changed"), case("another")])
    store.delete_cases(refunds, ["case 0900"])
    while cursor is not None:
        more, cursor = store.list_cases(refunds, 1, limit=500, cursor=cursor)
        page += more
    assert [one["id"] for one in page] == [f"case {number:04}" for number in range(1200)]
    assert page[700]["input"]["text"] == "hello"


def test_changes_at_once_follow_one_another(store: Store, refunds: str) -> None:
    def save(letter: str) -> None:
        for number in range(5):
            store.save_cases(refunds, [case(f"{letter}{number}")])

    threads = [threading.Thread(target=save, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    saved = store.get_dataset(refunds)
    assert saved is not None
    assert (saved["version"], saved["cases"]) == (15, 15)
    for version in range(1, 16):
        assert len(cases_of(store, refunds, version)) == version


def test_blobs_are_known_by_their_data_set(store: Store, refunds: str) -> None:
    row = {"id": "b1", "content_type": "audio/wav", "size_bytes": 10, "duration_ms": 5.0}
    assert store.add_dataset_blob(refunds, row)
    assert store.add_dataset_blob(refunds, row | {"content_type": "other"})
    found = store.get_dataset_blob(refunds, "b1")
    assert found is not None
    assert (found["content_type"], found["duration_ms"]) == ("audio/wav", 5.0)
    assert store.missing_blobs(refunds, {"b1", "b2", "b3"}) == {"b2", "b3"}
    assert store.get_dataset_blob("dataset_none", "b1") is None


def test_a_deleted_data_set_leaves_nothing(store: Store, refunds: str) -> None:
    store.save_cases(refunds, [case("a")])
    store.add_dataset_blob(refunds, {"id": "b1", "content_type": "audio/wav", "size_bytes": 10})
    assert store.delete_dataset(refunds)
    assert not store.delete_dataset(refunds)
    assert cases_of(store, refunds, 1) == []
    assert store.dataset_versions(refunds) == ([], None)
    assert store.get_dataset_blob(refunds, "b1") is None
    assert store.add_dataset({"project": "shop", "name": "refunds"}) is not None


@pytest.mark.parametrize("cursor", ["x", "WyJhIl0"])
def test_a_cursor_that_was_not_given_out_is_refused(store: Store, refunds: str, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        store.list_cases(refunds, 1, cursor=cursor)
