"""The session's configuration: its defaults, and `session.update` merged into it or refused whole."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from voxgate.providers.local.checks import (
    Check,
    anything,
    choice,
    decimal,
    either,
    flag,
    integer,
    listing,
    mapping,
    nullable,
    record,
    tagged,
    text,
)
from voxgate.providers.local.refusals import EventRefused, invalid_value

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
PCM = {"type": "audio/pcm", "rate": 24000}
INSTRUCTIONS = (
    "You are the small model that comes in the box with Voxgate. Answer in a sentence or two. "
    "Call a function if one fits. Say openly what you cannot do."
)
SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}

_format = tagged(
    {
        "audio/pcm": record({"type": anything, "rate": integer(24000, 24000)}),
        "audio/pcmu": record({"type": anything}),
        "audio/pcma": record({"type": anything}),
    }
)
_turn_detection = tagged(
    {
        "server_vad": record(
            {
                "type": anything,
                "threshold": decimal(0.0, 1.0),
                "prefix_padding_ms": integer(0, 10_000),
                "silence_duration_ms": integer(0, 60_000),
                "idle_timeout_ms": nullable(integer(5000, 30_000)),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
        "semantic_vad": record(
            {
                "type": anything,
                "eagerness": choice("low", "medium", "high", "auto"),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
    }
)
_transcription = record(
    {
        "model": text,
        "language": nullable(text),
        "languages": nullable(listing(text)),
        "keywords": nullable(listing(text)),
        "prompt": nullable(text),
        "delay": nullable(choice("minimal", "low", "medium", "high", "xhigh")),
    }
)
_noise_reduction = record(
    {"type": choice("near_field", "far_field"), "strength": nullable(decimal(0.0, 1.0))}, required=("type",)
)
_custom_voice = record({"id": text}, required=("id",))
_voice = either(str, choice(*VOICES), _custom_voice)
_modalities = listing(choice("text", "audio"))
_max_tokens = either(str, choice("inf"), integer(1, 4096))


def _refuse_mcp(value: Any, path: str) -> Any:
    raise EventRefused(
        "invalid_value",
        "Tools of type 'mcp' need a service that calls them; the model 'local' has none. Use 'function'.",
        param=f"{path}.type",
    )


_tool = tagged(
    {
        "function": record(
            {"type": anything, "name": text, "description": nullable(text), "parameters": nullable(mapping)},
            required=("name",),
        ),
        "mcp": _refuse_mcp,
    }
)
_tool_choice = either(
    str,
    choice("none", "auto", "required"),
    tagged({"function": record({"type": anything, "name": text}, required=("name",)), "mcp": _refuse_mcp}),
)


def output_modalities(value: Any, path: str) -> list[str]:
    """`["audio"]` or `["text"]`: the live service does not take both."""
    names: list[str] = _modalities(value, path)
    if len(names) != 1:
        raise invalid_value(path, value, ('["text"]', '["audio"]'))
    return names


_generation: dict[str, Check] = {
    "instructions": text,
    "output_modalities": output_modalities,
    "max_output_tokens": _max_tokens,
    "tools": listing(_tool),
    "tool_choice": _tool_choice,
    "parallel_tool_calls": flag,
    "reasoning": nullable(mapping),
    "prompt": nullable(mapping),
}
_session = tagged(
    {
        "realtime": record(
            {
                **_generation,
                "type": anything,
                "model": text,
                "include": nullable(listing(choice("item.input_audio_transcription.logprobs"))),
                "tracing": nullable(either(str, choice("auto"), mapping)),
                "truncation": either(str, choice("auto", "disabled"), mapping),
                "audio": record(
                    {
                        "input": record(
                            {
                                "format": _format,
                                "transcription": nullable(_transcription),
                                "noise_reduction": nullable(_noise_reduction),
                                "turn_detection": nullable(_turn_detection),
                            }
                        ),
                        "output": record({"format": _format, "voice": _voice, "speed": decimal(0.25, 1.5)}),
                    }
                ),
            }
        )
    }
)
response_fields: dict[str, Check] = {
    **_generation,
    "instructions": nullable(text),  # LiveKit says null for those of the session
    "conversation": choice("auto", "none"),
    "metadata": nullable(mapping),
    "audio": record({"output": record({"format": _format, "voice": _voice})}),
}


def default_session(*, session_id: str, model: str, expires_at: int) -> dict[str, Any]:
    """What `session.created` shows; `expires_at` in Unix seconds."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": dict(PCM),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(SERVER_VAD),
            },
            "output": {"format": dict(PCM), "voice": "alloy", "speed": 1.0},
        },
        "include": None,
    }


def updated_session(current: dict[str, Any], update: Any, *, voice_is_fixed: bool) -> dict[str, Any]:
    """The session after `session.update`; raises EventRefused and changes nothing if any field is wrong.

    `model` is taken and ignored: clients repeat it, and behind a gateway it may be the name of a route.
    """
    wanted = _session(update, "session")
    merged = deepcopy(current)
    audio = wanted.pop("audio", {})
    wanted.pop("model", None)
    merged.update(wanted)
    _merge_input(merged["audio"]["input"], audio.get("input", {}))
    output = audio.get("output", {})
    voice = output.get("voice", current["audio"]["output"]["voice"])
    if voice_is_fixed and voice != current["audio"]["output"]["voice"]:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise EventRefused("cannot_update_voice", message, param="session.audio.output.voice")
    merged["audio"]["output"].update(_with_rate(output))
    return merged


def _merge_input(current: dict[str, Any], update: dict[str, Any]) -> None:
    current.update(
        _with_rate({name: update[name] for name in ("format", "noise_reduction") if name in update})
    )
    if "transcription" in update:
        wanted = update["transcription"]
        current["transcription"] = wanted and {"model": None, "language": None, "prompt": None, **wanted}
    if "turn_detection" in update:
        current["turn_detection"] = _turn_detection_after(current["turn_detection"], update["turn_detection"])


def _turn_detection_after(
    current: dict[str, Any] | None, wanted: dict[str, Any] | None
) -> dict[str, Any] | None:
    if wanted is None:
        return None
    defaults = SERVER_VAD if wanted["type"] == "server_vad" else SEMANTIC_VAD
    kept = current if current and current["type"] == wanted["type"] else defaults
    return {**kept, **wanted}


def _with_rate(update: dict[str, Any]) -> dict[str, Any]:
    if update.get("format", {}).get("type") == "audio/pcm":
        return {**update, "format": dict(PCM)}
    return update
