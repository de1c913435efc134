"""A recorded call as a scorer sees it: its words, answers, tool calls and metrics out of the trace, and its
sound and its events when asked for. A turn of it is a session too, with all else left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import inf
from threading import Lock
from typing import Any, Final, Literal, Protocol

import numpy as np

from voxgate.core.errors import NotFound
from voxgate.evals.model import Evidence, Json, ToolCall
from voxgate.evals.reading import Line, Response, Role, lines_of, response_of, tool_call_of
from voxgate.evals.sound import HeldTrack, LaneWave, Sound, Track
from voxgate.evals.turns import turn_metrics, turn_usage
from voxgate.traces.events import number, obj, objects, string

Clip = Literal["user", "assistant", "heard"]
_WHOLE_ONLY: Final = "it is measured of whole calls, and this is one turn"
_NOT_HERE: Final = "nothing in this turn has it"


class Source(Protocol):
    """Where what is too large for the trace comes from: the API, or the store of the recorder."""

    def audio(self, session_id: str, track: Track) -> Iterator[bytes]:
        """The whole track as a WAV file, in pieces; none where there is no sound."""
        ...

    def events(self, session_id: str) -> Iterator[Json]:
        """The event log, line by line: `{"t", "dir", "msg"}`."""
        ...


class NoSource:
    """Of a trace by itself: it has no sound and no events."""

    def audio(self, session_id: str, track: Track) -> Iterator[bytes]:
        return iter(())

    def events(self, session_id: str) -> Iterator[Json]:
        return iter(())


class _Recording:
    """The sound of a call, fetched once; whole or by turns, it is the same."""

    def __init__(self, session_id: str, source: Source) -> None:
        self.session_id = session_id
        self.source = source
        self._lock = Lock()
        self._tracks: dict[Track, HeldTrack] = {}
        self._is_there: dict[Track, bool] = {}

    def track(self, name: Track) -> HeldTrack:
        with self._lock:
            if name not in self._tracks:
                self._tracks[name] = HeldTrack(self.source.audio(self.session_id, name))
            return self._tracks[name]

    def is_there(self, name: Track) -> bool:
        """Without fetching all of it."""
        with self._lock:
            if name in self._tracks:
                return self._tracks[name].rate > 0
            if name not in self._is_there:
                self._is_there[name] = any(self.source.audio(self.session_id, name))
            return self._is_there[name]


class Session:
    """`trace` is what `GET /api/sessions/{id}` answers, or a `Trace.to_json()`: the summary, `metrics` and
    `spans`."""

    def __init__(self, trace: Mapping[str, Any], source: Source | None = None) -> None:
        self.trace: Json = dict(trace)
        self._recording = _Recording(self.id, source or NoSource())
        self.span_id: str | None = None
        """The turn that this is; None of a whole call."""

    def __repr__(self) -> str:
        return f"<Session {self.id}{f' turn {self.span_id}' if self.span_id else ''}>"

    # The call

    @property
    def id(self) -> str:
        return str(self.trace["id"])

    @property
    def model(self) -> str:
        return string(self.trace, "model") or ""

    @property
    def provider(self) -> str:
        return string(self.trace, "provider") or ""

    @property
    def project(self) -> str:
        return string(self.trace, "project") or ""

    @property
    def status(self) -> str:
        return str(self._root.get("status") if self.span_id else self.trace.get("status"))

    @property
    def tags(self) -> list[str]:
        return list(self.trace.get("tags") or ())

    @property
    def metadata(self) -> Json:
        return obj(self.trace, "metadata")

    @property
    def config(self) -> Json:
        """The session's settings as the provider last told them: instructions, tools, voice, formats."""
        return obj(self.trace, "config")

    @property
    def start_ms(self) -> float:
        return number(self._root, "start_ms") or 0.0 if self.span_id else 0.0

    @property
    def end_ms(self) -> float:
        """Of a call or a turn that runs: as far as it has come."""
        call_ms = number(self.trace, "duration_ms") or 0.0
        if self.span_id is None:
            return call_ms
        end_ms = number(self._root, "end_ms")
        return call_ms if end_ms is None else min(end_ms, call_ms)

    @property
    def duration_ms(self) -> float:
        return max(self.end_ms - self.start_ms, 0.0)

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.start_ms, max(self.end_ms, self.start_ms), self.span_id)

    # What was measured

    @cached_property
    def metrics(self) -> Json:
        """Of docs/metrics.md, None where not measured; of a turn those that follow from its spans."""
        if self.span_id is None:
            return obj(self.trace, "metrics")
        return turn_metrics(self.spans, obj(self.trace, "metrics"))

    def why_missing(self, metric: str) -> str:
        """Why a metric is None."""
        if self.span_id is not None:
            return _NOT_HERE if metric in turn_metrics((), {}) else _WHOLE_ONLY
        reason = string(obj(self.trace, "metric_reasons"), metric)
        return reason or f"the session has no metric {metric!r}"

    @property
    def latency(self) -> Json:
        """The distributions of the whole call's latencies."""
        return obj(self.trace, "latency")

    @property
    def usage(self) -> Json:
        return obj(self.trace, "usage") if self.span_id is None else turn_usage(self.spans)

    @property
    def cost_usd(self) -> float | None:
        """None where a price is not known, and then every sum with it."""
        if self.span_id is None:
            return number(self.trace, "cost_usd")
        costs = [number(span, "cost_usd") for span in self.spans if span.get("usage")]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if known and len(known) == len(costs) else None

    @property
    def errors(self) -> list[Json]:
        """`{"t_ms", "source", "type", "code", "message"}`."""
        start_ms, end_ms = self.start_ms, self.end_ms
        found = objects(self.trace, "errors")
        if self.span_id is None:
            return found
        return [one for one in found if start_ms <= (number(one, "t_ms") or 0.0) <= end_ms]

    # What was said and done

    @cached_property
    def spans(self) -> list[Json]:
        return objects(self.trace, "spans")

    @cached_property
    def _root(self) -> Json:
        return next((span for span in self.spans if span["id"] == self.span_id), {})

    @cached_property
    def turns(self) -> tuple[Session, ...]:
        """Each by itself, as a session of its own."""
        return tuple(_Turn(self, span["id"]) for span in self.spans if span.get("type") == "turn")

    def turn(self, span_id: str) -> Session:
        """The turn of this id, or the one that has the span of this id; NotFound if there is none."""
        if span_id == self.span_id:
            return self
        for turn in self.turns:
            if any(span["id"] == span_id for span in turn.spans):
                return turn
        raise NotFound(f"The session {self.id} has no turn {span_id!r}.", param="span_id")

    @cached_property
    def lines(self) -> list[Line]:
        """What both sides said and wrote, in the order in which it began."""
        found = [line for span in self.spans for line in lines_of(span, self.call_ms)]
        return sorted(found, key=lambda line: line.start_ms)

    def said(self, role: Role, *, heard: bool = False) -> str:
        """All words of one side, line by line; with `heard` only those that the user heard."""
        lines = [line for line in self.lines if line.role == role]
        words = [line.heard_text if heard and line.heard_text is not None else line.text for line in lines]
        return "\n".join(word for word in words if word)

    @cached_property
    def responses(self) -> list[Response]:
        return [response_of(span, self.call_ms) for span in self.spans if span.get("type") == "response"]

    @cached_property
    def tool_calls(self) -> list[ToolCall]:
        """All that the assistant made, in order; also those that failed or were never answered."""
        return [tool_call_of(span, self.call_ms) for span in self.spans if span.get("type") == "tool"]

    @property
    def call_ms(self) -> float:
        """How long the whole call took: no evidence lies behind that."""
        return number(self.trace, "duration_ms") or 0.0

    # What it sounded like

    def events(self) -> Iterator[Json]:
        """The event log of the whole call."""
        return self._recording.source.events(self.id)

    def audio(self, track: Track, longest_ms: float = inf) -> Sound:
        """All of a track at once; of `heard` and `mix` no more than `longest_ms`, and on the call's clock:
        the sample of `ms` is `ms * rate / 1000`. `user` and `assistant` are what was sent and received, one
        after the other. Of a turn: its part of `heard` and `mix`, from `start_ms` on; of others its clips."""
        held = self._recording.track(track)
        if self.span_id is not None and held.rate and track in ("user", "assistant"):
            clips = [self.clip(span["id"], track).samples for span in self.spans]
            return Sound(np.concatenate([np.zeros(0, np.float32), *clips]), held.rate)
        return Sound(held.read(*self._part(held, longest_ms)), held.rate)

    def lane(self, role: Role) -> Sound:
        """One side as it sounded for the user, on the clock that `audio("mix")` has."""
        wave = self.wave(role)
        return Sound(wave[:], wave.rate)

    def wave(self, role: Role) -> LaneWave:
        """As `lane`, for calls of any length: read by slices, where it is looked at."""
        held = self._recording.track("mix")
        return LaneWave(held, 0 if role == "user" else 1, *self._part(held))

    def has_audio(self, track: Track) -> bool:
        """Whether it was recorded."""
        return self._recording.is_there(track)

    def _part(self, held: HeldTrack, longest_ms: float = inf) -> tuple[int, int]:
        """The frames of a track on the call's clock, or of all of one that is not."""
        if self.span_id is None:
            return 0, len(held) if longest_ms == inf else held.between(0, longest_ms)[1]
        return held.between(self.start_ms, min(self.end_ms, self.start_ms + longest_ms))

    def clip(self, span_id: str, name: Clip) -> Sound:
        """A span's own sound: what the user said, what was generated, or how much of that was heard."""
        held, pieces = self._clip(span_id, name)
        samples = [held.read(start, end) for start, end in pieces]
        return Sound(np.concatenate([np.zeros(0, np.float32), *samples]), held.rate)

    def clip_ms(self, span_id: str, name: Clip) -> float:
        """How long that is."""
        held, pieces = self._clip(span_id, name)
        frames = sum(max(min(end, len(held)) - start, 0) for start, end in pieces)
        return frames * 1000 / held.rate if held.rate else 0.0

    def _clip(self, span_id: str, name: Clip) -> tuple[HeldTrack, list[tuple[int, int]]]:
        held = self._recording.track("user" if name == "user" else "assistant")
        span = next((one for one in self.spans if one["id"] == span_id), {})
        return held, _pieces(span, name) if span.get("type") in ("user", "response") else []


class _Turn(Session):
    def __init__(self, whole: Session, span_id: str) -> None:
        self.trace = whole.trace
        self._recording = whole._recording  # noqa: SLF001 - it is this class's own
        self.span_id = span_id
        self.spans = _below(whole.spans, span_id)

    @cached_property
    def turns(self) -> tuple[Session, ...]:
        return (self,)


def _below(spans: Sequence[Json], root_id: str) -> list[Json]:
    """The span and all that are under it; parents come before their children."""
    inside = {root_id}
    found = []
    for span in spans:
        if span["id"] in inside or span.get("parent_id") in inside:
            inside.add(span["id"])
            found.append(span)
    return found


def _pieces(span: Json, name: Clip) -> list[tuple[int, int]]:
    """Frames of the track. Where all was heard there is no clip `heard` of its own."""
    clips = [one for one in objects(span, "attachments") if one.get("name") == name]
    if name == "heard" and not clips and number(obj(span, "metrics"), "truncated_at_ms") is None:
        clips = [one for one in objects(span, "attachments") if one.get("name") == "assistant"]
    return [(int(one["start_byte"]) // 2, int(one["end_byte"]) // 2) for one in clips if "start_byte" in one]
