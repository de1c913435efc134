"""Sessions as OTLP trace data: a session in, `ResourceSpans` out, and many of those as one request's bytes.

A session is one trace (or a part of the client's, if it sent a `traceparent`, or of that of the session it
works for), with the session as the root
and turns, users, responses and tools below it. Moments of the session are events of the root span.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from voxgate import __version__
from voxgate.core.clock import unix_ms
from voxgate.core.kinds import Kind
from voxgate.export.gen_ai import EVALUATION, SCHEMA_URL, GenAI, evaluation
from voxgate.export.messages import Messages
from voxgate.export.openinference import OpenInference
from voxgate.export.view import Find, SessionView
from voxgate.traces.events import Json, objects, string

_KINDS: Final = {"session": OtlpSpan.SPAN_KIND_SERVER, "response": OtlpSpan.SPAN_KIND_CLIENT}
_FAILED: Final = frozenset({"failed", "incomplete"})
_LONGEST_TEXT: Final = 64 << 10
"""Of one attribute, in letters: a tool may answer with megabytes."""
_MOST_EVENTS: Final = 256
_INT64: Final = 1 << 63


class Convention(Protocol):
    """A way to name things."""

    def name(self, view: SessionView, span: Json) -> str: ...

    def attributes(self, view: SessionView, messages: Messages, span: Json) -> Json: ...


def conventions(names: Iterable[str], *, content: bool, kinds: Mapping[str, Kind]) -> list[Convention]:
    """By their names in the settings. The first one names the spans."""
    known: dict[str, Convention] = {"gen_ai": GenAI(content, kinds), "openinference": OpenInference(content)}
    return [known[name] for name in dict.fromkeys(names)]


@dataclass(frozen=True)
class OtlpEncoder:
    conventions: list[Convention]
    public_url: str = ""
    resource: Mapping[str, str] = field(default_factory=dict)
    content: bool = True

    def encode(self, row: Json, find: Find = lambda _: None) -> ResourceSpans:
        """One session; its project is the resource's, since backends sort by that. `find` gives the row of
        the session that it works for."""
        view = SessionView(row, self.public_url, find)
        project = string(view.session, "project") or "default"
        resource = {**self.resource, "voxgate.project": project, "openinference.project.name": project}
        messages = Messages(view)
        spans = [self._span(view, messages, span) for span in view.spans]
        scope = InstrumentationScope(name="voxgate", version=__version__)
        schema = SCHEMA_URL if any(isinstance(one, GenAI) for one in self.conventions) else ""
        return ResourceSpans(
            resource=Resource(attributes=_key_values(resource)),
            scope_spans=[ScopeSpans(scope=scope, spans=spans, schema_url=schema)],
        )

    def _span(self, view: SessionView, messages: Messages, span: Json) -> OtlpSpan:
        attributes: Json = {}
        for convention in self.conventions:
            attributes |= convention.attributes(view, messages, span)
        attributes |= _own(view, span)
        start, end = view.times_ns(span)
        is_root = span["parent_id"] is None
        return OtlpSpan(
            trace_id=view.trace_id,
            span_id=view.span_id(span["id"]),
            parent_span_id=view.remote_parent_id if is_root else view.span_id(span["parent_id"]),
            trace_state=(view.context.state or "") if is_root and view.context else "",
            links=self._links(view) if is_root else [],
            name=self.conventions[0].name(view, span),
            kind=_KINDS.get(span["type"], OtlpSpan.SPAN_KIND_INTERNAL),
            start_time_unix_nano=start,
            end_time_unix_nano=end,
            attributes=_key_values(attributes),
            events=[*(self._events(view) if is_root else []), *self._evaluations(view, span)],
            status=self._status(span),
        )

    def _links(self, view: SessionView) -> list[OtlpSpan.Link]:
        """What it works for, where its own caller's span is its parent already."""
        if view.context is None or view.parent is None:
            return []
        above, span = view.parent
        return [OtlpSpan.Link(trace_id=above.trace_id, span_id=above.span_id(span["id"]))]

    def _status(self, span: Json) -> Status:
        if not (span["error"] or span["status"] in _FAILED):
            return Status(code=Status.STATUS_CODE_UNSET)
        message = string(span["error"], "message") if self.content else None
        return Status(code=Status.STATUS_CODE_ERROR, message=message or error_type(span))

    def _events(self, view: SessionView) -> list[OtlpSpan.Event]:
        shown = objects(view.session, "events")[:_MOST_EVENTS]
        return [
            OtlpSpan.Event(
                time_unix_nano=view.at_ns(event.get("t_ms")),
                name=str(event.get("type") or "event"),
                attributes=_key_values(self._event_attributes(event)),
            )
            for event in shown
        ]

    def _evaluations(self, view: SessionView, span: Json) -> list[OtlpSpan.Event]:
        """Scores, as GenAI's conventions have them."""
        return [
            OtlpSpan.Event(
                time_unix_nano=unix_ms(datetime.fromisoformat(score["created_at"])) * 1_000_000,
                name=EVALUATION,
                attributes=_key_values(evaluation(score, content=self.content)),
            )
            for score in view.scores_of(span)[:_MOST_EVENTS]
        ]

    def _event_attributes(self, event: Json) -> Json:
        found = {f"voxgate.{k}": v for k, v in event.items() if k not in ("t_ms", "type", "error", "facts")}
        error = event.get("error")
        if isinstance(error, dict):
            found["error.type"] = error.get("code") or error.get("type")
            if self.content:
                found["exception.message"] = error.get("message")
        return {name: value for name, value in found.items() if isinstance(value, str | int | float)}


def request_bytes(sessions: Iterable[ResourceSpans]) -> bytes:
    """The body of a POST to `/v1/traces`."""
    body: bytes = ExportTraceServiceRequest(resource_spans=sessions).SerializeToString()
    return body


def error_type(span: Json) -> str:
    error = span["error"] or {}
    return str(error.get("code") or error.get("type") or span["status"])


def _own(view: SessionView, span: Json) -> Json:
    """What no convention has a name for."""
    failed = span["error"] or span["status"] in _FAILED
    own: Json = {
        "voxgate.session.id": view.id,
        "voxgate.span.type": span["type"],
        "voxgate.status": span["status"],
        "voxgate.cost_usd": span["cost_usd"],
        "error.type": error_type(span) if failed else None,
    }
    if span["type"] == "session":
        own |= _own_of_session(view)
    for name, value in (span["metrics"] or {}).items():
        own[f"voxgate.metrics.{name}"] = value
    return own


def _own_of_session(view: SessionView) -> Json:
    session, close = view.session, view.session.get("close") or {}
    return {
        "url.full": view.page_url,
        "voxgate.audio.url": view.track_url("mix"),
        "voxgate.credential.id": session.get("credential_id"),
        "voxgate.transport": session.get("transport"),
        "voxgate.parent.session.id": view.parent[0].id if view.parent else None,
        "voxgate.dialect": session.get("dialect"),
        "voxgate.voice": session.get("voice"),
        "voxgate.transcription.model": session.get("transcription_model"),
        "voxgate.provider.session.id": session.get("provider_session_id"),
        "voxgate.close.code": close.get("code"),
        "voxgate.close.side": close.get("side"),
        "voxgate.tags": list(session.get("tags") or []),
        "user.id": view.user_id,
    }


def _key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Those that have a value: what was not measured is left out."""
    found = ((name, _any_value(value)) for name, value in attributes.items())
    return [KeyValue(key=name, value=value) for name, value in found if value is not None]


def _any_value(value: Any) -> AnyValue | None:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int() if -_INT64 <= value < _INT64:
            return AnyValue(int_value=value)
        case int() | float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=_text(value))
        case [*several] if several:
            values = [one for one in map(_any_value, several) if one is not None]
            return AnyValue(array_value=ArrayValue(values=values))
    return None


def _text(value: str) -> str:
    """Protobuf takes no half surrogate pairs."""
    return value[:_LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")
