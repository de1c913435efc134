"""Tokens: from the provider's nested usage to flat numbers that can be added up."""

from __future__ import annotations

from typing import Final

from voxgate.traces.events import Json, number, obj

_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "total_tokens": ("total_tokens",),
    "input_text_tokens": ("input_token_details", "text_tokens"),
    "input_audio_tokens": ("input_token_details", "audio_tokens"),
    "input_image_tokens": ("input_token_details", "image_tokens"),
    "cached_tokens": ("input_token_details", "cached_tokens"),
    "cached_text_tokens": ("input_token_details", "cached_tokens_details", "text_tokens"),
    "cached_audio_tokens": ("input_token_details", "cached_tokens_details", "audio_tokens"),
    "cached_image_tokens": ("input_token_details", "cached_tokens_details", "image_tokens"),
    "output_text_tokens": ("output_token_details", "text_tokens"),
    "output_audio_tokens": ("output_token_details", "audio_tokens"),
    "seconds": ("seconds",),
}
COUNTS: Final = tuple(_PATHS)
_HOLDERS: Final = {path[:-1] for path in _PATHS.values()}


def flat_usage(usage: Json) -> Json | None:
    """What the provider counted, by our flat names; None if it counted nothing."""
    if not usage:
        return None
    holders = {path: obj(usage, *path) for path in _HOLDERS}
    found = {
        name: value
        for name, path in _PATHS.items()
        if (value := number(holders[path[:-1]], path[-1])) is not None
    }
    if found and "total_tokens" not in found and "seconds" not in found:
        found["total_tokens"] = found.get("input_tokens", 0) + found.get("output_tokens", 0)
    return found or None


def as_realtime(usage: Json) -> Json:
    """The usage of another API in the form of a Realtime response's, so that it is counted and priced alike:
    OpenAI's chat, responses and embeddings, Anthropic's messages. What is not said to be sound or a picture
    is text. Anthropic counts what comes from the cache beside the input and not in it."""
    if "input_token_details" in usage or "seconds" in usage:
        return usage
    given = _first(usage, "prompt_tokens_details", "input_tokens_details")
    made = _first(usage, "completion_tokens_details", "output_tokens_details")
    cached = number(usage, "cache_read_input_tokens")
    written = number(usage, "cache_creation_input_tokens") or 0
    for_an_hour = min(number(obj(usage, "cache_creation"), "ephemeral_1h_input_tokens") or 0, written)
    tokens_in = number(usage, "prompt_tokens") or number(usage, "input_tokens") or 0
    tokens_out = number(usage, "completion_tokens") or number(usage, "output_tokens") or 0
    tokens_in += (cached or 0) + written
    cached = cached or number(given, "cached_tokens") or 0
    heard, seen = number(given, "audio_tokens") or 0, number(given, "image_tokens") or 0
    spoken = number(made, "audio_tokens") or 0
    return {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "input_token_details": {
            "text_tokens": max(tokens_in - heard - seen - written, 0),
            "audio_tokens": heard,
            "image_tokens": seen,
            "cache_write_tokens": written - for_an_hour,
            "cache_write_hour_tokens": for_an_hour,
            "cached_tokens": cached,
            "cached_tokens_details": {"text_tokens": cached},
        },
        "output_token_details": {
            "text_tokens": max(tokens_out - spoken, 0),
            "audio_tokens": spoken,
            "reasoning_tokens": number(made, "reasoning_tokens") or 0,
        },
    }


def _first(usage: Json, *names: str) -> Json:
    return next((found for name in names if (found := obj(usage, name))), {})


def add_usage(total: Json, usage: Json | None) -> None:
    for name, value in (usage or {}).items():
        total[name] = total.get(name, 0) + value


def added(usage: Json, more: Json) -> Json:
    """Two usages as providers tell them, number by number."""
    total = dict(usage)
    for name, value in more.items():
        before = total.get(name)
        if isinstance(value, dict):
            total[name] = added(before if isinstance(before, dict) else {}, value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            total[name] = value + (before if isinstance(before, int | float) else 0)
        else:
            total[name] = value
    return total
