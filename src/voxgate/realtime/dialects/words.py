"""Values that the two dialects say differently: audio formats, modalities, voices. A value without a word in
the other dialect comes back as it is, so that nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

_PCM: Final = "audio/pcm"
_RATE: Final = 24_000

_INPUT_FORMATS: Final = (
    ("pcm16", _PCM, _RATE),
    ("g711_ulaw", "audio/pcmu", None),
    ("g711_alaw", "audio/pcma", None),
)
"""The beta name, the GA type and its rate in Hz."""
_OUTPUT_FORMATS: Final = (
    *_INPUT_FORMATS,
    ("pcm16_8000hz", _PCM, 8_000),  # these two: Azure Voice Live only
    ("pcm16_16000hz", _PCM, 16_000),
)
_INPUT_RATES: Final = (8_000, 16_000)
"""In Hz, beside 24 000: what Azure Voice Live takes in `input_audio_sampling_rate`."""


class Words(NamedTuple):
    """How a field's value is said in each dialect."""

    to_ga: Callable[[Any], Any]
    to_beta: Callable[[Any], Any]


def _format_words(formats: tuple[tuple[str, str, int | None], ...]) -> Words:
    def to_ga(value: Any) -> Any:
        for name, kind, rate in formats:
            if value == name:
                return {"type": kind, "rate": rate} if rate else {"type": kind}
        return value

    def to_beta(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        for name, kind, rate in formats:
            if value.get("type") == kind and (rate is None or (value.get("rate") or _RATE) == rate):
                return name
        return value

    return Words(to_ga, to_beta)


def _modalities_to_ga(value: Any) -> Any:
    """Beta speaks text beside audio; GA takes one of them, and audio brings its transcript along."""
    if isinstance(value, list) and "audio" in value:
        return [name for name in value if name != "text"]
    return value


def _modalities_to_beta(value: Any) -> Any:
    if isinstance(value, list) and "audio" in value and "text" not in value:
        return [*value, "text"]
    return value


def _voice_to_ga(value: Any) -> Any:
    """Azure Voice Live names OpenAI's voices `{"type": "openai", "name": …}`; its own have no GA word."""
    if isinstance(value, dict) and value.get("type") == "openai" and isinstance(value.get("name"), str):
        return value["name"]
    return value


INPUT_FORMAT: Final = _format_words(_INPUT_FORMATS)
OUTPUT_FORMAT: Final = _format_words(_OUTPUT_FORMATS)
MODALITIES: Final = Words(_modalities_to_ga, _modalities_to_beta)
VOICE: Final = Words(_voice_to_ga, lambda value: value)
SAME: Final = Words(lambda value: value, lambda value: value)

BETA_FORMATS: Final = tuple(name for name, _, _ in _INPUT_FORMATS)
GA_FORMATS: Final = tuple(kind for _, kind, _ in _INPUT_FORMATS)


def join_rate(session: dict[str, Any]) -> bool:
    """Takes Azure Voice Live's `input_audio_sampling_rate` into the input format, which GA says in one."""
    if "input_audio_sampling_rate" not in session:
        return False
    rate = session.pop("input_audio_sampling_rate")
    if rate is not None and session.get("input_audio_format", "pcm16") == "pcm16":
        session["input_audio_format"] = {"type": _PCM, "rate": rate}
    return True


def split_rate(session: dict[str, Any]) -> bool:
    """The reverse, for the rates that the beta name `pcm16` does not mean."""
    value = session.get("input_audio_format")
    if not isinstance(value, dict) or value.get("type") != _PCM or value.get("rate") not in _INPUT_RATES:
        return False
    session["input_audio_format"] = "pcm16"
    session["input_audio_sampling_rate"] = value["rate"]
    return True
