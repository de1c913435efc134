"""Keeps what lists of sessions are searched by: for each session one narrow row, so that any filter reads
little, and its words. Both are made from the saved session and its spans, and can be made again from them at
any time.

`number` is the order of lists, newest first: the start of the call in ms, and 21 bits that tell apart those
which start in the same one. A range of time is a range of numbers, and the full text has them as its row ids.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from voxgate.core.clock import unix_ms, unix_seconds
from voxgate.store.excerpts import Line, lines_of, write_lines
from voxgate.store.fields import METRICS
from voxgate.store.fulltext import full_text
from voxgate.store.schema import session_search, session_words

LAYOUT: Final = 2
"""Of what is derived here. A row of an earlier one is made again by the recorder (`jobs.indexing`)."""
SEPARATOR: Final = "\n"
"""Around each of the texts of a list, so that one is found as a whole."""
REALTIME: Final = "realtime"
"""The endpoint of calls."""
NUMBER_BITS: Final = 21
LARGEST_MS: Final = (1 << 42) - 1
_NO_METRICS: Final = dict.fromkeys(METRICS)
_LIVE_SECONDS: Final = 5
"""The words of a running call are indexed so often."""

Saved = tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]
"""A session and its spans."""

# Statements that are always the same: making one anew takes several times as long as executing it.
_OF_SESSION: Final = select(session_search).where(session_search.c.session_id == bindparam("wanted"))
_AT: Final = select(session_search.c.number).where(session_search.c.number == bindparam("wanted"))
_TAKEN: Final = select(session_search.c.number).where(
    session_search.c.number.in_(bindparam("wanted", expanding=True))
)
_INSERT: Final = insert(session_search)
_UPDATE: Final = update(session_search).where(session_search.c.number == bindparam("wanted"))
_INDEXED_AT: Final = select(session_words.c.indexed_at).where(session_words.c.number == bindparam("wanted"))
_WORDS: Final = select(session_words.c.text).where(session_words.c.number == bindparam("wanted"))
_INSERT_WORDS: Final = insert(session_words)
_UPDATE_WORDS: Final = update(session_words).where(session_words.c.number == bindparam("wanted"))


def save_search(
    connection: Connection, session: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]
) -> None:
    """Of a session as it is saved now, with all its spans."""
    found = _saved(connection, session["id"])
    values = _values(session, spans)
    start_ms = _start_ms(session["started_at"])
    if found is not None and found.number >> NUMBER_BITS != start_ms:
        connection.execute(delete(session_search).where(session_search.c.number == found.number))
        found = None  # it has another place in lists now
    if found is None:
        number = _free_number(connection, start_ms, session["id"])
        connection.execute(_INSERT, {"number": number, **values})
    else:
        number = found.number
        changed = {name: value for name, value in values.items() if getattr(found, name) != value}
        if changed:
            connection.execute(_UPDATE, {"wanted": number, **changed})
    _save_words(connection, number, session, spans)


def save_new_search(connection: Connection, saved: Sequence[Saved], numbers: Sequence[int]) -> None:
    """Of many sessions, each with its spans, that were not there before: a few statements for all."""
    rows, said = list[dict[str, Any]](), dict[int, list[Line]]()
    for number, (session, spans) in zip(numbers, saved, strict=True):
        rows.append({"number": number, **_values(session, spans)})
        if lines := lines_of(session["title"], spans):
            said[number] = lines
    connection.execute(_INSERT, rows)
    if said:
        now = unix_seconds()
        kept = [{"number": number, "text": write_lines(lines)} for number, lines in said.items()]
        connection.execute(_INSERT_WORDS, [{**one, "indexed_at": now} for one in kept])
        full_text(connection).index_new(connection, said)


def _saved(connection: Connection, session_id: str) -> Row[Any] | None:
    return connection.execute(_OF_SESSION, {"wanted": session_id}).one_or_none()


def _values(session: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    user = session["metadata"].get("user_id") if isinstance(session["metadata"], dict) else None
    metrics = session["data"].get("metrics") or {}
    own = ("project", "model", "provider", "status", "credential_id", "duration_ms", "cost_usd", "turns")
    return {
        **{name: session[name] for name in (*own, "interruptions", "errors")},
        "session_id": session["id"],
        "user_id": None if user is None else str(user),
        "tags": _listed(session["tags"]),
        "tools": _listed(span.get("name") for span in spans if span["type"] == "tool"),
        "codes": _listed(_codes(session["data"], spans)),
        **_NO_METRICS,
        **{
            name: _number(value)
            for name, value in metrics.items()
            if value is not None and name in _NO_METRICS
        },
        "layout": LAYOUT,
        "endpoint": _endpoint(session["data"]),
        **_parent(session["data"]),
    }


_SOCKETS: Final = "/responses"
"""Endpoints that speak WebSocket, too."""


def _endpoint(data: Mapping[str, Any]) -> str:
    """Of a request by its path; whatever else there is was a call."""
    request = data.get("request")
    path = request.get("path") if isinstance(request, dict) else None
    if not isinstance(path, str) or (data.get("transport") != "http" and not path.endswith(_SOCKETS)):
        return REALTIME
    return path.removeprefix("/openai").removeprefix("/v1/")


def _parent(data: Mapping[str, Any]) -> dict[str, Any]:
    parent = data.get("parent")
    known = parent if isinstance(parent, dict) else {}
    return {"parent_id": known.get("session_id"), "parent_ref": known.get("ref")}


def _listed(texts: Iterable[Any]) -> str:
    """Each text once, between separators; empty for none."""
    clean = dict.fromkeys(str(text).replace(SEPARATOR, " ") for text in texts if text is not None)
    return "".join(f"{SEPARATOR}{text}" for text in clean) + SEPARATOR if clean else ""


def _codes(data: Mapping[str, Any], spans: Iterable[Mapping[str, Any]]) -> list[Any]:
    errors = data.get("errors")
    found = [*errors] if isinstance(errors, list) else []
    found += [data.get("error"), *(span.get("error") for span in spans)]
    return [error.get(key) for error in found if isinstance(error, dict) for key in ("code", "type")]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


# Its place


def first_number(at_ms: int) -> int:
    """The smallest number of a session that starts then."""
    return min(max(at_ms, 0), LARGEST_MS) << NUMBER_BITS


def _start_ms(started_at: str | datetime) -> int:
    moment = started_at if isinstance(started_at, datetime) else datetime.fromisoformat(started_at)
    return min(max(unix_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC)), 0), LARGEST_MS)


def _free_number(connection: Connection, start_ms: int, session_id: str, but: Set[int] = frozenset()) -> int:
    number = _wanted_number(start_ms, session_id)
    while number in but or connection.execute(_AT, {"wanted": number}).first():
        within = (number + 1) & ((1 << NUMBER_BITS) - 1)
        number = start_ms << NUMBER_BITS | within
    return number


def wanted_numbers(sessions: Sequence[Mapping[str, Any]]) -> list[int]:
    """Those that they should have, which hardly ever are another's."""
    return [_wanted_number(_start_ms(one["started_at"]), one["id"]) for one in sessions]


def free_numbers(connection: Connection, sessions: Sequence[Mapping[str, Any]]) -> list[int]:
    """Those that they can have, in their order."""
    begun = [(_start_ms(one["started_at"]), one["id"]) for one in sessions]
    wanted = [_wanted_number(*one) for one in begun]
    taken = set(connection.execute(_TAKEN, {"wanted": wanted}).scalars())
    numbers: list[int] = []
    for one, number in zip(begun, wanted, strict=True):
        numbers.append(_free_number(connection, *one, taken) if number in taken else number)
        taken.add(numbers[-1])
    return numbers


def _wanted_number(start_ms: int, session_id: str) -> int:
    digest = blake2b(session_id.encode("utf-8", "replace"), digest_size=4).digest()
    return start_ms << NUMBER_BITS | int.from_bytes(digest) & ((1 << NUMBER_BITS) - 1)


# Its words


def _save_words(
    connection: Connection, number: int, session: Mapping[str, Any], spans: Sequence[Mapping[str, Any]]
) -> None:
    indexed_at = connection.execute(_INDEXED_AT, {"wanted": number}).scalar_one_or_none()
    now = unix_seconds()
    if session["status"] == "live" and indexed_at is not None and now < indexed_at + _LIVE_SECONDS:
        return
    lines = lines_of(session["title"], spans)
    text = write_lines(lines)
    if indexed_at is None:
        if lines:
            connection.execute(_INSERT_WORDS, {"number": number, "text": text, "indexed_at": now})
            full_text(connection).index(connection, number, lines)
        return
    if connection.execute(_WORDS, {"wanted": number}).scalar_one() != text:
        connection.execute(_UPDATE_WORDS, {"wanted": number, "text": text, "indexed_at": now})
        full_text(connection).index(connection, number, lines)
