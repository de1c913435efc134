"""Latencies and counts by the formulas of the documentation (docs/traces.md), all in ms. A value that cannot
be measured is None, and for the session's metrics the reason stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from voxgate.traces.conversation import Transcript, UserItem
from voxgate.traces.events import Json
from voxgate.traces.lanes import Run
from voxgate.traces.model import Span
from voxgate.traces.responses import Response, ToolCall
from voxgate.traces.session import SessionState
from voxgate.traces.tracks import TrackLayout
from voxgate.traces.usage import COUNTS

_PERCENTILES: Final[dict[str, tuple[str, str, float]]] = {
    # session metric: (span type, span metric, percentile)
    "v2v_p50": ("response", "v2v_heard", 50),
    "v2v_p95": ("response", "v2v_heard", 95),
    "tool_turn_v2v_p50": ("response", "tool_turn_v2v", 50),
    "endpointing_p50": ("response", "endpointing_delay", 50),
    "commit_to_response_p50": ("response", "commit_to_response", 50),
    "model_ttfa_p50": ("response", "model_ttfa", 50),
    "model_ttfa_p95": ("response", "model_ttfa", 95),
    "ttfa_peer_p50": ("response", "ttfa_peer", 50),
    "transcript_lag_p50": ("user", "transcript_lag", 50),
    "tool_wait_p95": ("tool", "tool_wait", 95),
}
_REASONS: Final = {
    "v2v_p50": "needs speech with server VAD, sent in real time and answered by audio",
    "v2v_p95": "needs speech with server VAD, sent in real time and answered by audio",
    "tool_turn_v2v_p50": "no spoken answer came after a tool call",
    "endpointing_p50": "needs server VAD with a known silence_duration_ms and audio sent in real time",
    "commit_to_response_p50": "no response with a known trigger began",
    "model_ttfa_p50": "no response brought audio",
    "model_ttfa_p95": "no response brought audio",
    "ttfa_peer_p50": "no speech was answered by audio",
    "transcript_lag_p50": "no speech was transcribed",
    "tool_wait_p95": "no tool call was answered",
    "greeting_latency": "the assistant did not speak first",
    "cache_hit_rate": "the provider reported no usage",
    "tokens_audio_in": "the provider reported no usage",
    "tokens_audio_out": "the provider reported no usage",
    "tokens_in": "the provider reported no usage",
    "tokens_out": "the provider reported no usage",
    "underrun_ms": "no response brought audio",
    "cost_per_minute": "a price is not known, or the provider reported no usage",
}


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Linear between the closest ranks; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def _between(start_ns: int | None, end_ns: int | None) -> float | None:
    """The time from one to the other; None if one is missing or they are the wrong way round."""
    if start_ns is None or end_ns is None or end_ns < start_ns:
        return None
    return (end_ns - start_ns) / 1e6


def true_speech_end_ms(user: UserItem) -> float | None:
    """On the audio clock. The mark of server VAD includes the silence that it waited for."""
    if user.vad != "server_vad" or user.audio_end_ms is None or user.silence_ms is None:
        return None
    return max(user.audio_end_ms - user.silence_ms, user.audio_start_ms or 0.0)


def speech_end_at(user: UserItem, layout: TrackLayout) -> float | None:
    """When the user really stopped speaking, on the call's clock; None if the audio was not sent in real
    time, since then the provider heard it before it had sounded."""
    end_ms = true_speech_end_ms(user)
    at_ms = layout.user.time_of(end_ms) if end_ms is not None else None
    if at_ms is None or user.ended_ns is None or at_ms > user.ended_ns / 1e6:
        return None
    return at_ms


def user_metrics(user: UserItem, transcript: Transcript | None, layout: TrackLayout) -> Json:
    speech_ms = None
    if user.audio_start_ms is not None and user.audio_end_ms is not None:
        speech_ms = max(user.audio_end_ms - user.audio_start_ms, 0.0)
    completed_ns = transcript.completed_ns if transcript else None
    return {
        "audio_ms": speech_ms,
        "true_speech_end_ms": speech_end_at(user, layout),
        "transcript_lag": _between(user.ended_ns, completed_ns) if user.kind == "speech" else None,
        "barge_in": user.barge_in,
    }


def response_metrics(response: Response, layout: TrackLayout, *, is_first: bool) -> Json:
    lane = layout.assistant
    generated = sum(lane.item_frames(item_id) for item_id in response.item_ids) * 1000 / lane.rate
    heard = sum(lane.heard_frames(item_id) for item_id in response.item_ids) * 1000 / lane.rate
    cuts = [lane.cuts[item_id] for item_id in response.item_ids if item_id in lane.cuts]
    has_audio = response.first_audio_ns is not None
    generation_ms = _between(response.created_ns, response.done_ns)
    return {
        "commit_to_response": _between(_asked_at(response, is_first=is_first), response.created_ns),
        "model_ttfa": _between(response.created_ns, response.first_audio_ns),
        "ttft_text": _between(response.created_ns, response.first_text_ns),
        "generation_ms": generation_ms,
        "audio_generated_ms": generated if has_audio else None,
        "audio_heard_ms": heard if has_audio else None,
        "heard_estimated": any(not cut.exact for cut in cuts) if has_audio else None,
        "truncated_at_ms": heard if cuts and heard < generated else None,
        "underrun_ms": lane.underrun_ms.get(response.id, 0.0) if has_audio else None,
        "rtf": generated / generation_ms if has_audio and generation_ms else None,
        **(_voice_to_voice(response, layout) if is_first else {}),
    }


def _asked_at(response: Response, *, is_first: bool) -> int | None:
    """What the provider waited for before it began: the client's request, or the end of the user's speech."""
    if response.asked_ns is not None:
        return response.asked_ns
    user = _spoken_input(response)
    return user.ended_ns if user is not None and is_first else None


def _spoken_input(response: Response) -> UserItem | None:
    spoken = [user for user in response.turn.users if user.kind == "speech" and not user.discarded]
    return spoken[-1] if spoken else None


def first_run(response: Response, layout: TrackLayout) -> Run | None:
    """Where the response began to sound, if any of it was heard."""
    runs = [run for item_id in response.item_ids for run in layout.assistant.item_runs(item_id)]
    heard = [run for run in runs if run.heard_frames > 0]
    return min(heard, key=lambda run: run.start_ms) if heard else None


def _voice_to_voice(response: Response, layout: TrackLayout) -> Json:
    """For the response that brought a turn's first sound."""
    user, run = _spoken_input(response), first_run(response, layout)
    if user is None:
        return {}
    spoke_until = speech_end_at(user, layout)
    stopped_ms = user.ended_ns / 1e6 if user.ended_ns is not None else None
    v2v = run.start_ms - spoke_until if run and spoke_until is not None else None
    after_tool = bool(response.turn.response_ids and response.turn.response_ids[0] != response.id)
    first_audio_ms = response.first_audio_ns / 1e6 if response.first_audio_ns is not None else None
    measured: Json = {
        "endpointing_delay": stopped_ms - spoke_until if stopped_ms and spoke_until is not None else None,
        "ttfa_peer": _between(user.ended_ns, response.first_audio_ns),
        "playback_queue": run.start_ms - first_audio_ms if run and first_audio_ms is not None else None,
    }
    if response.trigger == "tool" and after_tool:
        return {**measured, "v2v_heard": None, "tool_turn_v2v": v2v}
    return {**measured, "v2v_heard": v2v}


def tool_metrics(tool: ToolCall) -> Json:
    return {"tool_wait": _between(tool.args_done_ns or tool.added_ns, tool.result_ns)}


def session_metrics(
    session: SessionState, spans: list[Span], usage: Json, summary: Json, layout: TrackLayout
) -> tuple[Json, Json]:
    """The session's metrics and, for those that are None, the reasons."""
    metrics: Json = {}
    for name, (span_type, source, percent) in _PERCENTILES.items():
        found = [span.metrics.get(source) for span in spans if span.type == span_type]
        metrics[name] = percentile([value for value in found if value is not None], percent)
    metrics["greeting_latency"] = _greeting_latency(session, spans)
    metrics["turns"] = summary["turns"]
    metrics["interruptions"] = summary["interruptions"]
    metrics["errors"] = len(session.errors)
    underruns = [span.metrics.get("underrun_ms") for span in spans if span.type == "response"]
    known = [value for value in underruns if value is not None]
    metrics["underrun_ms"] = sum(known) if known else None
    metrics |= _token_metrics(usage)
    rounded = {name: round(v, 3) if isinstance(v, float) else v for name, v in metrics.items()}
    rounded["cost_per_minute"] = _cost_per_minute(summary)
    reasons = {name: _REASONS[name] for name, value in rounded.items() if value is None}
    return rounded, reasons


def _cost_per_minute(summary: Json) -> float | None:
    """Not rounded to thousandths as the others: it may be less."""
    usd, duration_ms = summary["cost_usd"], summary["duration_ms"]
    return round(usd * 60_000 / duration_ms, 9) if usd is not None and duration_ms else None


def _token_metrics(usage: Json) -> Json:
    counted = any(name in usage for name in COUNTS)
    tokens_in = usage.get("input_tokens")
    return {
        "tokens_in": tokens_in,
        "tokens_out": usage.get("output_tokens"),
        "tokens_audio_in": usage.get("input_audio_tokens", 0) if counted else None,
        "tokens_audio_out": usage.get("output_audio_tokens", 0) if counted else None,
        "cache_hit_rate": usage.get("cached_tokens", 0) / tokens_in if tokens_in else None,
    }


def _greeting_latency(session: SessionState, spans: list[Span]) -> float | None:
    """From the configured session to the first sound, where the assistant spoke before the user did."""
    first = next((span for span in spans if span.type in ("user", "response")), None)
    if first is None or first.type == "user":
        return None
    play_start = (first.output or {}).get("play_start_ms")
    ready_ms = (session.configured_ns or 0) / 1e6
    return play_start - ready_ms if play_start is not None and play_start >= ready_ms else None
