"""A finished session as the exporters look at it: the store's row (or the API's answer) in, its spans as a
tree, ids and moments as OpenTelemetry wants them, and links to its sound out. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final

from voxgate.traces.events import Json, obj, objects, string
from voxgate.traces.parents import TraceContext, parent_of, span_for, trace_context_of

_SPAN_ID: Final = re.compile(r"span_([0-9a-f]{16})")
_MOST_ABOVE: Final = 4
"""A log may say anything, also that two sessions work for each other."""
Find = Callable[[str], Json | None]
"""Of an id the session's row with its spans."""


class SessionView:
    """`session` has the fields of the session and of its data side by side, as the API shows them."""

    def __init__(
        self, row: Json, public_url: str = "", find: Find = lambda _: None, depth: int = _MOST_ABOVE
    ) -> None:
        """`find` is how it gets at the session that it works for, and so on `depth` times."""
        self._public_url = public_url
        self._find = find
        self._depth = depth
        data = row.get("data")
        self.session: Json = {**data, **{k: v for k, v in row.items() if k != "data"}} if data else row
        self.id: str = row["id"]
        self.spans: list[Json] = list(row.get("spans") or [])
        self._base = f"{public_url}/api/sessions/{self.id}"

    @cached_property
    def root(self) -> Json | None:
        return next((span for span in self.spans if span["type"] == "session"), None)

    @cached_property
    def _children(self) -> dict[str | None, list[Json]]:
        found: dict[str | None, list[Json]] = {}
        for span in self.spans:
            found.setdefault(span["parent_id"], []).append(span)
        return found

    def children(self, span: Json, kind: str | None = None) -> list[Json]:
        below = self._children.get(span["id"], [])
        return [child for child in below if kind is None or child["type"] == kind]

    def of_type(self, kind: str) -> list[Json]:
        return [span for span in self.spans if span["type"] == kind]

    # What it ran with

    @property
    def requested_model(self) -> str:
        return string(self.session, "requested_model") or string(self.session, "model") or ""

    @property
    def actual_model(self) -> str | None:
        return string(self.session, "actual_model") or string(self.session, "upstream_model")

    @property
    def user_id(self) -> str | None:
        user = obj(self.session, "metadata").get("user_id")
        return None if user is None else str(user)

    def config_of(self, response: Json) -> Json:
        """The configuration that a response had. Of those before the last one only the hash is known."""
        wanted = obj(response, "input").get("config_hash")
        known = wanted is None or wanted == self.session.get("config_hash")
        return obj(self.session, "config") if known else {}

    # Ids and moments

    @cached_property
    def context(self) -> TraceContext | None:
        """The caller's, where it sent a `traceparent`."""
        return trace_context_of(obj(self.session, "request"))

    @cached_property
    def parent(self) -> tuple[SessionView, Json] | None:
        """The session that this one works for and the span of it, if it is there and in the same project."""
        wanted = parent_of(obj(self.session, "request"))
        row = self._find(wanted.session_id) if wanted and self._depth else None
        if wanted is None or row is None or row["project"] != self.session.get("project"):
            return None
        view = SessionView(row, self._public_url, self._find, self._depth - 1)
        span = span_for(view.spans, wanted.ref)
        return None if span is None else (view, span)

    @cached_property
    def top_id(self) -> str:
        """The id of the span above all, which is another session's where this one works for it."""
        if self.parent is not None:
            return self.parent[0].top_id
        return self.root["id"] if self.root else self.id

    @cached_property
    def trace_id(self) -> bytes:
        """16 bytes: the caller's trace, else that of the session it works for, else one that follows from the
        session's id."""
        if self.context is not None:
            return bytes.fromhex(self.context.trace_id)
        if self.parent is not None:
            return self.parent[0].trace_id
        return blake2b(self.id.encode(), digest_size=16).digest()

    @cached_property
    def remote_parent_id(self) -> bytes:
        if self.context is not None:
            return bytes.fromhex(self.context.span_id)
        if self.parent is not None:
            view, span = self.parent
            return view.span_id(span["id"])
        return b""

    def span_id(self, span_id: str) -> bytes:
        """8 bytes, which our ids have in them."""
        match = _SPAN_ID.fullmatch(span_id)
        if match and int(match[1], 16):
            return bytes.fromhex(match[1])
        return blake2b(f"{self.id}\0{span_id}".encode(), digest_size=8).digest()

    @cached_property
    def started_ns(self) -> int:
        """Unix time."""
        try:
            moment = datetime.fromisoformat(self.session.get("started_at") or "")
        except ValueError:
            return 0
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1_000_000) * 1000

    def at_ns(self, ms: float | None) -> int:
        return self.started_ns + round((ms or 0.0) * 1e6)

    def times_ns(self, span: Json) -> tuple[int, int]:
        """Start and end. What never ended has no length here, and says so by its status."""
        start, end = span["start_ms"], span["end_ms"]
        start = start if start is not None else end
        return self.at_ns(start), self.at_ns(max(start or 0.0, end if end is not None else start or 0.0))

    @staticmethod
    def moment(unix_ns: int) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=unix_ns // 1000)

    def scores_of(self, span: Json) -> list[Json]:
        """Those of the span, and at the root those of the whole session."""
        about = {span["id"], None} if span["parent_id"] is None else {span["id"]}
        return [one for one in objects(self.session, "scores") if one.get("span_id") in about]

    # Sound

    def clip_url(self, attachment: Json) -> str:
        return f"{self._base}/attachments/{attachment['id']}"

    def track_url(self, track: str) -> str | None:
        """None for a track that there is not."""
        return f"{self._base}/audio?track={track}" if track in obj(self.session, "tracks") else None

    @property
    def page_url(self) -> str:
        return self._base.replace("/api/sessions/", "/sessions/", 1)


def clips(span: Json, name: str) -> list[Json]:
    """The span's attachments of this name: `user`, `assistant` (as generated) or `heard`."""
    return [one for one in objects(span, "attachments") if one.get("name") == name]


def words_of(span: Json) -> str:
    """What was said or written in a span of a user or a response."""
    said: Any = span["input"] if span["type"] == "user" else span["output"]
    return string(said, "transcript") or string(said, "text") or ""
