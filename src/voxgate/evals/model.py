"""The words of an evaluation: case, output, score. Everything here is plain data that goes to the API, to
files and back unchanged; what does something with it is in the modules beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Json = dict[str, Any]
Direction = Literal["max", "min"]
"""Whether more of a score is better, or less."""
ScoreSource = Literal["human", "code", "judge"]
InputKind = Literal["text", "audio", "turn", "session", "simulation", "value"]
INPUT_KINDS: Final[tuple[InputKind, ...]] = ("text", "audio", "turn", "session", "simulation", "value")
NEEDED: Final[Mapping[InputKind, tuple[str, ...]]] = {
    "text": ("text",),
    "audio": ("clips",),
    "turn": ("recording", "turn"),
    "session": ("recording",),
    "simulation": ("scenario",),
    "value": (),
}
"""The fields without which an input of the kind is none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The stretch of the call that earned a score; ms since the session began."""

    start_ms: float
    end_ms: float
    span_id: str | None = None

    def to_json(self) -> Json:
        return {"span_id": self.span_id, "start_ms": round(self.start_ms, 3), "end_ms": round(self.end_ms, 3)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Evidence:
        return cls(float(body["start_ms"]), float(body["end_ms"]), body.get("span_id"))


@dataclass(frozen=True, slots=True)
class Score:
    """`value` is None only with a `reason_missing`: what could not be measured is not zero."""

    name: str
    value: float | None
    n: int = 1
    """How many measurements the value sums up: words, turns, votes."""
    unit: str | None = None
    direction: Direction = "max"
    evidence: tuple[Evidence, ...] = ()
    params: Json = field(default_factory=dict)
    scorer_version: str | None = None
    reason_missing: str | None = None
    explanation: str | None = None
    label: str | None = None
    """The choice in words where a scorer chooses: `pass`, `fail`, `partly`."""
    source: ScoreSource = "code"
    span_id: str | None = None
    """The span that the score is of; None for the whole session."""

    def __post_init__(self) -> None:
        if self.value is None and not self.reason_missing:
            raise ValueError(f"The score {self.name!r} has neither a value nor a reason why it is missing.")

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "value": self.value,
            "n": self.n,
            "unit": self.unit,
            "direction": self.direction,
            "evidence": [one.to_json() for one in self.evidence],
            "params": self.params,
            "scorer_version": self.scorer_version,
            "reason_missing": self.reason_missing,
            "explanation": self.explanation,
            "label": self.label,
            "source": self.source,
            "span_id": self.span_id,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Score:
        known = {name: body[name] for name in cls.__dataclass_fields__ if body.get(name) is not None}
        known["value"] = body.get("value")
        known["evidence"] = tuple(Evidence.from_json(one) for one in body.get("evidence") or ())
        return cls(**known)


def missing(name: str, reason: str, **more: Any) -> Score:
    return Score(name, None, n=0, reason_missing=reason, **more)


@dataclass(frozen=True, slots=True)
class ExpectedCall:
    """A tool call that ought to be made. `arguments` None: whatever they are."""

    name: str
    arguments: Json | None = None

    def to_json(self) -> Json:
        return {"name": self.name, "arguments": self.arguments}


@dataclass(frozen=True, slots=True)
class Expected:
    """What ought to come out; each part is None where nothing is expected of it."""

    transcript: str | None = None
    tool_calls: tuple[ExpectedCall, ...] | None = None
    value: Any = None
    """Free form: whatever the case's own scorers compare with."""

    def to_json(self) -> Json:
        calls = None if self.tool_calls is None else [one.to_json() for one in self.tool_calls]
        return {"transcript": self.transcript, "tool_calls": calls, "value": self.value}

    @classmethod
    def from_json(cls, body: Mapping[str, Any] | None) -> Expected:
        body = body or {}
        calls = body.get("tool_calls")
        made = None if calls is None else tuple(ExpectedCall(c["name"], c.get("arguments")) for c in calls)
        return cls(body.get("transcript"), made, body.get("value"))


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of sound of a case: a blob of the data set (`blob`), or a file beside a local one (`path`)."""

    content_type: str
    blob: str | None = None
    path: str | None = None
    duration_ms: float | None = None

    def to_json(self) -> Json:
        return {
            "content_type": self.content_type,
            "blob": self.blob,
            "path": self.path,
            "duration_ms": self.duration_ms,
        }


@dataclass(frozen=True, slots=True)
class Input:
    """What goes in. `kind` says which fields count:

    text        one user message, `text`
    audio       one spoken user turn, `clips[0]`; `text` is what is said in it, where that is known
    turn        turn `turn` (from 0) of a recorded session: its event log is the blob `recording`
    session     all of a recorded session, likewise
    simulation  a scenario (`scenario`, the shape of `evals.scenario`): a model plays the user
    value       anything at all (`value`), for tasks that are functions of their own
    """

    kind: InputKind
    text: str | None = None
    clips: tuple[Clip, ...] = ()
    recording: str | None = None
    turn: int | None = None
    scenario: Json | None = None
    config: Json | None = None
    """Session settings that the case brings along: instructions, tools, voice."""
    value: Any = None

    def to_json(self) -> Json:
        return {
            "kind": self.kind,
            "text": self.text,
            "clips": [clip.to_json() for clip in self.clips],
            "recording": self.recording,
            "turn": self.turn,
            "scenario": self.scenario,
            "config": self.config,
            "value": self.value,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Input:
        known = {name: body[name] for name in cls.__dataclass_fields__ if body.get(name) is not None}
        known["clips"] = tuple(Clip(**clip) for clip in body.get("clips") or ())
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of a data set. `session_id` and `span_id` say which recorded call it came from."""

    id: str
    input: Input
    expected: Expected = Expected()
    metadata: Json = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    session_id: str | None = None
    span_id: str | None = None
    dataset_id: str | None = None
    """Whose blobs its input names; set by whoever loads it from a data set, and not part of its JSON."""

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "input": self.input.to_json(),
            "expected": self.expected.to_json(),
            "metadata": self.metadata,
            "tags": list(self.tags),
            "session_id": self.session_id,
            "span_id": self.span_id,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Case:
        return cls(
            id=body["id"],
            input=Input.from_json(body["input"]),
            expected=Expected.from_json(body.get("expected")),
            metadata=dict(body.get("metadata") or {}),
            tags=tuple(body.get("tags") or ()),
            session_id=body.get("session_id"),
            span_id=body.get("span_id"),
            dataset_id=body.get("dataset_id"),
        )


@dataclass(frozen=True, slots=True)
class ToolCall:
    """As the assistant made it. `result` is None where none was given."""

    name: str
    arguments: Json | str
    """As a string where the model's arguments are not a JSON object."""
    result: Any = None
    span_id: str | None = None
    start_ms: float | None = None
    end_ms: float | None = None
    status: str = "ok"

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Output:
    """What a task made of a case. `value` is what a scorer gets as `output`: the text by default."""

    text: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    session_id: str | None = None
    """The recorded session that it was made in; a replay is one of its own."""
    turn_span_id: str | None = None
    """The turn of that session that answers the case, where the case is one turn of a longer call."""
    value: Any = None
    metadata: Json = field(default_factory=dict)
    """What the task has to say beside: `diverged`, `misses` of recorded tools, the scenario's end."""
    cost_usd: float | None = None

    def to_json(self) -> Json:
        calls = [one.to_json() for one in self.tool_calls]
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"tool_calls": calls}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Output:
        known = {name: body[name] for name in cls.__dataclass_fields__ if body.get(name) is not None}
        known["tool_calls"] = tuple(ToolCall(**one) for one in body.get("tool_calls") or ())
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Result:
    """One case, one trial: what came out and what it is worth. `error` is of the harness or the provider; a
    case that failed for a reason of its own has scores."""

    case_id: str
    trial: int
    output: Output | None
    scores: tuple[Score, ...] = ()
    error: str | None = None
    started_at: str | None = None
    duration_ms: float | None = None
    cost_usd: float | None = None

    def to_json(self) -> Json:
        return {
            "case_id": self.case_id,
            "trial": self.trial,
            "output": self.output.to_json() if self.output else None,
            "scores": [score.to_json() for score in self.scores],
            "error": self.error,
            "started_at": self.started_at,
            "duration_ms": self.duration_ms,
            "cost_usd": self.cost_usd,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Result:
        output = body.get("output")
        return cls(
            case_id=body["case_id"],
            trial=int(body["trial"]),
            output=Output.from_json(output) if output else None,
            scores=tuple(Score.from_json(one) for one in body.get("scores") or ()),
            error=body.get("error"),
            started_at=body.get("started_at"),
            duration_ms=body.get("duration_ms"),
            cost_usd=body.get("cost_usd"),
        )
