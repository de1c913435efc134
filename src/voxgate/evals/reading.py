"""What the spans of a trace say, read for scorers: lines, responses, tool calls. A span in, plain data out,
on the call's clock and within the call. Whatever a span lacks is None or empty, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from voxgate.evals.model import Evidence, Expected, ExpectedCall, Json, ToolCall
from voxgate.traces.events import number, obj, objects, string

Role = Literal["user", "assistant"]
ROLES: Final[tuple[Role, ...]] = ("user", "assistant")


def known_role(of: Role) -> Role:
    """ValueError for what is no side of a call."""
    if of not in ROLES:
        raise ValueError(f"of is one of {', '.join(ROLES)}, not {of!r}")
    return of


@dataclass(frozen=True, slots=True)
class Line:
    """What one side said at one go, on the call's clock. `text` is all that was generated."""

    role: Role
    text: str
    start_ms: float
    end_ms: float
    span_id: str
    heard_text: str | None = None
    """The words up to where it was cut; None where that is not known, or it was not spoken."""
    heard_until_ms: float | None = None
    is_spoken: bool = True

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.start_ms, self.end_ms, self.span_id)


@dataclass(frozen=True, slots=True)
class Response:
    """One generation of the model. `reason` is why it ended where it did not complete."""

    span_id: str
    response_id: str | None
    status: str
    reason: str | None
    text: str
    heard_text: str | None
    interrupted: bool
    trigger: str | None
    out_of_band: bool
    tools: tuple[str, ...]
    start_ms: float
    end_ms: float
    error: Any
    usage: Json | None
    cost_usd: float | None
    metrics: Json

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.start_ms, self.end_ms, self.span_id)


def _within(ms: float | None, call_ms: float) -> float:
    return min(max(ms or 0.0, 0.0), call_ms)


def times_of(span: Json, call_ms: float) -> tuple[float, float]:
    """Start and end, within the call; of what never ended the end is the call's."""
    start_ms, end_ms = number(span, "start_ms"), number(span, "end_ms")
    start_ms = _within(start_ms if start_ms is not None else end_ms, call_ms)
    return start_ms, max(start_ms, _within(end_ms if end_ms is not None else call_ms, call_ms))


def lines_of(span: Json, call_ms: float) -> list[Line]:
    if span.get("type") == "user":
        return _user_line(span, call_ms)
    return _assistant_line(span, call_ms) if span.get("type") == "response" else []


def _user_line(span: Json, call_ms: float) -> list[Line]:
    said, metrics = obj(span, "input"), obj(span, "metrics")
    text = string(said, "transcript") or string(said, "text")
    if not text or not text.strip():
        return []
    start_ms, end_ms = times_of(span, call_ms)
    first, last = number(metrics, "true_speech_start_ms"), number(metrics, "true_speech_end_ms")
    start_ms = start_ms if first is None else _within(first, call_ms)
    end_ms = end_ms if last is None else _within(last, call_ms)
    is_spoken = string(said, "kind") == "speech"
    return [Line("user", text, start_ms, max(start_ms, end_ms), str(span["id"]), is_spoken=is_spoken)]


def _assistant_line(span: Json, call_ms: float) -> list[Line]:
    said, metrics = obj(span, "output"), obj(span, "metrics")
    text = string(said, "transcript") or string(said, "text")
    if not text or not text.strip():
        return []
    start_ms, end_ms = times_of(span, call_ms)
    play_ms, heard_ms = number(said, "play_start_ms"), number(metrics, "audio_heard_ms")
    until_ms = None
    if play_ms is not None and heard_ms is not None:
        start_ms = _within(play_ms, call_ms)
        end_ms = until_ms = _within(play_ms + heard_ms, call_ms)
    is_spoken = number(metrics, "audio_generated_ms") is not None
    heard = string(said, "heard_transcript") if is_spoken else None
    return [Line("assistant", text, start_ms, end_ms, str(span["id"]), heard, until_ms, is_spoken)]


def response_of(span: Json, call_ms: float) -> Response:
    asked, said = obj(span, "input"), obj(span, "output")
    start_ms, end_ms = times_of(span, call_ms)
    return Response(
        span_id=str(span["id"]),
        response_id=string(asked, "response_id"),
        status=string(span, "status") or "",
        reason=string(said, "reason"),
        text=string(said, "transcript") or string(said, "text") or "",
        heard_text=string(said, "heard_transcript"),
        interrupted=bool(said.get("interrupted")),
        trigger=string(asked, "trigger"),
        out_of_band=bool(asked.get("out_of_band")),
        tools=tuple(string(one, "name") or "" for one in objects(said, "tool_calls")),
        start_ms=start_ms,
        end_ms=end_ms,
        error=span.get("error"),
        usage=obj(span, "usage") or None,
        cost_usd=number(span, "cost_usd"),
        metrics=obj(span, "metrics"),
    )


def tool_call_of(span: Json, call_ms: float) -> ToolCall:
    asked, status = obj(span, "input"), string(span, "status") or ""
    start_ms, end_ms = times_of(span, call_ms)
    return ToolCall(
        name=string(asked, "name") or string(span, "name") or "",
        arguments=_arguments(asked.get("arguments")),
        result=obj(span, "output").get("result"),
        span_id=str(span["id"]),
        start_ms=start_ms,
        end_ms=end_ms,
        status="ok" if status == "completed" else status,
    )


def _arguments(value: Any) -> Json | str:
    if isinstance(value, dict | str):
        return value
    return "" if value is None else json.dumps(value)


def call_ms_of(trace: Mapping[str, Any]) -> float:
    """How long the call was; of one that does not say, until its last span ended."""
    ends = [span["end_ms"] for span in trace["spans"] if span["end_ms"] is not None]
    return trace["duration_ms"] or max(ends, default=0.0)


def said_in(spans: Sequence[Json], call_ms: float) -> Expected:
    """What the assistant said and which tools it called, as what is expected of another one."""
    lines = [line for span in spans for line in lines_of(span, call_ms)]
    words = [line.text for line in lines if line.role == "assistant"]
    calls = [tool_call_of(span, call_ms) for span in spans if span["type"] == "tool"]
    made = [
        ExpectedCall(call.name, call.arguments if isinstance(call.arguments, dict) else None)
        for call in calls
    ]
    return Expected(" ".join(words) or None, tuple(made))
