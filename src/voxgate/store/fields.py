"""What the filter language can ask about a session: each field's name, kind and column, and how its values
are written. One list, from which the parser, the tables, the documents and `GET /api/sessions/fields` are
made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a field's values are."""

    TEXT = "text"
    LIST = "list"  # several texts, of which one must match
    CHOICE = "choice"
    TIME = "time"
    DURATION = "duration"
    MONEY = "money"
    RATIO = "ratio"
    NUMBER = "number"
    WORDS = "words"

    @property
    def is_measured(self) -> bool:
        """Whether its values are numbers, larger and smaller."""
        return self in _UNITS


STATUSES: Final = ("live", "complete", "interrupted", "failed")
_SPANS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_UNITS: Final = {Kind.DURATION: "ms", Kind.MONEY: "US dollars", Kind.RATIO: "of 1", Kind.NUMBER: ""}
_EXAMPLES: Final = {
    Kind.DURATION: "500ms, 30s, 1.5m, 1h30m",
    Kind.MONEY: "0.10, $2",
    Kind.RATIO: "0.9, 90%",
    Kind.NUMBER: "3, 0.5",
}
_NUMBER: Final = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_LARGEST: Final = 10**12
_DIGITS: Final = 12
"""Behind the point: what a float of that size can tell apart, and what is read again as it was written."""
_SPAN: Final = re.compile(rf"({_NUMBER})(ms|[smhdw])")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: Kind
    help: str
    column: str
    """Of the table of what is searched; for words the column of the full text, empty for all."""

    @property
    def examples(self) -> str:
        """Values that can be written, for errors and documents."""
        if self.kind is Kind.CHOICE:
            return ", ".join(STATUSES)
        return _EXAMPLES.get(self.kind, "")


_OWN: Final = (
    Field("project", Kind.TEXT, "project", "project"),
    Field("model", Kind.TEXT, "model, as the caller asked for it", "model"),
    Field("provider", Kind.TEXT, "provider that had the call", "provider"),
    Field("status", Kind.CHOICE, "live, complete, interrupted or failed", "status"),
    Field("started", Kind.TIME, "when the call began", "number"),
    Field("tag", Kind.LIST, "one of the tags", "tags"),
    Field("user", Kind.TEXT, "`user_id` of the metadata", "user_id"),
    Field("endpoint", Kind.TEXT, "`realtime` of calls, else as `chat/completions`", "endpoint"),
    Field("parent", Kind.TEXT, "id of the session that a request works for", "parent_id"),
    Field("credential", Kind.TEXT, "id of the temporary credential", "credential_id"),
    Field("id", Kind.TEXT, "id of the session", "session_id"),
    Field("tool", Kind.LIST, "name of a tool that was called", "tools"),
    Field("error", Kind.LIST, "code or type of an error, or the code of an abnormal close", "codes"),
    Field("duration", Kind.DURATION, "length of the call", "duration_ms"),
    Field("cost", Kind.MONEY, "cost in US dollars", "cost_usd"),
    Field("turns", Kind.NUMBER, "turns", "turns"),
    Field("interruptions", Kind.NUMBER, "answers that the user cut short", "interruptions"),
    Field("errors", Kind.NUMBER, "number of errors", "errors"),
)
# Of the session's metrics (docs/metrics.md), by how their values are written. Another one needs a column, and
# so a step in `migrations`.
_TIMES: Final = (
    *("v2v_p50", "v2v_p95", "tool_turn_v2v_p50", "tool_turn_v2v_p95", "endpointing_p50"),
    *("commit_to_response_p50", "model_ttfa_p50", "model_ttfa_p95", "ttfa_peer_p50", "lead_silence_p50"),
    *("transcript_lag_p50", "tool_wait_p95", "greeting_latency", "underrun_ms", "response_latency_p50"),
    *("silence_during_tool_total", "silence_during_tool_longest", "yield_latency_p50", "overlap_ms"),
    *("dead_air_total", "dead_air_longest", "dead_air_agent", "dead_air_user", "dead_air_tool"),
)
_RATIOS: Final = (
    *("response_rate", "yield_rate", "agent_interruption_rate", "ghost_interruption_rate", "talk_ratio"),
    *("reprompt_rate", "clipping", "clipping_assistant", "tool_error_rate", "tool_schema_validity"),
    "cache_hit_rate",
)
_NUMBERS: Final = (
    *("tokens_in", "tokens_out", "tokens_audio_in", "tokens_audio_out"),
    *("snr_db", "loudness", "loudness_assistant", "missed_last_turn"),
)
_METRICS: Final = tuple(
    Field(name, kind, "a metric of the session", name)
    for kind, names in (
        (Kind.DURATION, _TIMES),
        (Kind.RATIO, _RATIOS),
        (Kind.MONEY, ("cost_per_minute",)),
        (Kind.NUMBER, _NUMBERS),
    )
    for name in names
)
_SAID: Final = (
    Field("text", Kind.WORDS, "words anywhere, as without a field", ""),
    Field("title", Kind.WORDS, "words of the title", "title"),
    Field("user_said", Kind.WORDS, "words of the user", "user_said"),
    Field("assistant_said", Kind.WORDS, "words of the assistant", "assistant_said"),
)
SCORE: Final = "score."
"""Before the name of a score: each name is a field."""
FIELDS: Final = {field.name: field for field in (*_OWN, *_METRICS, *_SAID)}
METRICS: Final = tuple(field.name for field in _METRICS)
SPOKEN: Final = ("title", "user_said", "assistant_said", "tools")
"""The columns of the full text."""
ALIASES: Final = {
    "tags": "tag",
    "tools": "tool",
    "user_id": "user",
    "credential_id": "credential",
    "cost_usd": "cost",
    "v2v": "v2v_p50",
    "first_audio": "model_ttfa_p50",
    "first_audio_p95": "model_ttfa_p95",
}
WITHOUT_VALUE: Final = frozenset(
    name
    for name, field in FIELDS.items()
    if field.kind.is_measured or field.kind is Kind.LIST or name in ("user", "credential", "parent")
)
"""Fields that a session may not have: `has:` asks for them."""


def find_field(name: str) -> Field | None:
    """A field by its name, one of its other names, or `score.NAME`."""
    if name.startswith(SCORE):
        return Field(name, Kind.NUMBER, "a score of the session or of one of its spans", "")
    return FIELDS.get(ALIASES.get(name, name))


def field_of(name: str) -> Field:
    """Of one that there is."""
    found = find_field(name)
    assert found is not None
    return found


def read_number(kind: Kind, text: str) -> float | None:
    """A value in the unit of the field's column: ms, US dollars, of 1. None if it is not one of the kind."""
    if kind is Kind.DURATION:
        return read_span(text)
    digits, scale = text, Decimal(1)
    if kind is Kind.RATIO and text.endswith("%"):
        digits, scale = text[:-1], Decimal(100)
    elif kind is Kind.MONEY:
        digits = text.removeprefix("$")
    if not re.fullmatch(f"-?{_NUMBER}", digits):
        return None
    return _float(Decimal(digits) / scale)


def read_span(text: str) -> float | None:
    """Milliseconds of `90s`, `1h30m`; None if it is no span of time."""
    if not re.fullmatch(f"(?:{_SPAN.pattern})+", text.lower()):
        return None
    ms = sum((Decimal(digits) * _SPANS[unit] for digits, unit in _SPAN.findall(text.lower())), Decimal(0))
    return _float(ms)


def _float(number: Decimal) -> float | None:
    return float(round(number, _DIGITS)) if abs(number) <= _LARGEST else None


def write_number(kind: Kind, value: float) -> str:
    """What `read_number` reads as the same value."""
    return write_span(value) if kind is Kind.DURATION else _plain(Decimal(repr(value)))


def write_span(ms: float) -> str:
    """In the largest unit of which it is a whole number."""
    exact = Decimal(repr(ms))
    for unit, size in reversed(_SPANS.items()):
        if exact and exact % size == 0:
            return f"{_plain(exact / size)}{unit}"
    return f"{_plain(exact)}ms"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
