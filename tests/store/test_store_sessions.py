"""Sessions, spans, pages and projects."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from voxgate.core.errors import InvalidRequest
from voxgate.store import Store
from voxgate.store.search import NUMBER_BITS

TRACE = {
    "id": "sess_1",
    "project": "shop",
    "model": "gpt-realtime",
    "provider": "openai",
    "status": "complete",
    "started_at": "2026-11-22T18:00:00.000Z",
    "ended_at": "2026-11-22T18:00:42.500Z",
    "duration_ms": 42_500.0,
    "turns": 3,
    "interruptions": 1,
    "cost_usd": 0.0123,
    "tags": ["vip", "front desk"],
    "metadata": {"user_id": "u_7"},
    "credential_id": "cred_1",
    "title": "Grüße and a refund",
    "delete_after": "2026-12-22T18:00:00.000Z",
    "data": {
        "errors": [{"code": "a"}, {"code": "b"}],
        "metrics": {"v2v_p50": 480.5},
        "tracks": {"user": {"rate": 24000, "channels": 1, "bytes": 9}},
    },
}
DERIVED = {"metrics": {"v2v_p50": 480.5}, "errors": 2}
KEPT = {"audio_delete_after": None, "audio_deleted_at": None}
"""Not in lists."""
SPAN: dict[str, Any] = {
    "id": "span_1",
    "parent_id": None,
    "type": "response",
    "name": "gpt-realtime",
    "start_ms": 10.5,
    "end_ms": 20.0,
    "status": "failed",
    "error": {"message": "it failed"},
    "input": [{"role": "user"}],
    "output": "hello",
    "usage": {"total_tokens": 4},
    "cost_usd": 0.5,
    "metrics": {"ttfa_ms": 1},
    "attachments": [{"id": "att_1"}],
}


def ids(store: Store, **how: Any) -> list[str]:
    return [item["id"] for item in store.list_sessions(**how)[0]]


def test_a_trace_comes_back_as_it_was_saved(store: Store) -> None:
    store.save_trace(TRACE, [SPAN])
    spans = [{**SPAN, "position": 0}]
    assert store.get_session("sess_1") == {**TRACE, **DERIVED, **KEPT, "revision": 1, "spans": spans}


def many(count: int) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """As they come from the recorder."""
    return [
        ({**TRACE, "audio_delete_after": None, "id": f"sess_{n}"}, [{**SPAN, "id": f"span_{n}"}])
        for n in range(1, count + 1)
    ]


def assert_saved(store: Store, traces: list[Any]) -> None:
    assert sorted(ids(store, q="refund")) == sorted(ids(store)) == [row["id"] for row, _ in traces]
    for row, spans in traces:
        session = store.get_session(row["id"])
        assert session is not None
        assert {name: session[name] for name in row} == row
        assert [{**span, "position": 0} for span in spans] == session["spans"]


def test_traces_that_are_saved_together_come_back_as_they_were(store: Store) -> None:
    traces = many(5)
    store.save_traces(traces)
    assert_saved(store, traces)


def test_one_that_is_there_already_keeps_no_others_from_being_saved_with_it(store: Store) -> None:
    traces = many(4)
    before = {**traces[1][0], "title": "before"}
    store.save_trace(before, [{**SPAN, "id": "span_of_before"}])
    store.save_traces(traces)
    assert_saved(store, traces)
    revisions = [session["revision"] for row, _ in traces if (session := store.get_session(row["id"]))]
    assert revisions == [1, 2, 1, 1]


def test_two_that_want_the_same_place_in_lists_get_places_of_their_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.store.search._wanted_number", lambda start_ms, _: start_ms << NUMBER_BITS)
    traces = many(3)
    store.save_traces(traces[:1])
    store.save_traces(traces[1:])
    assert_saved(store, traces)


def test_a_session_can_be_read_without_its_spans(store: Store) -> None:
    store.save_trace(TRACE, [SPAN])
    session = store.get_session("sess_1", with_spans=False)
    assert session == {**TRACE, **DERIVED, **KEPT, "revision": 1, "spans": []}


def test_a_list_has_the_metrics_and_the_number_of_errors_but_not_all_data(store: Store) -> None:
    store.save_trace(TRACE, [SPAN])
    listed = {key: value for key, value in TRACE.items() if key != "data"}
    found = {"revision": 1, "excerpt": None, "wave": None, "tools": []}
    found |= {"endpoint": "realtime", "parent": None}
    assert store.list_sessions()[0] == [{**listed, **DERIVED, **found}]


@pytest.mark.parametrize(
    ("data", "errors"),
    [({}, None), ({"errors": 3}, 3), ({"errors": []}, 0), ({"metrics": {"errors": 4}}, 4)],
)
def test_errors_are_counted_or_unknown(store: Store, data: dict[str, Any], errors: int | None) -> None:
    store.save_session({"id": "sess_1", "data": data})
    assert store.list_sessions()[0][0]["errors"] == errors


def test_a_session_that_is_not_there_is_none(store: Store) -> None:
    assert store.get_session("sess_none") is None
    assert store.session_revision("sess_none") is None


def test_saving_some_fields_keeps_the_others(store: Store) -> None:
    store.save_session(TRACE)
    store.save_session({"id": "sess_1", "status": "failed", "project": None})
    assert store.get_session("sess_1") == {
        **TRACE,
        "status": "failed",
        **DERIVED,
        **KEPT,
        "revision": 2,
        "spans": [],
    }


def test_saving_spans_updates_those_and_keeps_the_rest(store: Store) -> None:
    store.save_trace(TRACE, [SPAN, {**SPAN, "id": "span_2"}])
    store.save_spans("sess_1", [{**SPAN, "id": "span_2", "output": "changed"}])
    session = store.get_session("sess_1")
    assert session is not None
    assert {span["id"]: span["output"] for span in session["spans"]} == {
        "span_1": "hello",
        "span_2": "changed",
    }


def test_a_rebuilt_trace_leaves_no_stale_spans(store: Store) -> None:
    store.save_trace(TRACE, [{**SPAN, "id": f"span_{n}"} for n in range(1200)])
    store.save_trace(TRACE, [{**SPAN, "id": "span_new"}])
    session = store.get_session("sess_1")
    assert session is not None
    assert [span["id"] for span in session["spans"]] == ["span_new"]


def test_unchanged_spans_are_written_only_if_they_are_missing(store: Store) -> None:
    first, second = SPAN, {**SPAN, "id": "span_2"}
    store.save_trace(TRACE, [first])
    store.save_trace(TRACE, [{**first, "output": "not written"}, second], {"span_1", "span_2"})
    session = store.get_session("sess_1")
    assert session is not None
    assert [(span["id"], span["output"]) for span in session["spans"]] == [
        ("span_1", "hello"),
        ("span_2", "hello"),
    ]


def test_spans_come_in_the_order_of_their_start_then_of_the_list(store: Store) -> None:
    starts = {"late": 9.0, "unknown": None, "parent": 0.0, "child": 0.0}
    store.save_trace(TRACE, [{**SPAN, "id": name, "start_ms": start} for name, start in starts.items()])
    session = store.get_session("sess_1")
    assert session is not None
    assert [span["id"] for span in session["spans"]] == ["parent", "child", "late", "unknown"]


def test_a_failed_save_of_a_trace_changes_nothing(store: Store) -> None:
    store.save_trace(TRACE, [SPAN])
    with pytest.raises(IntegrityError):
        store.save_trace({"id": "sess_1", "status": "failed"}, [{"id": "span_2", "type": None}])
    spans = [{**SPAN, "position": 0}]
    assert store.get_session("sess_1") == {**TRACE, **DERIVED, **KEPT, "revision": 1, "spans": spans}


def test_every_save_raises_the_revision(store: Store) -> None:
    store.save_session({"id": "sess_1"})
    seen = [store.session_revision("sess_1")]
    store.save_spans("sess_1", [SPAN])
    seen.append(store.session_revision("sess_1"))
    store.save_trace({"id": "sess_1"}, [])
    seen.append(store.session_revision("sess_1"))
    assert seen == [1, 2, 3]


def test_a_number_that_was_not_measurable_is_read_back_as_null(store: Store) -> None:
    store.save_session(
        {"id": "sess_1", "data": {"metrics": {"snr_db": float("nan"), "x": [float("inf"), 1.5]}}}
    )
    session = store.get_session("sess_1")
    assert session is not None
    assert session["data"] == {"metrics": {"snr_db": None, "x": [None, 1.5]}}


@pytest.mark.parametrize("value", [2**63, 2**80, -(2**70), 0.1, 1e300, "1" * 40, None, "ü"])
def test_a_value_is_read_back_as_it_was_however_long_its_digits(store: Store, value: Any) -> None:
    store.save_trace({"id": "sess_1"}, [{**SPAN, "output": {"n": [value]}}])
    session = store.get_session("sess_1")
    assert session is not None
    [found] = session["spans"][0]["output"]["n"]
    assert (found, type(found)) == (value, type(value))


def test_text_that_no_database_takes_is_saved_with_replacements(store: Store) -> None:
    store.save_trace({"id": "sess_1", "title": "a\ud800b\0c"}, [{**SPAN, "output": "\ud800 \0"}])
    session = store.get_session("sess_1")
    assert session is not None
    assert session["title"] == "a?b�c"
    assert session["spans"][0]["output"] == "? \0"


def test_moments_of_any_zone_are_listed_in_the_order_of_time(store: Store) -> None:
    for name, started in {
        "b": "2026-01-01T12:00:00+02:00",
        "a": "2026-01-01T09:59:59.9Z",
        "c": "2026-01-01T10:00:01",
    }.items():
        store.save_session({"id": name, "started_at": started})
    assert ids(store) == ["c", "b", "a"]
    assert store.list_sessions()[0][1]["started_at"] == "2026-01-01T10:00:00.000Z"


def test_deleting_a_session_takes_its_spans_and_tags_along(store: Store) -> None:
    store.save_trace(TRACE, [SPAN])
    assert store.delete_session("sess_1") is True
    assert store.delete_session("sess_1") is False
    store.save_session({"id": "sess_1"})
    assert store.get_session("sess_1")["spans"] == []  # type: ignore[index]
    assert ids(store, q="tag:vip") == []


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "e30", "WzEsMl0", "WyJhIl0", "ünï", "W1tbW1tb"])
def test_a_made_up_cursor_names_the_parameter(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        store.list_sessions(cursor=cursor)
    assert caught.value.param == "cursor"
