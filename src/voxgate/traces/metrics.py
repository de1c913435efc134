"""The metrics of a session: each with its unit, the version of its formula and its parameters. The spans,
what was paid and what was heard go in; numbers come out, and for those that cannot be measured None and
the reason. Formulas: docs/metrics.md.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from voxgate.traces import turntaking
from voxgate.traces.conversation import Conversation, UserItem
from voxgate.traces.events import Json
from voxgate.traces.interruptions import Interruption
from voxgate.traces.latency import Latencies, distribution, is_paced
from voxgate.traces.model import Span
from voxgate.traces.parts import ToolCounts
from voxgate.traces.session import SessionState
from voxgate.traces.sound import MERGE_GAP_MS, Interval, SoundFacts, total
from voxgate.traces.tracks import TrackLayout
from voxgate.traces.turntaking import DeadAir, Said, TurnTaking
from voxgate.traces.usage import COUNTS

Value = float | int | None
Result = Value | str
"""A number, None for the usual reason, or a reason of its own."""


@dataclass(slots=True)
class Facts:
    """What there is to measure. The last two follow from the sound, where it can be judged."""

    session: SessionState
    conversation: Conversation
    layout: TrackLayout
    spans: list[Span]
    latencies: Latencies
    tools: ToolCounts
    is_paced: bool
    """Whether all that the user said was sent as it was spoken."""
    usage: Json
    summary: Json
    interruptions: list[Interruption]
    sound: SoundFacts | None
    is_over: bool
    turns: TurnTaking | None = None
    silence: DeadAir | None = None
    spread: dict[str, Json] = field(default_factory=dict)
    """The latencies' distributions."""


@dataclass(frozen=True, slots=True)
class Metric:
    """`version` grows when the formula changes. `sound`: whether it is measured in the sound of the call."""

    unit: str
    measure: Callable[[Facts], Result]
    missing: str
    version: int = 1
    parameters: Json = field(default_factory=dict)
    needs: Literal["log", "sound", "turns"] = "log"
    """`sound`: it is measured in the sound of the call; `turns`: of one that was spoken as it was sent."""


# From the latencies of spans


def _share(name: str, percent: int) -> Callable[[Facts], Result]:
    return lambda facts: facts.spread[name][f"p{percent}"] if name in facts.spread else None


_NO_V2V: Final = "needs speech whose end is known, sent in real time and answered by voice"
_NO_AUDIO: Final = "no response brought audio"
_NO_SPEECH: Final = "nobody spoke, or the sound is not there"


def _greeting_latency(facts: Facts) -> Result:
    """From the configured session to the first sound, where the assistant spoke before the user did."""
    first = next((span for span in facts.spans if span.type in ("user", "response")), None)
    if first is None or first.type == "user":
        return None
    play_start = (first.output or {}).get("play_start_ms")
    ready_ms = (facts.session.configured_ns or 0) / 1e6
    return play_start - ready_ms if play_start is not None and play_start >= ready_ms else None


def _underrun_ms(facts: Facts) -> Result:
    known = facts.latencies.of("underrun_ms")
    return math.fsum(known) if known else None


# From what was counted


def _tokens(name: str) -> Callable[[Facts], Result]:
    """None of a provider that counted nothing at all; of one that counts, what it did not name is 0."""

    def count(facts: Facts) -> Result:
        return facts.usage.get(name, 0) if any(key in facts.usage for key in COUNTS) else None

    return count


def _total(name: str) -> Callable[[Facts], Result]:
    return lambda facts: facts.usage.get(name)


def _cache_hit_rate(facts: Facts) -> Result:
    tokens_in = facts.usage.get("input_tokens")
    return facts.usage.get("cached_tokens", 0) / tokens_in if tokens_in else None


def _cost_per_minute(facts: Facts) -> Result:
    usd, duration_ms = facts.summary["cost_usd"], facts.summary["duration_ms"]
    return usd * 60_000 / duration_ms if usd is not None and duration_ms else None


# From tools


def _tool_error_rate(facts: Facts) -> Result:
    return facts.tools.failed / facts.tools.ended if facts.tools.ended else None


def _tool_schema_validity(facts: Facts) -> Result:
    return facts.tools.fitting / facts.tools.checked if facts.tools.checked else None


# From who speaks when


def _turns(name: str) -> Callable[[Facts], Result]:
    return lambda facts: getattr(facts.turns, name)


def _silence(name: str) -> Callable[[Facts], Result]:
    return lambda facts: getattr(facts.silence, name) if facts.silence is not None else None


def _overlap_ms(facts: Facts) -> Result:
    return total(facts.sound.both) if facts.sound is not None and facts.sound.voiced else None


def _talk_ratio(facts: Facts) -> Result:
    sound = facts.sound
    return turntaking.talk_ratio(sound.user.segments, sound.heard.segments) if sound else None


def _silence_during_tool(longest: bool) -> Callable[[Facts], Result]:
    def measure(facts: Facts) -> Result:
        known = facts.latencies.of("silence_during_tool")
        return (max(known) if longest else math.fsum(known)) if known else None

    return measure


def _ghost_interruption_rate(facts: Facts) -> Result:
    """Of the interruptions by a voice: those behind which there was none, or no word."""
    barge_ins = [one.user for one in facts.interruptions if one.user is not None]
    known = [is_ghost for is_ghost in (_is_ghost(user, facts) for user in barge_ins) if is_ghost is not None]
    if barge_ins and not known:
        return "neither words nor sound of the interrupting speech are known"
    return sum(known) / len(known) if known else None


def _is_ghost(user: UserItem, facts: Facts) -> bool | None:
    transcript = facts.conversation.transcripts.get(user.item_id or "")
    written = transcript is not None and transcript.is_whole
    if transcript is not None and written and turntaking.is_backchannel(transcript.text):
        return True
    if facts.sound is not None and is_paced(user, facts.layout) and user.ended_ns is not None:
        start_ms, end_ms = _window(user, facts.layout)
        return facts.sound.user.first_voice(start_ms, end_ms) is None
    return False if written else None


def _window(user: UserItem, layout: TrackLayout) -> tuple[float, float]:
    """Between the provider's marks, on the call's clock."""
    begun = layout.user.time_of(user.audio_start_ms) if user.audio_start_ms is not None else None
    ended = layout.user.time_of(user.audio_end_ms) if user.audio_end_ms is not None else None
    last_ms = user.ended_ns / 1e6 if user.ended_ns is not None else user.started_ns / 1e6
    return begun if begun is not None else user.started_ns / 1e6, ended if ended is not None else last_ms


# From the sound of one side


def _lane(side: str, name: str) -> Callable[[Facts], Result]:
    return lambda facts: getattr(getattr(facts.sound, side), name)


_NO_USER: Final = "there is no sound of the user"
_NO_ASSISTANT: Final = "nothing was heard of the assistant"
_NO_TURN: Final = "the user said nothing that wants an answer, or the call ended too early"
_NO_USAGE: Final = "the provider reported no usage"
_NO_ANSWER: Final = "no tool call was answered"
_NO_END: Final = "needs speech whose end is known, sent in real time"
_NO_BARGE_IN: Final = "the user did not interrupt"
_NO_YIELD: Final = "no interruption was yielded to"
_NO_USER_TURN: Final = "the user did not speak"
_NO_TIMES: Final = "the imported log has no times"
_TIMED: Final = ("ms", "USD/min")
"""Units of what is measured in the log's times."""
_DEADLINE: Final[Json] = {"deadline_ms": turntaking.DEADLINE_MS}
_YIELD: Final[Json] = {"within_ms": turntaking.YIELD_MS}
_TURNS: Final[Json] = {
    "merge_gap_ms": MERGE_GAP_MS,
    "turn_gap_ms": turntaking.TURN_GAP_MS,
    "backchannel_ms": turntaking.BACKCHANNEL_MS,
}
_MERGE: Final[Json] = {"merge_gap_ms": MERGE_GAP_MS}
_SILENCE: Final[Json] = {**_MERGE, "longer_than_ms": turntaking.DEAD_AIR_MS}


def _percentiles(name: str, source: str, missing: str, *percents: int) -> dict[str, Metric]:
    return {f"{name}_p{percent}": Metric("ms", _share(source, percent), missing) for percent in percents}


def _judged(
    unit: str, measure: Callable[[Facts], Result], missing: str, parameters: Json, version: int = 1
) -> Metric:
    return Metric(unit, measure, missing, version, parameters, needs="turns")


def _heard(unit: str, side: str, name: str, missing: str, **parameters: float) -> Metric:
    return Metric(unit, _lane(side, name), missing, parameters=parameters, needs="sound")


METRICS: Final[dict[str, Metric]] = {
    # Latency
    **_percentiles("v2v", "v2v_heard", _NO_V2V, 50, 95),
    **_percentiles("tool_turn_v2v", "tool_turn_v2v", "no voice answered after a tool call", 50, 95),
    **_percentiles("endpointing", "endpointing_delay", _NO_END, 50),
    **_percentiles("commit_to_response", "commit_to_response", "no response with a known trigger began", 50),
    **_percentiles("model_ttfa", "model_ttfa", _NO_AUDIO, 50, 95),
    **_percentiles("ttfa_peer", "ttfa_peer", "no speech was answered by audio", 50),
    **_percentiles("lead_silence", "lead_silence", "no speech was answered by voice", 50),
    **_percentiles("transcript_lag", "transcript_lag", "no speech was transcribed", 50),
    **_percentiles("tool_wait", "tool_wait", _NO_ANSWER, 95),
    "greeting_latency": Metric("ms", _greeting_latency, "the assistant did not speak first"),
    "underrun_ms": Metric("ms", _underrun_ms, _NO_AUDIO),
    "silence_during_tool_total": _judged("ms", _silence_during_tool(longest=False), _NO_ANSWER, _MERGE),
    "silence_during_tool_longest": _judged("ms", _silence_during_tool(longest=True), _NO_ANSWER, _MERGE),
    # Turn-taking
    "response_rate": _judged("share", _turns("response_rate"), _NO_TURN, _TURNS | _DEADLINE),
    "response_latency_p50": _judged("ms", _share("response_latency", 50), _NO_TURN, _TURNS | _DEADLINE),
    "yield_rate": _judged("share", _turns("yield_rate"), _NO_BARGE_IN, _TURNS | _YIELD),
    "yield_latency_p50": _judged("ms", _share("yield_latency", 50), _NO_YIELD, _TURNS | _YIELD),
    "agent_interruption_rate": _judged("per turn", _turns("agent_interruption_rate"), _NO_TURN, _TURNS),
    "ghost_interruption_rate": Metric(
        "share", _ghost_interruption_rate, "no speech interrupted an answer", parameters={"most_words": 2}
    ),
    "dead_air_total": _judged("ms", _silence("total_ms"), _NO_SPEECH, _SILENCE),
    "dead_air_longest": _judged("ms", _silence("longest_ms"), _NO_SPEECH, _SILENCE),
    "dead_air_agent": _judged("ms", _silence("agent_ms"), _NO_SPEECH, _SILENCE, version=2),
    "dead_air_user": _judged("ms", _silence("user_ms"), _NO_SPEECH, _SILENCE, version=2),
    "dead_air_tool": _judged("ms", _silence("tool_ms"), _NO_SPEECH, _SILENCE, version=2),
    "talk_ratio": Metric("share", _talk_ratio, _NO_SPEECH, parameters=_MERGE, needs="sound"),
    "overlap_ms": _judged("ms", _overlap_ms, _NO_SPEECH, _MERGE),
    "reprompt_rate": _judged("share", _turns("reprompt_rate"), _NO_USER_TURN, _TURNS),
    "missed_last_turn": _judged("0 or 1", _turns("missed_last_turn"), _NO_USER_TURN, _TURNS),
    # Signal quality
    "clipping": _heard("share", "user", "clipping", _NO_USER, level=32_000),
    "clipping_assistant": _heard("share", "heard", "clipping", _NO_ASSISTANT, level=32_000),
    "snr_db": _heard("dB", "user", "snr_db", "nobody spoke, or there is no background", percentile=10),
    "loudness": _heard("LUFS", "user", "loudness_lufs", _NO_USER),
    "loudness_assistant": _heard("LUFS", "heard", "loudness_lufs", _NO_ASSISTANT),
    # Tools, tokens, money and counts
    "tool_error_rate": Metric("share", _tool_error_rate, "no tool call came to an end"),
    "tool_schema_validity": Metric("share", _tool_schema_validity, "no tool call with a known schema"),
    "cost_per_minute": Metric("USD/min", _cost_per_minute, f"a price is not known, or {_NO_USAGE}"),
    "tokens_in": Metric("tokens", _total("input_tokens"), _NO_USAGE),
    "tokens_out": Metric("tokens", _total("output_tokens"), _NO_USAGE),
    "tokens_audio_in": Metric("tokens", _tokens("input_audio_tokens"), _NO_USAGE),
    "tokens_audio_out": Metric("tokens", _tokens("output_audio_tokens"), _NO_USAGE),
    "cache_hit_rate": Metric("share", _cache_hit_rate, _NO_USAGE),
    "turns": Metric("turns", lambda facts: facts.summary["turns"], ""),
    "interruptions": Metric("interruptions", lambda facts: len(facts.interruptions), "", version=2),
    "errors": Metric("errors", lambda facts: len(facts.session.errors), ""),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """`metrics` by name, `reasons` of those that are None, `latency` the distributions, `how` with the
    version and the parameters of each."""

    metrics: dict[str, Value]
    reasons: dict[str, str]
    latency: dict[str, Json]
    how: Json


def session_metrics(facts: Facts) -> Measured:
    silent = _why_no_sound(facts)
    turnless = silent or _why_no_turns(facts)
    if turnless is None:
        _judge_turns(facts)
    facts.spread = _latencies(facts)
    timeless = _NO_TIMES if facts.session.untimed else None
    metrics: dict[str, Value] = {}
    reasons: dict[str, str] = {}
    for name, metric in METRICS.items():
        why = {"log": None, "sound": silent, "turns": turnless}[metric.needs]
        result = why or (timeless if metric.unit in _TIMED else None) or metric.measure(facts)
        value = None if isinstance(result, str) else _rounded(name, result)
        metrics[name] = value
        if value is None:
            reasons[name] = result if isinstance(result, str) else metric.missing
    return Measured(metrics, reasons, facts.spread, how_measured(facts.sound) if facts.is_over else {})


def how_measured(sound: SoundFacts | None) -> Json:
    """The version and the parameters of each metric, as they are stored beside the values."""
    if sound is None:
        return dict(_BARE)  # of each request, and of each call while it runs
    return {
        name: one if METRICS[name].needs == "log" else one | {"vad": sound.vad} for name, one in _BARE.items()
    }


_BARE: Final[Json] = {
    name: {"version": one.version, "unit": one.unit, **one.parameters} for name, one in METRICS.items()
}


def is_current(stored: Json, vad: Json) -> bool:
    """Whether a session's `metric_versions` are those of today, with this voice detector."""
    bare = {name: {key: one[key] for key in one if key != "vad"} for name, one in stored.items()}
    return bare == how_measured(None) and all(one.get("vad", vad) == vad for one in stored.values())


def _rounded(name: str, value: Value) -> Value:
    """Dollars a minute may be less than a thousandth."""
    digits = 9 if name == "cost_per_minute" else 6 if METRICS[name].unit == "share" else 3
    return round(value, digits) if isinstance(value, float) else value


def _latencies(facts: Facts) -> dict[str, Json]:
    spread = facts.latencies.spread()
    if facts.turns is not None:
        turns = {"response_latency": facts.turns.responses, "yield_latency": facts.turns.yields}
        spread |= {name: distribution(found) for name, found in turns.items() if found}
    return spread


def _why_no_sound(facts: Facts) -> str | None:
    if not facts.layout.recorded:
        return "the sound was not recorded"
    if facts.sound is None:
        if not facts.is_over:
            return "measured when the call has ended"
        return "its sound was not measured" if facts.layout.present else "there is no sound"
    return None


def _why_no_turns(facts: Facts) -> str | None:
    if facts.session.untimed:
        return _NO_TIMES
    return None if facts.is_paced else "the user's audio was not sent in real time"


def _judge_turns(facts: Facts) -> None:
    sound, end_ms = facts.sound, facts.summary["duration_ms"]
    if sound is None:
        return
    tools = _tools_running(facts.spans, end_ms)
    user, heard = sound.user.segments, sound.heard.segments
    facts.turns = turntaking.take_turns(user, heard, _said(facts), end_ms)
    facts.silence = turntaking.dead_air(user, heard, tools, end_ms)


def _tools_running(spans: list[Span], end_ms: float) -> list[Interval]:
    """Until its result. A call that nobody answered waits no more once another response began without it."""
    begun = sorted(
        span.start_ms or 0.0
        for span in spans
        if span.type == "response" and not (span.input or {}).get("out_of_band")
    )
    running = []
    for span in spans:
        if span.type == "tool":
            start_ms = span.start_ms or 0.0
            following = begun[bisect_right(begun, start_ms) :]
            running.append((start_ms, span.end_ms or min([*following[:1], end_ms])))
    return running


def _said(facts: Facts) -> list[Said]:
    found: list[Said] = []
    for turn in facts.conversation.turns:
        for user in turn.users:
            transcript = facts.conversation.transcripts.get(user.item_id or "")
            if user.kind == "speech" and user.ended_ns is not None:
                written = transcript is not None and transcript.is_whole
                text = transcript.text if transcript is not None and written else None
                found.append(Said(*_window(user, facts.layout), text))
    return found
