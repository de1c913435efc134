"""What became of a trace since it was last told: traces in, their differences out as JSON, and whoever has a
trace and applies what came since has the trace as it is now.

A difference has, each only where there is something: `row` and `data`, fields of the session; `added`, what
came to the ends of lists; `items`, items of the conversation that are new or others; `spans`, new ones, and
of others their `id` and the fields that changed; `gone`, ids of spans that are no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from voxgate.traces.events import Json
from voxgate.traces.model import Span, Trace

ADDED: Final = ("events", "errors")
"""Lists of the session's data that only grow."""
COUNTED: Final = ("duration_ms", "turns", "interruptions", "cost_usd", "title")
"""Fields of the row that change while a call runs; the others say at its beginning what it is."""
_KEPT_ASIDE: Final = frozenset((*ADDED, "items"))


class Told:
    """A trace as somebody has it."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._spans = {span.id: span for span in trace.spans}
        self._items = list(trace.data["items"])
        self._lengths = {name: len(trace.data[name]) for name in ADDED}

    def changes(self, trace: Trace) -> Json | None:
        """What is new in it, and then told as well. None if that cannot be said: the whole has to be told."""
        row = _changed(self._trace.summary, trace.summary)
        if not row.keys() <= set(COUNTED) or self._trace.id != trace.id:
            return None
        found = {
            "row": row,
            "data": self._data(trace),
            "added": {name: new for name in ADDED if (new := trace.data[name][self._lengths[name] :])},
            "items": self._new_items(trace.data["items"]),
            **self._new_spans(trace.spans),
        }
        self._trace = trace
        self._lengths = {name: len(trace.data[name]) for name in ADDED}
        return {name: one for name, one in found.items() if one}

    def _data(self, trace: Trace) -> Json:
        before = {**self._trace.data, "metrics": self._trace.metrics}
        found = _changed(before, {**trace.data, "metrics": trace.metrics})
        return {name: value for name, value in found.items() if name not in _KEPT_ASIDE}

    def _new_items(self, items: list[Json]) -> list[Json]:
        known = len(self._items)
        new = [one for one, old in zip(items, self._items, strict=False) if one is not old and one != old]
        new += items[known:]
        self._items = list(items)
        return new

    def _new_spans(self, spans: list[Span]) -> Json:
        before, self._spans = self._spans, {span.id: span for span in spans}
        new = [
            _span_changes(old, span)
            for span in spans
            if (old := before.get(span.id)) is not span and old != span
        ]
        return {"spans": new, "gone": [key for key in before if key not in self._spans]}


def span_json(span: Span) -> Json:
    """With its place among those that start together."""
    return {**span.to_json(), "position": span.position}


def _span_changes(old: Span | None, span: Span) -> Json:
    if old is None:
        return span_json(span)
    return {"id": span.id, **_changed(span_json(old), span_json(span))}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Json:
    """Values that are the same object are not looked into."""
    missing = object()
    return {
        name: value
        for name, value in now.items()
        if (old := before.get(name, missing)) is not value and old != value
    }


def applied(session: Mapping[str, Any], changes: Iterable[Json]) -> Json:
    """A session with its data and its spans, as the store keeps them, after these changes."""
    row, data = dict(session), dict(session["data"])
    spans = {span["id"]: span for span in session["spans"]}
    items = {item["id"]: item for item in data.get("items") or []}
    for one in changes:
        row |= one.get("row", {})
        data |= one.get("data", {})
        for name, added in one.get("added", {}).items():
            data[name] = [*(data.get(name) or []), *added]
        items |= {item["id"]: item for item in one.get("items", [])}
        for span in one.get("spans", []):
            spans[span["id"]] = {**spans.get(span["id"], {}), **span}
        for key in one.get("gone", []):
            spans.pop(key, None)
    if "items" in data or items:
        data["items"] = list(items.values())
    return {**row, "data": data, "spans": sorted(spans.values(), key=_place)}


def _place(span: Json) -> tuple[bool, float, int]:
    """Those that never began come last."""
    return span["start_ms"] is None, span["start_ms"] or 0.0, span["position"]
