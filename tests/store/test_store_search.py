"""Searching sessions: what a filter finds, in which order, page by page, and what is shown of it."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.filters import random_filter, random_session
from voxgate.core.clock import iso_utc, now_utc
from voxgate.core.errors import InvalidRequest
from voxgate.store import Store
from voxgate.store.places import SORTS

few_examples = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
random_examples = settings(few_examples, max_examples=50)


def ids(store: Store, q: str = "", **how: Any) -> list[str]:
    return [item["id"] for item in store.list_sessions(q=q, **how)[0]]


def trace(session_id: str = "sess_1", **fields: Any) -> dict[str, Any]:
    row = {"id": session_id, "started_at": "2026-11-22T18:00:00.000Z", "status": "complete", "data": {}}
    return row | fields


def user(text: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"span_{text}", "type": "user", "input": {"transcript": text}, **fields}


def assistant(text: str) -> dict[str, Any]:
    return {"id": f"span_{text}", "type": "response", "output": {"transcript": text}}


def tool(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"span_{name}", "type": "tool", "name": name, **fields}


def clear(store: Store) -> None:
    for item in store.list_sessions(limit=500)[0]:
        store.delete_session(item["id"])


# What is found


def test_the_database_finds_what_plain_python_finds(store: Store) -> None:
    random = Random(7)
    sessions = [random_session(random, f"sess_{n:02}") for n in range(16)]
    for session in sessions:
        store.save_trace(session.row, session.spans)
    now, some = now_utc(), 0
    for _ in range(250):
        wanted = random_filter(random)
        expected = {session.row["id"] for session in sessions if session.passes(wanted, now)}
        assert set(ids(store, str(wanted))) == expected, str(wanted)
        some += 0 < len(expected) < len(sessions)
    assert some > 80  # most filters tell sessions apart


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", True),
        ("refund", True),
        ("REFUNDS", False),
        ("refun*", True),
        ("a please", True),
        ('"refund please"', True),
        ('"please refund"', False),
        ('"please sure"', False),
        ("gruße", True),
        ("title:refund", False),
        ("title:grüße", True),
        ("user_said:refund", True),
        ("assistant_said:refund", False),
        ("assistant_said:sure", True),
        ("get_weather", True),
        ("tool:get_weather", True),
        ("tool:get_*", True),
        ("tool:weather", False),
        ("error:rate_limit_exceeded", True),
        ("error:invalid_request_error", True),
        ("error:1011", True),
        ("error:mcp_call_failed", True),
        ("error:nothing", False),
        ("has:error", True),
        ("has:cost", False),
        ("cost>0", False),
        ("cost<=0", False),
        ("not cost>0", True),
        ("user:42", True),
        ('tag:"front desk"', True),
        ("tag:front", False),
        ("tag:front*", True),
        ("v2v>800ms", True),
        ("v2v<800ms", False),
        ("missed_last_turn:1", True),
        ("snr_db>0", False),
        ("started:2026-11-22", True),
        ("started:2026-11", True),
        ("started>2026-11-22", False),
        ("started>=2026-11-22", True),
        ("started<=2026-11-22T18:00", True),
        ("last:1h", False),
        ("refund cost>0 or tag:vip", True),
        ("refund (cost>0 or tag:vip)", True),
        ("-refund or -tag:vip", False),
        ("id:sess_1", True),
        ("project:default", True),
    ],
)
def test_the_filter_finds(store: Store, q: str, found: bool) -> None:
    errors = [
        {"type": "invalid_request_error", "code": "rate_limit_exceeded"},
        {"type": "closed", "code": 1011},
    ]
    metrics = {"v2v_p50": 850.5, "snr_db": float("nan"), "missed_last_turn": True}
    row = trace(
        title="Grüße!",
        tags=["vip", "front desk"],
        metadata={"user_id": 42},
        data={"errors": errors, "metrics": metrics},
    )
    broken = tool("get_weather", error={"type": "mcp_call_failed"})
    store.save_trace(row, [user("I want a refund, please."), broken, assistant("Sure.")])
    assert ids(store, q) == (["sess_1"] if found else [])


def test_the_project_narrows_the_filter(store: Store) -> None:
    store.save_session(trace(project="shop", tags=["vip"]))
    assert ids(store, "tag:vip", project="shop") == ["sess_1"]
    assert ids(store, "tag:vip or status:complete", project="other") == []


def test_one_of_a_list_is_not_made_of_two(store: Store) -> None:
    store.save_session(trace(tags=["a", "b", "c\nd"]))
    assert ids(store, 'tag:"a\nb"') == []
    assert ids(store, 'tag:"c d"') == ids(store, 'tag:"c\nd"') == ["sess_1"]


def test_words_of_a_running_call_are_found_and_all_of_them_at_its_end(store: Store) -> None:
    store.save_trace(trace(status="live"), [user("first")])
    assert ids(store, "first status:live") == ["sess_1"]
    store.save_trace(trace(), [user("first"), assistant("last")])
    assert ids(store, "first last status:complete") == ["sess_1"]
    assert ids(store, "status:live") == []


def test_words_that_were_withdrawn_are_found_no_more(store: Store) -> None:
    store.save_trace(trace(title="old"), [user("former"), tool("gone")])
    store.save_trace(trace(title="new"), [user("latter")])
    assert ids(store, "former or old or gone or tool:gone") == []
    assert ids(store, "latter new") == ["sess_1"]
    store.save_trace(trace(title=None), [])
    assert ids(store, "latter or new") == []


def test_a_session_that_is_deleted_is_found_no_more_whatever_takes_its_place(store: Store) -> None:
    store.save_trace(trace(), [user("former")])
    store.delete_session("sess_1")
    assert ids(store, "former") == []
    store.save_trace(trace(), [user("latter")])
    assert ids(store, "former") == []
    assert ids(store, "latter") == ["sess_1"]


def test_a_session_whose_start_is_known_later_moves_to_its_place(store: Store) -> None:
    store.save_session(trace("sess_other", started_at="2026-06-01T00:00:00Z"))
    store.save_trace({"id": "sess_1"}, [user("refund")])
    assert ids(store) == ["sess_1", "sess_other"]
    store.save_session({"id": "sess_1", "started_at": "2026-01-01T00:00:00Z"})
    assert ids(store) == ["sess_other", "sess_1"]
    assert ids(store, "refund started<2026-06") == ["sess_1"]


def test_saving_some_fields_or_spans_keeps_what_the_others_are_found_by(store: Store) -> None:
    store.save_trace(trace(tags=["vip"]), [user("refund"), tool("look_up")])
    store.save_session({"id": "sess_1", "status": "failed"})
    assert ids(store, "refund tag:vip tool:look_up status:failed") == ["sess_1"]
    store.save_spans("sess_1", [assistant("sorry")])
    assert ids(store, "refund sorry tool:look_up") == ["sess_1"]


def test_sessions_that_an_earlier_voxgate_saved_are_made_searchable(store: Store) -> None:
    for n in range(5):
        store.save_trace(trace(f"sess_{n}", started_at=f"2026-01-0{n + 1}T00:00:00Z"), [user(f"word{n}")])
    with store._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM session_search WHERE session_id < 'sess_3'")
        connection.exec_driver_sql("UPDATE session_search SET layout = 0, tools = 'of another layout'")
    assert len(ids(store)) == 2
    after = store.make_searchable(limit=2)
    assert after is not None
    while after is not None:
        after = store.make_searchable(after, limit=2)
    assert ids(store) == [f"sess_{n}" for n in (4, 3, 2, 1, 0)]
    assert ids(store, "word1 -has:tool") == ["sess_1"]


@random_examples
@given(
    st.text() | st.lists(st.sampled_from(["model:", "tag:", "*", "%", '"', "\\", "_", "x", " "])).map("".join)
)
def test_no_filter_text_breaks_the_query(store: Store, q: str) -> None:
    with contextlib.suppress(InvalidRequest):
        store.list_sessions(q=q)


# Order and pages


def test_sessions_are_listed_by_a_measured_value_and_those_without_come_last(store: Store) -> None:
    for name, value in {"b": 2.0, "none": None, "c": 3.0, "a": 1.0}.items():
        store.save_session(trace(name, duration_ms=value, data={"metrics": {"v2v_p95": value}}))
    for sort in ("duration", "v2v_p95"):
        assert ids(store, sort=sort) == ["c", "b", "a", "none"]
        assert ids(store, sort=sort, order="asc") == ["a", "b", "c", "none"]
    assert ids(store, "duration>1ms", sort="first_audio") != []


@pytest.mark.parametrize("how", [{"sort": "model"}, {"sort": ""}, {"order": "up"}])
def test_a_wrong_order_is_named(store: Store, how: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        store.list_sessions(**how)  # type: ignore[arg-type]
    assert [caught.value.param] == list(how)


@few_examples
@given(
    values=st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=10),
    limit=st.integers(2, 6),
    sort=st.sampled_from(["started", "duration", "turns"]),
    order=st.sampled_from(["asc", "desc"]),
    data=st.data(),
)
def test_pages_meet_every_session_once_whatever_is_added_meanwhile(
    store: Store, values: list[int | None], limit: int, sort: str, order: str, data: st.DataObject
) -> None:
    clear(store)

    def add(name: str, value: int | None) -> None:
        second = 0 if value is None else value
        store.save_session(
            trace(name, started_at=f"2026-01-01T00:00:0{second}Z", duration_ms=value, turns=value)
        )

    for n, value in enumerate(values):
        add(f"old{n:02}", value)
    expected = ids(store, sort=sort, order=order, limit=500)
    met: list[str] = []
    cursor, page = None, 0
    while page == 0 or cursor is not None:
        items, cursor = store.list_sessions(limit=limit, cursor=cursor, sort=sort, order=order)
        met += [item["id"] for item in items]
        add(f"new{page:02}", data.draw(st.none() | st.integers(0, 3)))
        page += 1
    assert [name for name in met if name.startswith("old")] == expected
    assert len(met) == len(set(met))


def test_a_cursor_is_one_of_its_own_order(store: Store) -> None:
    for n in range(3):
        store.save_session(trace(f"sess_{n}", turns=n))
    cursor = store.list_sessions(limit=1, sort="turns")[1]
    for how in ({"sort": "turns", "order": "asc"}, {"sort": "cost"}, {}):
        with pytest.raises(InvalidRequest, match="a list by turns, desc"):
            store.list_sessions(cursor=cursor, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_that_is_offered_works(store: Store, sort: str) -> None:
    store.save_session(trace(duration_ms=1.0))
    store.save_session(trace("sess_2"))
    cursor = store.list_sessions(limit=1, sort=sort)[1]
    assert len(store.list_sessions(limit=1, sort=sort, cursor=cursor)[0]) == 1


# What is shown


def parts(store: Store, q: str) -> list[Any]:
    [session] = store.list_sessions(q=q)[0]
    if session["excerpt"] is None:
        return []
    shown = ["[" + p["text"] + "]" if p["hit"] else p["text"] for p in session["excerpt"]["parts"]]
    return [session["excerpt"]["speaker"], "".join(shown)]


def test_an_excerpt_shows_where_the_words_are(store: Store) -> None:
    long = "so " * 100
    said = [user(f"{long} I want a Refund, and a refund! {long}"), assistant("Café <b>tables</b> are free.")]
    store.save_trace(trace(title="About tables"), [*said, tool("book_table")])
    assert parts(store, "refund")[0] == "user"
    shown = parts(store, "refund")[1]
    assert (shown[0], shown[-1]) == ("…", "…")
    assert "I want a [Refund], and a [refund]! so" in shown
    assert len(shown) < 200
    assert parts(store, "cafe") == ["assistant", "[Café] <b>tables</b> are free."]
    assert parts(store, '"b are" -nothing') == ["assistant", "Café <b>tables</[b> are] free."]
    assert parts(store, "assistant_said:tab*") == ["assistant", "Café <b>[tables]</b> are free."]
    assert parts(store, "tables") == ["title", "About [tables]"]
    assert parts(store, "tables free") == ["assistant", "Café <b>[tables]</b> are [free]."]
    assert parts(store, "book table") == ["tool", "[book]_[table]"]
    assert parts(store, "status:complete") == []
    assert parts(store, "(refund or status:failed) or cost>1")[0] == "user"


def test_without_words_there_is_no_excerpt(store: Store) -> None:
    store.save_trace(trace(), [])
    assert [item["excerpt"] for item in store.list_sessions()[0]] == [None]
    assert parts(store, "refund or status:complete") == []


def test_facets_count_values_of_what_is_found(store: Store) -> None:
    rate, other = {"code": "rate_limit"}, {"type": "server_error"}
    store.save_trace(trace("a", model="x", tags=["vip", "new"], data={"errors": [rate, other]}), [tool("t")])
    store.save_trace(trace("b", model="x", tags=["vip"], status="failed"), [tool("t"), tool("u")])
    store.save_trace(trace("c", model="y", project="shop"), [])
    found = store.session_facets()
    assert (found["sessions"], found["complete"]) == (3, True)
    shown = {
        name: [(each["value"], each["count"]) for each in values] for name, values in found["facets"].items()
    }
    assert shown == {
        "project": [("default", 2), ("shop", 1)],
        "model": [("x", 2), ("y", 1)],
        "provider": [],
        "status": [("complete", 2), ("failed", 1)],
        "tag": [("vip", 2), ("new", 1)],
        "tool": [("t", 2), ("u", 1)],
        "error": [("rate_limit", 1), ("server_error", 1)],
    }
    assert store.session_facets(project="shop", q="model:y")["facets"]["tag"] == []


def test_projects_are_counted_with_their_newest_session(store: Store) -> None:
    for name, project, day in (("a", "x", 1), ("b", "x", 3), ("c", "y", 2)):
        store.save_session(trace(name, project=project, started_at=f"2026-01-0{day}T00:00:00.123Z"))
    assert store.list_projects() == [
        {"name": "x", "sessions": 2, "last_session_at": "2026-01-03T00:00:00.123Z"},
        {"name": "y", "sessions": 1, "last_session_at": "2026-01-02T00:00:00.123Z"},
    ]


def test_the_last_hours_are_counted_from_now(store: Store) -> None:
    store.save_session(trace("old"))
    store.save_session(trace("new", started_at=iso_utc(now_utc() - timedelta(minutes=1))))
    assert ids(store, "last:1h") == ids(store, "started>-1h") == ["new"]
    assert ids(store, "started<-1h") == ["old"]
