"""The shape of a trace: what the store keeps, the API answers and exporters map. Times are ms since the
session began, rounded to microseconds; ids follow from the session's id and the provider's, so that a trace
that is built again has the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from voxgate.traces.events import Json

SpanType = Literal["session", "turn", "user", "response", "tool"]


def stable_id(prefix: str, session_id: str, *names: object) -> str:
    text = "\0".join((session_id, *map(str, names)))
    return f"{prefix}_{blake2b(text.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


def round_ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


@dataclass(slots=True)
class Attachment:
    """A piece of one of the session's tracks, as bytes `[start_byte:end_byte]` of its PCM."""

    id: str
    name: str
    content_type: str
    duration_ms: float
    track: str
    start_byte: int
    end_byte: int

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "name": self.name,
            "content_type": self.content_type,
            "duration_ms": round_ms(self.duration_ms),
            "track": self.track,
            "start_byte": self.start_byte,
            "end_byte": self.end_byte,
        }


@dataclass(slots=True)
class Span:
    id: str
    parent_id: str | None
    type: SpanType
    name: str
    start_ms: float | None
    end_ms: float | None
    status: str
    error: Json | None = None
    input: Json | None = None
    output: Json | None = None
    usage: Json | None = None
    cost_usd: float | None = None
    metrics: Json = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    position: int = 0
    """Grows in the order of the trace; a span keeps its own while others come and go in other turns."""

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "parent_id": self.parent_id,
            "type": self.type,
            "name": self.name,
            "start_ms": round_ms(self.start_ms),
            "end_ms": round_ms(self.end_ms),
            "status": self.status,
            "error": self.error,
            "input": self.input,
            "output": self.output,
            "usage": self.usage,
            "cost_usd": self.cost_usd,
            "metrics": {name: _rounded(value) for name, value in self.metrics.items()},
            "attachments": [one.to_json() for one in self.attachments],
        }


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value


@dataclass(slots=True)
class Trace:
    """`summary` are the fields that lists of sessions show, `data` the rest of what is known of the call."""

    id: str
    summary: Json
    metrics: Json
    data: Json
    spans: list[Span]

    def row(self) -> Json:
        """The session's row for the store."""
        return {"id": self.id, **self.summary, "data": {**self.data, "metrics": self.metrics}}

    def to_json(self) -> Json:
        spans = [span.to_json() for span in self.spans]
        return {"id": self.id, **self.summary, **self.data, "metrics": self.metrics, "spans": spans}
