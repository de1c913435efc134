"""Token counts: estimates by fixed rules, so that they are plausible, add up, and are the same on every run.

Text: a token for every 4 characters. Audio: 10 tokens a second heard, 20 a second spoken (the live service's
published rates). Context that an earlier response of the session has seen counts as cached, in blocks of 64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from voxgate.providers.local.items import Item

CACHE_BLOCK = 64
TOKENS_PER_MINUTE = 200_000


@dataclass(frozen=True)
class Tokens:
    text: int = 0
    audio: int = 0

    @property
    def total(self) -> int:
        return self.text + self.audio

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)


def text_tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def heard_tokens(audio_ms: int) -> int:
    return math.ceil(audio_ms / 100)


def spoken_tokens(audio_ms: int) -> int:
    return math.ceil(audio_ms / 50)


def item_tokens(item: Item) -> Tokens:
    """What an item weighs in the context; audio that was heard counts as audio, not as its words."""
    body = item.body
    if body["type"] == "function_call":
        return Tokens(text_tokens(body["name"] + body["arguments"]))
    if body["type"] == "function_call_output":
        return Tokens(text_tokens(body["output"]))
    return sum((_part_tokens(part, item) for part in body["content"]), Tokens())


def _part_tokens(part: dict[str, Any], item: Item) -> Tokens:
    if part["type"] == "input_audio":
        return Tokens(audio=heard_tokens(item.audio_ms))
    if part["type"] == "output_audio":
        return Tokens(text_tokens(part.get("transcript") or ""), spoken_tokens(item.audio_ms))
    return Tokens(text_tokens(part.get("text") or ""))


@dataclass(frozen=True)
class InputUsage:
    all: Tokens
    cached: Tokens


class InputMeter:
    """Remembers what the last response of the session has seen, to tell which part of the next is cached."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, Tokens]] = []

    def measure(self, instructions: str, tools: list[Any], context: Sequence[Item]) -> InputUsage:
        head = instructions + (orjson.dumps(tools).decode() if tools else "")
        pieces = [(head, Tokens(text_tokens(head)))]
        pieces += [(item.id, item_tokens(item)) for item in context]
        known = Tokens()
        for piece, seen in zip(pieces, self._seen, strict=False):
            if piece != seen:
                break
            known += piece[1]
        self._seen = pieces
        cached = Tokens(_whole_blocks(known.text), _whole_blocks(known.audio))
        return InputUsage(sum((tokens for _, tokens in pieces), Tokens()), cached)


def _whole_blocks(tokens: int) -> int:
    return tokens // CACHE_BLOCK * CACHE_BLOCK


def response_usage(measured: InputUsage, output: Tokens) -> dict[str, Any]:
    """The `usage` of `response.done`."""
    taken, cached = measured.all, measured.cached
    return {
        "total_tokens": taken.total + output.total,
        "input_tokens": taken.total,
        "output_tokens": output.total,
        "input_token_details": {
            "text_tokens": taken.text,
            "audio_tokens": taken.audio,
            "image_tokens": 0,
            "cached_tokens": cached.total,
            "cached_tokens_details": {
                "text_tokens": cached.text,
                "audio_tokens": cached.audio,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": output.text, "audio_tokens": output.audio},
    }


def transcription_usage(model: str | None, audio_ms: int, transcript: str) -> dict[str, Any]:
    """Whisper-class models are paid by duration, the others by tokens."""
    if model is None or "whisper" in model:
        return {"type": "duration", "seconds": math.ceil(audio_ms / 1000)}
    heard, written = heard_tokens(audio_ms), text_tokens(transcript)
    return {
        "type": "tokens",
        "total_tokens": heard + written,
        "input_tokens": heard,
        "output_tokens": written,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
    }


class RateLimit:
    """The bucket that `rate_limits.updated` shows. It is shown, not enforced: nobody pays here."""

    def __init__(self) -> None:
        self._remaining = float(TOKENS_PER_MINUTE)
        self._at_seconds = 0.0

    def spend(self, tokens: int, now_seconds: float) -> list[dict[str, Any]]:
        refill = (now_seconds - self._at_seconds) * TOKENS_PER_MINUTE / 60
        self._remaining = max(0.0, min(float(TOKENS_PER_MINUTE), self._remaining + refill) - tokens)
        self._at_seconds = now_seconds
        missing = TOKENS_PER_MINUTE - self._remaining
        return [
            {
                "name": "tokens",
                "limit": TOKENS_PER_MINUTE,
                "remaining": int(self._remaining),
                "reset_seconds": round(missing * 60 / TOKENS_PER_MINUTE, 3),
            }
        ]
