"""Scores are kept with their session, found by it and go with it, in both databases."""

from __future__ import annotations

import pytest

from voxgate.core.errors import InvalidRequest
from voxgate.store import Store

HUMAN = {"name": "rating", "source": "human", "author": "ann"}


def add(store: Store, session_id: str, name: str, value: float | None, **more: object) -> None:
    row = {"name": name, "value": value, "source": "code", "author": "x"} | more
    assert store.add_score(session_id, row) is not None


@pytest.fixture
def scored(store: Store) -> Store:
    for session_id in ("sess_a", "sess_b", "sess_c"):
        store.save_session({"id": session_id})
    add(store, "sess_a", "wer", 0.1)
    add(store, "sess_a", "wer", 0.3, span_id="span_1")
    add(store, "sess_b", "wer", 0.9)
    add(store, "sess_b", "Task.Done", None, label="fail")
    return store


def found(store: Store, q: str) -> set[str]:
    return {row["id"] for row in store.list_sessions(q=q)[0]}


def test_a_score_is_read_as_it_was_saved(store: Store) -> None:
    store.save_session({"id": "sess_1"})
    evidence = [{"span_id": None, "start_ms": 1.5, "end_ms": 2.0}]
    row = HUMAN | {"value": 4.0, "comment": "good\0", "evidence": evidence, "details": {"expected": "x"}}
    saved = store.add_score("sess_1", row)
    assert saved is not None
    assert saved["comment"] == "good�"
    assert (saved["evidence"], saved["details"], saved["span_id"]) == (evidence, {"expected": "x"}, None)
    assert store.scores_of("sess_1") == [saved]


def test_a_session_that_is_not_there_takes_no_score(store: Store) -> None:
    assert store.add_score("sess_none", HUMAN) is None


def test_replacing_forgets_only_what_the_same_author_said_of_the_same(store: Store) -> None:
    store.save_session({"id": "sess_1"})
    for value, more in ((1, {}), (2, {"author": "bob"}), (3, {"span_id": "s"}), (4, {"name": "other"})):
        store.add_score("sess_1", HUMAN | {"value": value} | more, replace=True)
    store.add_score("sess_1", HUMAN | {"value": 5}, replace=True)
    assert [score["value"] for score in store.scores_of("sess_1")] == [2, 3, 4, 5]


def test_scores_go_with_their_session_but_not_with_a_trace_that_is_built_again(scored: Store) -> None:
    scored.save_trace({"id": "sess_a", "status": "complete"}, [])
    assert len(scored.scores_of("sess_a")) == 2
    scored.delete_session("sess_a")
    scored.save_session({"id": "sess_a"})
    assert scored.scores_of("sess_a") == []


def test_a_score_is_deleted_in_its_own_session_only(scored: Store) -> None:
    score_id = scored.scores_of("sess_b")[0]["id"]
    assert not scored.delete_score("sess_a", score_id)
    assert scored.delete_score("sess_b", score_id)
    assert [score["name"] for score in scored.scores_of("sess_b")] == ["Task.Done"]


def test_lists_show_the_mean_of_each_name(scored: Store) -> None:
    means = scored.mean_scores(["sess_a", "sess_b", "sess_c"])
    assert means == {"sess_a": {"wer": pytest.approx(0.2)}, "sess_b": {"wer": 0.9}}
    assert scored.mean_scores([]) == {}


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("score.wer<0.2", "a"),
        ("score.wer>0.2", "ab"),
        ("SCORE.wer:0.9", "b"),
        ("not score.wer>0.2", "c"),
        ("score.wer!=0.9", "ac"),
        ("has:score.Task.Done", "b"),
        ("not has:score.wer", "c"),
        ("score.WER>0", ""),
        ("score.wer>0 -score.wer<0.2", "b"),
    ],
)
def test_a_filter_finds_sessions_by_their_scores(scored: Store, q: str, expected: str) -> None:
    assert found(scored, q) == {f"sess_{letter}" for letter in expected}


@pytest.mark.parametrize(("order", "expected"), [("desc", "bac"), ("asc", "abc")])
def test_lists_are_sorted_by_a_score_page_by_page(scored: Store, order: str, expected: str) -> None:
    letters, cursor = "", None
    while True:
        page, cursor = scored.list_sessions(sort="score.wer", order=order, limit=1, cursor=cursor)
        letters += "".join(row["id"].removeprefix("sess_") for row in page)
        if cursor is None:
            break
    assert letters == expected


def test_pairs_are_of_the_same_span_and_of_people_and_others(scored: Store) -> None:
    scored.add_score("sess_b", {"name": "wer", "value": 1.0, "source": "human"})
    (pair,) = scored.judged_pairs()
    assert (pair["session_id"], pair["human_value"], pair["other_value"]) == ("sess_b", 1.0, 0.9)
    assert scored.judged_pairs(name="other") == scored.judged_pairs(project="nobody's") == []


@pytest.mark.parametrize("q", ["score.wer:many", "score:1", "score.wer>"])
def test_a_wrong_filter_for_scores_is_refused(store: Store, q: str) -> None:
    with pytest.raises(InvalidRequest):
        store.list_sessions(q=q)
