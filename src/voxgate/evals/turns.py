"""The metrics of one turn, from its spans: the same names as a session's, for those that are no matter of a
whole call. Spans in, numbers out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from voxgate.evals.model import Json
from voxgate.traces.events import number, obj, string
from voxgate.traces.latency import DISTRIBUTIONS, percentile

PERCENTILES: Final[dict[str, tuple[str, int]]] = {
    # the metric of a session: what it is a percentile of in the spans
    "v2v_p50": ("v2v_heard", 50),
    "v2v_p95": ("v2v_heard", 95),
    "tool_turn_v2v_p50": ("tool_turn_v2v", 50),
    "tool_turn_v2v_p95": ("tool_turn_v2v", 95),
    "endpointing_p50": ("endpointing_delay", 50),
    "commit_to_response_p50": ("commit_to_response", 50),
    "model_ttfa_p50": ("model_ttfa", 50),
    "model_ttfa_p95": ("model_ttfa", 95),
    "ttfa_peer_p50": ("ttfa_peer", 50),
    "lead_silence_p50": ("lead_silence", 50),
    "transcript_lag_p50": ("transcript_lag", 50),
    "tool_wait_p95": ("tool_wait", 95),
}
_SUMS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "underrun_ms": math.fsum,
    "silence_during_tool_total": math.fsum,
    "silence_during_tool_longest": max,
}
SUMMED: Final = {
    "underrun_ms": "underrun_ms",
    "silence_during_tool_total": "silence_during_tool",
    "silence_during_tool_longest": "silence_during_tool",
}
_TOKENS: Final = {
    "tokens_in": "input_tokens",
    "tokens_out": "output_tokens",
    "tokens_audio_in": "input_audio_tokens",
    "tokens_audio_out": "output_audio_tokens",
}


def turn_metrics(spans: Sequence[Json], whole: Json) -> Json:
    """`whole` are the session's: what it does not have, a turn has not either."""
    found: dict[str, float | None] = {
        name: percentile(_values(spans, source), percent) for name, (source, percent) in PERCENTILES.items()
    }
    for name, of in _SUMS.items():
        values = _values(spans, SUMMED[name])
        found[name] = of(values) if values else None
    usage = turn_usage(spans)
    found |= {name: usage.get(source) for name, source in _TOKENS.items()}
    found["tool_schema_validity"] = _share_that_fits(spans)
    interrupted = [bool(obj(span, "metrics").get("interrupted")) for span in spans if span["type"] == "turn"]
    found |= {"turns": 1, "interruptions": sum(interrupted)}
    return dict.fromkeys(whole) | {name: _rounded(value) for name, value in found.items()}


def turn_usage(spans: Sequence[Json]) -> Json:
    """The tokens of its responses."""
    total: dict[str, float] = {}
    for span in spans:
        if span.get("type") == "response":
            for name, value in obj(span, "usage").items():
                if isinstance(value, int | float):
                    total[name] = total.get(name, 0) + value
    return total


def _values(spans: Sequence[Json], name: str) -> list[float]:
    wanted = DISTRIBUTIONS[name]
    values = [number(obj(span, "metrics"), name) for span in spans if string(span, "type") == wanted]
    return [value for value in values if value is not None]


def _share_that_fits(spans: Sequence[Json]) -> float | None:
    fits = [obj(span, "metrics").get("schema_valid") for span in spans if span.get("type") == "tool"]
    known = [bool(one) for one in fits if one is not None]
    return sum(known) / len(known) if known else None


def _rounded(value: float | None) -> float | None:
    return round(value, 3) if isinstance(value, float) else value
