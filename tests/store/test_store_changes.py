"""Running calls grow by changes, one row each; whoever reads a session, or follows it, has the same trace."""

from __future__ import annotations

from typing import Any

from voxgate.store import Change, Store

SPAN: dict[str, Any] = {
    "id": "span_1",
    "parent_id": None,
    "type": "response",
    "name": "response",
    "start_ms": 10.0,
    "end_ms": None,
    "status": "in_progress",
    "error": None,
    "input": {"response_id": "r1"},
    "output": {"transcript": "one"},
    "usage": None,
    "cost_usd": None,
    "metrics": {},
    "attachments": [],
    "position": 4096,
}
ROW = {
    "id": "sess_1",
    "project": "shop",
    "model": "m",
    "provider": "openai",
    "status": "live",
    "started_at": "2026-11-22T18:00:00.000Z",
    "ended_at": None,
    "duration_ms": 1000.0,
    "turns": 1,
    "interruptions": 0,
    "cost_usd": None,
    "tags": [],
    "metadata": {},
    "credential_id": None,
    "title": "one",
    "delete_after": None,
    "audio_delete_after": None,
    "audio_deleted_at": None,
    "data": {"metrics": {"turns": 1}, "events": [{"t_ms": 1}], "errors": [], "items": [], "messages": 3},
}


def change(turns: int = 2, **body: Any) -> Change:
    counts = {
        "duration_ms": 1000.0 * turns,
        "turns": turns,
        "interruptions": 0,
        "cost_usd": 0.5,
        "title": "one",
    }
    return Change("sess_1", counts, {"row": counts, **body})


def begin(store: Store) -> None:
    store.save_trace(ROW, [SPAN])


def grow(store: Store) -> None:
    begin(store)
    more = {**SPAN, "id": "span_2", "start_ms": 10.0, "position": 4097}
    first = {
        "spans": [{"id": "span_1", "output": {"transcript": "one two"}}, more],
        "added": {"events": [{"t_ms": 2}]},
    }
    data = {"metrics": {"turns": 3}, "messages": 9}
    store.save_changes([change(2, **first)])
    store.save_changes([change(3, data=data, gone=["span_2"], added={"errors": [{"code": "a"}]})])


GROWN = {
    **{name: value for name, value in ROW.items() if name != "data"},
    "duration_ms": 3000.0,
    "turns": 3,
    "cost_usd": 0.5,
    "data": {
        "metrics": {"turns": 3},
        "events": [{"t_ms": 1}, {"t_ms": 2}],
        "errors": [{"code": "a"}],
        "items": [],
        "messages": 9,
    },
    "metrics": {"turns": 3},
    "errors": 1,
    "spans": [{**SPAN, "output": {"transcript": "one two"}}],
}


def without_revision(session: dict[str, Any] | None) -> dict[str, Any]:
    assert session is not None
    return {name: value for name, value in session.items() if name != "revision"}


def test_a_session_is_what_was_saved_and_all_changes_since(store: Store) -> None:
    grow(store)
    assert without_revision(store.get_session("sess_1")) == GROWN
    assert without_revision(store.get_session("sess_1", with_spans=False)) == {**GROWN, "spans": []}


def test_who_follows_a_session_gets_the_changes_since(store: Store) -> None:
    grow(store)
    revision, changes = store.session_changes("sess_1", 1)
    assert revision == 3
    assert changes is not None
    assert [one["row"]["turns"] for one in changes] == [2, 3]
    assert store.session_changes("sess_1", 2) == (3, changes[1:])
    assert store.session_changes("sess_1", 3) == (3, [])
    assert store.session_changes("sess_none", 3) == (None, [])


def test_a_whole_save_of_what_was_told_is_nothing_new_to_who_follows(store: Store) -> None:
    grow(store)
    told = {**GROWN, "data": {**GROWN["data"], "metrics": {"turns": 3}}}
    store.save_trace(told, GROWN["spans"], is_told=True)
    assert without_revision(store.get_session("sess_1")) == GROWN
    assert store.session_changes("sess_1", 3) == (3, [])
    revision, changes = store.session_changes("sess_1", 2)  # and who is late can catch up
    assert (revision, len(changes or [])) == (3, 1)
    store.save_changes([change(4, data={"messages": 10})])
    store.save_trace(told, GROWN["spans"], is_told=True)
    assert store.session_changes("sess_1", 2) == (4, None)
    assert store.session_changes("sess_1", 3)[0] == 4


def test_after_a_whole_save_of_something_else_the_whole_has_to_be_read(store: Store) -> None:
    grow(store)
    store.save_trace(ROW, [SPAN])
    assert store.session_changes("sess_1", 3) == (4, None)
    session = store.get_session("sess_1")
    assert session is not None
    assert (session["turns"], session["spans"]) == (1, [SPAN])


def test_saving_some_fields_keeps_what_the_changes_said(store: Store) -> None:
    grow(store)
    store.save_session({"id": "sess_1", "status": "failed"})
    assert without_revision(store.get_session("sess_1")) == {**GROWN, "status": "failed"}


def test_tags_that_people_give_meanwhile_break_nothing(store: Store) -> None:
    grow(store)
    assert store.edit_tags(["sess_1"], ["vip"], []) == ["sess_1"]
    assert store.session_changes("sess_1", 3) == (4, None)
    store.save_changes([change(4, data={"messages": 12})])
    session = store.get_session("sess_1")
    assert session is not None
    assert (session["tags"], session["turns"], session["data"]["messages"]) == (["vip"], 4, 12)
    assert session["spans"] == GROWN["spans"]


def test_lists_have_what_the_changes_say(store: Store) -> None:
    grow(store)
    (item,) = store.list_sessions(q="turns>=3 cost>0.4")[0]
    assert (item["duration_ms"], item["turns"], item["title"]) == (3000.0, 3, "one")


def test_calls_that_nobody_watches_tick_without_a_change_of_their_traces(store: Store) -> None:
    begin(store)
    store.save_counts(
        [{"id": "sess_1", "duration_ms": 5000.0, "turns": 4}, {"id": "no", "duration_ms": 1.0, "turns": 1}]
    )
    assert store.session_revision("sess_1") == 1
    (item,) = store.list_sessions(q="duration>4s")[0]
    assert (item["duration_ms"], item["turns"]) == (5000.0, 4)


def test_a_call_that_has_ended_does_not_go_on(store: Store) -> None:
    store.save_trace({**ROW, "status": "complete"}, [SPAN])
    before = store.get_session("sess_1")
    store.save_changes([change(7)])
    store.save_counts([{"id": "sess_1", "duration_ms": 9000.0, "turns": 9}])
    assert store.get_session("sess_1") == before
    assert store.session_changes("sess_1", 1) == (1, [])


def test_a_deleted_session_leaves_no_changes(store: Store) -> None:
    grow(store)
    store.delete_session("sess_1")
    store.save_changes([change(4)])
    begin(store)
    assert store.session_changes("sess_1", 0) == (1, None)
    assert store.session_changes("sess_1", 1) == (1, [])
