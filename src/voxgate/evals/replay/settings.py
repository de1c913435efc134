"""The `session.update` of a replay: what the recorded session was set to, and what the experiment changes of
it. Only what was set to something of its own is sent, so that another model need not know the rest.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from voxgate.evals.replay.plan import Plan
from voxgate.realtime.dialects import Dialect
from voxgate.realtime.dialects.bodies import translate_session
from voxgate.traces.events import Json, obj, objects
from voxgate.traces.formats import PCM_24K, AudioFormat, format_in

_DEFAULTS: Final[dict[str, Any]] = {
    "instructions": "",
    "output_modalities": ["audio"],
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "parallel_tool_calls": None,
    "reasoning": None,
    "prompt": None,
    "truncation": "auto",
}
"""Fields that a replay keeps, and the values with which they need not be sent."""
_FORMATS: Final[dict[str, Json]] = {
    "pcm": {"type": "audio/pcm", "rate": PCM_24K.rate},
    "pcmu": {"type": "audio/pcmu"},
    "pcma": {"type": "audio/pcma"},
}


def ga_config(config: Json) -> Json:
    """A session in today's shape, whatever the dialect that it was told in."""
    session = deepcopy(config)
    translate_session(session, "realtime", Dialect.GA)
    return session


def merged(session: Json, more: Json) -> Json:
    """`more` over the session; of `audio` only the fields of each direction that it names."""
    audio = dict(obj(session, "audio"))
    for direction in obj(more, "audio"):
        audio[direction] = {**obj(audio, direction), **obj(more, "audio", direction)}
    return {**session, **more, "audio": audio}


def turn_detection_of(config: Json) -> Json | None:
    found = obj(ga_config(config), "audio", "input").get("turn_detection")
    return found if isinstance(found, dict) and found.get("type") else None


def session_settings(config: Json, plan: Plan, *, detects_turns: bool) -> Json:
    """The `session` of a `session.update`. Without `detects_turns` the client says where turns end."""
    known = ga_config(config)
    session: Json = {name: known[name] for name in _DEFAULTS if _is_own(known, name)}
    if "tools" in session:
        # The secrets of MCP servers are not recorded, so nobody can reach them again.
        session["tools"] = [_function(one) for one in objects(known, "tools") if one.get("name")]
    session["audio"] = {"input": _input(known), "output": _output(known)}
    _change(session, plan)
    detection = _detection(known, plan) if detects_turns else None
    session["audio"]["input"]["turn_detection"] = detection
    return {"type": "realtime", **session}


def formats_of(session: Json) -> tuple[AudioFormat, AudioFormat]:
    """In and out."""
    return format_in(session, "input") or PCM_24K, format_in(session, "output") or PCM_24K


def _is_own(known: Json, name: str) -> bool:
    return known.get(name) is not None and known[name] != _DEFAULTS[name]


def _function(tool: Json) -> Json:
    kept = ("name", "description", "parameters")
    return {"type": "function", **{key: tool[key] for key in kept if tool.get(key) is not None}}


def _input(known: Json) -> Json:
    given = obj(known, "audio", "input")
    kept = {key: given[key] for key in ("transcription", "noise_reduction") if obj(given, key)}
    if transcription := obj(kept, "transcription"):
        kept["transcription"] = {key: value for key, value in transcription.items() if value is not None}
    return {"format": _format(known, "input"), **kept}


def _output(known: Json) -> Json:
    given = obj(known, "audio", "output")
    kept = {"format": _format(known, "output")}
    if given.get("voice"):
        kept["voice"] = given["voice"]
    if given.get("speed") not in (None, 1, 1.0):
        kept["speed"] = given["speed"]
    return kept


def _format(known: Json, direction: Any) -> Json:
    """PCM of another rate than 24 kHz is Azure's alone: the sound is resampled."""
    found = format_in(known, direction) or PCM_24K
    return dict(_FORMATS[found.kind])


def _detection(known: Json, plan: Plan) -> Json | None:
    if isinstance(plan.turn_detection, dict):
        return plan.turn_detection
    recorded = turn_detection_of(known)
    return {key: value for key, value in recorded.items() if value is not None} if recorded else None


def _change(session: Json, plan: Plan) -> None:
    if plan.instructions is not None:
        session["instructions"] = plan.instructions
        session.pop("prompt", None)  # a stored prompt would be put in their place
    if plan.voice is not None:
        session["audio"]["output"]["voice"] = plan.voice
    session |= merged(session, plan.session)
