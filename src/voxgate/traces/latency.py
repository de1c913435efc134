"""The times that people wait: of users, responses and tools, in ms, by the formulas of docs/metrics.md. A
value that cannot be measured is None.

Voice to voice is a chain of moments, each to the microsecond, and its parts are the differences between
them: so they add up to it exactly.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from voxgate.traces.conversation import Transcript, UserItem
from voxgate.traces.events import Json
from voxgate.traces.lanes import Run
from voxgate.traces.model import Span
from voxgate.traces.responses import Response, ToolCall
from voxgate.traces.sound import SoundFacts, within_ms
from voxgate.traces.tracks import TrackLayout

REAL_TIME_MS: Final = 500.0
"""Sound of which the provider found the end this much before it had sounded was not sent in real time."""
_PERCENTILES: Final = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}
_NOTHING: Final = {"n": 0, **dict.fromkeys(("mean", *_PERCENTILES, "max"))}
DISTRIBUTIONS: Final[dict[str, str]] = {
    # the metric of a span: the type of the span
    "v2v_heard": "response",
    "tool_turn_v2v": "response",
    "endpointing_delay": "response",
    "commit_to_response": "response",
    "model_ttfa": "response",
    "playback_queue": "response",
    "lead_silence": "response",
    "tool_time": "response",
    "ttfa_peer": "response",
    "ttft_text": "response",
    "generation_ms": "response",
    "rtf": "response",
    "underrun_ms": "response",
    "transcript_lag": "user",
    "tool_wait": "tool",
    "silence_during_tool": "tool",
}
SPREAD_OF: Final = {
    kind: [name for name, of in DISTRIBUTIONS.items() if of == kind] for kind in set(DISTRIBUTIONS.values())
}

Measurements = dict[str, list[float]]
"""By the name of the metric."""


# Many values


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Linear between the closest ranks; None of nothing."""
    return _at_share(sorted(values), percent) if values else None


def _at_share(ordered: Sequence[float], percent: float) -> float:
    rank = (len(ordered) - 1) * percent / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def distribution(values: Sequence[float]) -> Json:
    """`n`, `mean`, the percentiles and `max`; all but `n` are None of nothing."""
    if not values:
        return dict(_NOTHING)
    ordered = sorted(values)
    shares = {name: round(_at_share(ordered, percent), 3) for name, percent in _PERCENTILES.items()}
    mean = round(math.fsum(ordered) / len(ordered), 3)
    return {"n": len(ordered), "mean": mean, **shares, "max": round(ordered[-1], 3)}


class Latencies:
    """What was measured of many spans, by name and in order, and its distributions. Spans can be taken out
    again: then what remains is as if they had never been there."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {name: [] for name in DISTRIBUTIONS}
        self._spread: dict[str, Json] = {}
        self._changed: set[str] = set()

    def of(self, name: str) -> Sequence[float]:
        return self._values[name]

    def replace(self, before: Measurements, after: Measurements) -> None:
        for name in before.keys() | after.keys():
            old, new = before.get(name, []), after.get(name, [])
            if old != new:
                self._changed.add(name)
                values = self._values[name]
                for value in old:
                    del values[bisect_left(values, value)]
                for value in new:
                    insort(values, value)

    def spread(self) -> dict[str, Json]:
        """The distributions of those that there are."""
        for name in self._changed:
            self._spread[name] = distribution(self._values[name])
        self._changed.clear()
        return {name: self._spread[name] for name in DISTRIBUTIONS if self._values[name]}


def measurements(spans: Iterable[Span]) -> Measurements:
    found: Measurements = {}
    for span in spans:
        for name in SPREAD_OF.get(span.type, ()):
            if (value := span.metrics.get(name)) is not None:
                found.setdefault(name, []).append(value)
    return found


def forget_latencies(spans: Iterable[Span]) -> None:
    """Of a call whose times were made up."""
    for span in spans:
        for name in ("true_speech_end_ms", *SPREAD_OF.get(span.type, ())):
            if name in span.metrics:
                span.metrics[name] = None


# The user


class Speech(NamedTuple):
    """On the call's clock. `source` is `marks` (the provider's) or `vad` (ours)."""

    start_ms: float | None
    end_ms: float | None
    source: str | None


def is_paced(user: UserItem, layout: TrackLayout) -> bool:
    """Whether it was sent as it was spoken: else the provider heard it before it had sounded."""
    if user.audio_end_ms is None or user.ended_ns is None:
        return True
    at_ms = layout.user.time_of(user.audio_end_ms)
    return at_ms is None or at_ms <= user.ended_ns / 1e6 + REAL_TIME_MS


def speech_of(user: UserItem, layout: TrackLayout, sound: SoundFacts | None) -> Speech:
    """When the user really spoke. The marks of server VAD include the padding before and the silence that it
    waited for; where there are none, the sound itself says."""
    if user.kind != "speech" or user.audio_start_ms is None or not is_paced(user, layout):
        return Speech(None, None, None)
    start_ms, end_ms = _marked(user, layout)
    if end_ms is not None:
        return Speech(start_ms, end_ms, "marks")
    if sound is None or user.ended_ns is None:
        return Speech(start_ms, None, "marks" if start_ms is not None else None)
    from_ms = layout.user.time_of(user.audio_start_ms)
    from_ms = from_ms if from_ms is not None else user.started_ns / 1e6
    until_ms = user.ended_ns / 1e6
    first_ms, last_ms = sound.user.first_voice(from_ms, until_ms), sound.user.last_voice(from_ms, until_ms)
    return Speech(first_ms, last_ms, "vad" if first_ms is not None else None)


def _marked(user: UserItem, layout: TrackLayout) -> tuple[float | None, float | None]:
    if user.vad != "server_vad" or user.audio_start_ms is None:
        return None, None
    begin_ms, end_ms = user.audio_start_ms + (user.prefix_ms or 0.0), None
    if user.audio_end_ms is not None and user.silence_ms is not None:
        end_ms = max(user.audio_end_ms - user.silence_ms, user.audio_start_ms)
        begin_ms = min(begin_ms, end_ms)
    at_ms = layout.user.time_of(end_ms) if end_ms is not None else None
    if at_ms is not None and (user.ended_ns is None or at_ms > user.ended_ns / 1e6):
        at_ms = None
    return layout.user.time_of(begin_ms), at_ms


def user_metrics(
    user: UserItem, transcript: Transcript | None, layout: TrackLayout, sound: SoundFacts | None
) -> Json:
    speech_ms = None
    if user.audio_start_ms is not None and user.audio_end_ms is not None:
        speech_ms = max(user.audio_end_ms - user.audio_start_ms, 0.0)
    speech = speech_of(user, layout, sound)
    completed_ns = transcript.completed_ns if transcript else None
    return {
        "audio_ms": speech_ms,
        "true_speech_start_ms": speech.start_ms,
        "true_speech_end_ms": speech.end_ms,
        "speech_source": speech.source,
        "transcript_lag": _between(user.ended_ns, completed_ns) if user.kind == "speech" else None,
        "barge_in": user.barge_in,
        "overlap_ms": _overlap_ms(speech, sound),
    }


def _overlap_ms(speech: Speech, sound: SoundFacts | None) -> float | None:
    if sound is None or speech.start_ms is None or speech.end_ms is None:
        return None
    return within_ms(sound.both, speech.start_ms, speech.end_ms)


# Responses


def response_metrics(
    response: Response, layout: TrackLayout, sound: SoundFacts | None, *, is_first: bool
) -> Json:
    """`is_first`: it brought the turn's first sound, or is its first where none sounded."""
    lane = layout.assistant
    generated = sum(lane.item_frames(item_id) for item_id in response.item_ids) * 1000 / lane.rate
    heard = sum(lane.heard_frames(item_id) for item_id in response.item_ids) * 1000 / lane.rate
    cuts = [lane.cuts[item_id] for item_id in response.item_ids if item_id in lane.cuts]
    has_audio = response.first_audio_ns is not None
    generation_ms = _between(response.created_ns, response.done_ns)
    return {
        "commit_to_response": _between(_asked_ns(response), response.created_ns),
        "model_ttfa": _between(response.created_ns, response.first_audio_ns),
        "ttft_text": _between(response.created_ns, response.first_text_ns),
        "generation_ms": generation_ms,
        "audio_generated_ms": generated if has_audio else None,
        "audio_heard_ms": heard if has_audio else None,
        "heard_estimated": any(not cut.exact for cut in cuts) if has_audio else None,
        "truncated_at_ms": heard if cuts and heard < generated else None,
        "underrun_ms": lane.underrun_ms.get(response.id, 0.0) if has_audio else None,
        "rtf": generated / generation_ms if has_audio and generation_ms else None,
        **(_voice_to_voice(response, layout, sound) if is_first else {}),
    }


def _asked_ns(response: Response) -> int | None:
    """What the provider waited for before it began: the end of the user's speech, for the first response
    to it; else the client's request."""
    user = spoken_input(response)
    opens = response.turn.response_ids[:1] == [response.id]
    if user is not None and opens and user.ended_ns is not None:
        return user.ended_ns
    return response.asked_ns


def spoken_input(response: Response) -> UserItem | None:
    spoken = [user for user in response.turn.users if user.kind == "speech" and not user.discarded]
    return spoken[-1] if spoken else None


def heard_runs(response: Response, layout: TrackLayout) -> list[Run]:
    runs = (run for item_id in response.item_ids for run in layout.assistant.item_runs(item_id))
    return sorted((run for run in runs if run.heard_frames > 0), key=lambda run: run.start_ms)


def first_run(response: Response, layout: TrackLayout) -> Run | None:
    """Where the response began to sound, if any of it was heard."""
    runs = heard_runs(response, layout)
    return runs[0] if runs else None


def _first_voice(response: Response, layout: TrackLayout, sound: SoundFacts) -> float | None:
    rate = layout.assistant.rate
    runs = (
        (run.start_ms, run.start_ms + run.heard_frames * 1000 / rate) for run in heard_runs(response, layout)
    )
    voices = (sound.heard.first_voice(start, end) for start, end in runs)
    return next((voice for voice in voices if voice is not None), None)


def _voice_to_voice(response: Response, layout: TrackLayout, sound: SoundFacts | None) -> Json:
    """For the response that brought a turn's first sound, from the end of speech to the first voice; without
    `sound` to the first of its sound, of which then nobody knows how much is silence."""
    user, run = spoken_input(response), first_run(response, layout)
    if user is None:
        return {}
    speech = speech_of(user, layout, sound)
    after_tool = response.trigger == "tool" and response.turn.response_ids[0] != response.id
    voice_ms = _first_voice(response, layout, sound) if sound is not None and run is not None else None
    asked_ns = _last_wait_ns(response, user) if after_tool else user.ended_ns
    moments = [
        ("", speech.end_ms),
        ("endpointing_delay", _ms(user.ended_ns)),
        *([("tool_time", _ms(asked_ns))] if after_tool else []),
        ("commit_to_response", _ms(response.created_ns)),
        ("model_ttfa", _ms(response.first_audio_ns)),
        ("playback_queue", run.start_ms if run is not None else None),
        ("lead_silence", voice_ms),
    ]
    parts = {name: _step(start, end) for (_, start), (name, end) in pairwise(moments)}
    known = [value for name, value in parts.items() if name != "lead_silence" or sound is not None]
    v2v = _sum(known)
    names = ("tool_turn_v2v", "v2v_heard") if after_tool else ("v2v_heard",)
    whole = {name: v2v if name == names[0] else None for name in names}
    return {**parts, **whole, "ttfa_peer": _between(user.ended_ns, response.first_audio_ns)}


def _last_wait_ns(response: Response, user: UserItem) -> int | None:
    """What a response after a tool waited for: the client's request; where the provider ran the tool, the end
    of the response before."""
    return response.asked_ns if response.asked_ns is not None else response.previous_done_ns or user.ended_ns


def _step(start_ms: float | None, end_ms: float | None) -> float | None:
    if start_ms is None or end_ms is None:
        return None
    step = round(round(end_ms, 3) - round(start_ms, 3), 3)
    return step if step >= 0 else None


def _sum(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return round(math.fsum(known), 3) if len(known) == len(parts) else None


def _ms(t_ns: int | None) -> float | None:
    return None if t_ns is None else t_ns / 1e6


def _between(start_ns: int | None, end_ns: int | None) -> float | None:
    """The time from one to the other; None if one is missing or they are the wrong way round."""
    return _step(_ms(start_ns), _ms(end_ns))


# Tools


def tool_metrics(tool: ToolCall, sound: SoundFacts | None) -> Json:
    start_ns = tool.args_done_ns or tool.added_ns
    return {
        "tool_wait": _between(start_ns, tool.result_ns),
        "silence_during_tool": _silence_ms(start_ns, tool.result_ns, sound),
        "schema_valid": tool.fits,
    }


def _silence_ms(start_ns: int, end_ns: int | None, sound: SoundFacts | None) -> float | None:
    """How long nobody spoke while the tool ran."""
    if sound is None or end_ns is None:
        return None
    start_ms, end_ms = start_ns / 1e6, max(start_ns, end_ns) / 1e6
    return end_ms - start_ms - within_ms(sound.voiced, start_ms, end_ms)
