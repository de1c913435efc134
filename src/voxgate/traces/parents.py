"""What a session is a part of, as its caller said in headers: the fact `gateway.opened` in, the session (and
the tool call in it) that it works for and the caller's own trace out. Whether there is such a session, and
in the same project, only readers can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from voxgate.traces.events import Json, name_of, obj

PARENT: Final = "x-voxgate-parent"
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
HEADERS: Final = (PARENT, TRACEPARENT, TRACESTATE)
"""Those that join, for whoever writes the fact."""
LONGEST: Final = 512
"""Of what is kept of one of them, in letters."""

_PARENT: Final = re.compile(r"(sess_[A-Za-z0-9_-]{1,64})(?:/([\x21-\x7e]{1,200}))?")
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""W3C Trace Context, section 3.2: version, trace id, parent id, flags; later versions may add fields."""


@dataclass(frozen=True, slots=True)
class Parent:
    """`ref` is the id of a function call (`call_…`) or of a span (`span_…`) of the session."""

    session_id: str
    ref: str | None = None

    def to_json(self) -> Json:
        return {"session_id": self.session_id, "ref": self.ref}


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The caller's trace, and its span that made the request."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: str | None = None

    def to_json(self) -> Json:
        return {
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "sampled": bool(self.flags & 1),
            "state": self.state,
        }


def parent_of(request: Json) -> Parent | None:
    """None without one, and where it is not written as one. `request` is that of `gateway.opened`."""
    given = _given(request, PARENT)
    match = _PARENT.fullmatch(given[0]) if len(given) == 1 else None
    return Parent(match[1], match[2]) if match else None


def trace_context_of(request: Json) -> TraceContext | None:
    """The same of `traceparent`, with `tracestate` beside it."""
    given = _given(request, TRACEPARENT)
    match = _TRACEPARENT.fullmatch(given[0]) if len(given) == 1 else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if not int(match[2], 16) or not int(match[3], 16):
        return None
    state = ",".join(_given(request, TRACESTATE)) or None
    return TraceContext(match[2], match[3], int(match[4], 16), state)


def ignored(request: Json) -> Iterator[str]:
    """The headers that are there and say nothing that can be used."""
    if _given(request, PARENT) and parent_of(request) is None:
        yield PARENT
    if _given(request, TRACEPARENT) and trace_context_of(request) is None:
        yield TRACEPARENT


def span_for(spans: list[Json], ref: str | None) -> Json | None:
    """Of a parent's spans the one that a child names, else its root; None where it has no spans."""
    if ref is not None:
        for span in spans:
            is_call = span["type"] == "tool" and name_of(obj(span, "input"), "call_id") == ref
            if is_call or span["id"] == ref:
                return span
    return next((span for span in spans if span["type"] == "session"), None)


def _given(request: Json, name: str) -> list[str]:
    headers = request.get("headers")
    pairs = headers if isinstance(headers, list) else []
    return [
        str(pair[1]).strip()[:LONGEST]
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and pair[0] == name
    ]
