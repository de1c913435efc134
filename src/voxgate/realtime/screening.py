"""What of a message is recorded when its call's sound or its words are not to be: JSON text in, JSON text
without them out.

Where words are not recorded only what is known to be none is kept: the protocol's own names with numbers,
ids and settings. Where sound is not recorded, a note with its size stands in its place, so that times and
lengths of the call can still be measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

_SOUND_FIELDS: Final = {
    "input_audio_buffer.append": "audio",
    "response.output_audio.delta": "delta",
    "response.audio.delta": "delta",
}
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_SOUND_LIKE_LETTERS: Final = 256
"""So much base64 in one piece is taken for sound, whatever its name: no text is written so."""
_MEDIA: Final = ("data:audio", "data:video")
_PLAIN: Final = re.compile(r"[\w.:/+\[\]-]{1,128}", re.ASCII)
_DEEPEST: Final = 40

_HOLDERS: Final = frozenset((
    "session", "response", "item", "part", "content", "input", "output", "error", "usage", "rate_limits",
    "status_details", "input_token_details", "output_token_details", "cached_tokens_details", "audio",
    "format", "turn_detection", "transcription", "input_audio_transcription", "noise_reduction",
    "input_audio_noise_reduction", "tools", "reasoning",
    # of requests that are no calls
    "choices", "message", "delta", "prompt_tokens_details", "completion_tokens_details",
    "input_tokens_details", "output_tokens_details", "cache_creation",
))  # fmt: skip
"""Names of objects and lists. Anything else that stands under them is dropped: it could be words."""
_FIELDS: Final = frozenset((
    "type", "event_id", "id", "object", "item_id", "previous_item_id", "response_id", "call_id",
    "conversation_id", "content_index", "output_index", "audio_start_ms", "audio_end_ms", "role", "status",
    "reason", "code", "param", "total_tokens", "input_tokens", "output_tokens", "cached_tokens",
    "text_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "seconds",
    "billable_audio_seconds", "limit", "remaining", "reset_seconds", "name", "model",
    "voice", "modalities", "output_modalities", "rate", "input_audio_format",
    "output_audio_format", "input_audio_sampling_rate", "threshold", "prefix_padding_ms",
    "silence_duration_ms", "create_response",
    "interrupt_response", "idle_timeout_ms", "eagerness", "language", "speed", "temperature",
    "max_output_tokens", "max_response_output_tokens", "tool_choice", "parallel_tool_calls", "server_label",
    "expires_at", "conversation", "truncation", "effort", "include", "phase",
    "approval_request_id", "approve",
    # of requests that are no calls
    "prompt_tokens", "completion_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
    "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "accepted_prediction_tokens",
    "rejected_prediction_tokens", "finish_reason", "stop_reason", "index", "created", "duration",
    "service_tier", "stream", "n", "seed", "max_tokens", "max_completion_tokens", "top_p", "dimensions",
    "encoding_format",
))  # fmt: skip
"""Names of settings, numbers and ids, kept where they look like ones."""
_ARGUMENTS: Final = frozenset({"input", "output"})
"""As objects the settings of a session's audio; anywhere else what a tool was given, any words under any
name."""
_DROPPED: Final = object()


def is_name(field: str, value: str) -> bool:
    """Whether it is the protocol's own, such as an id or a setting, and no words."""
    return field in _FIELDS and _PLAIN.fullmatch(value) is not None


def not_recorded(size_bytes: int) -> str:
    """What stands in the place of sound (`traces.tracks` reads it)."""
    return f"[not recorded: {size_bytes} bytes]"


@dataclass(frozen=True, slots=True)
class Screen:
    """What may be recorded of a call."""

    audio: bool
    text: bool

    def message(self, text: bytes) -> bytes | None:
        """The message as it may be recorded; None when that cannot be told, since it is no JSON object."""
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(event, dict):
            return None
        return orjson.dumps(self.event(event))

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        kind = event.get("type")
        sound = _SOUND_FIELDS.get(kind) if isinstance(kind, str) else None
        return self._members(event, sound, 0, "")

    def reason(self, reason: str) -> str:
        """Of a close frame, which its sender may have written anything into."""
        return reason if self.text or _PLAIN.fullmatch(reason) else ""

    def _members(self, body: dict[str, Any], sound: str | None, depth: int, under: str) -> dict[str, Any]:
        kept = {name: self._member(name, value, sound, depth, under) for name, value in body.items()}
        return {name: value for name, value in kept.items() if value is not _DROPPED}

    def _member(self, name: str, value: Any, sound: str | None, depth: int, under: str) -> Any:
        if isinstance(value, str) and (name == "audio" or name == sound):
            return self._sound(value)
        if self.text:
            return self._without_sound(value, depth)
        if name in _ARGUMENTS and isinstance(value, dict) and under != "audio":
            return _DROPPED
        if name in _HOLDERS and isinstance(value, dict | list):
            return self._contents(name, value, depth)
        return self._plain(name, value, depth) if name in _FIELDS else _DROPPED

    def _sound(self, value: str) -> Any:
        if not self.audio:
            return not_recorded(_decoded_size(value))
        return value if self.text or _BASE64.fullmatch(value) else _DROPPED

    def _without_sound(self, value: Any, depth: int) -> Any:
        """Also what carries sound under another name."""
        if isinstance(value, str):
            return value if self.audio or not _is_like_sound(value) else not_recorded(_decoded_size(value))
        return self._contents("", value, depth)

    def _contents(self, name: str, value: Any, depth: int) -> Any:
        if not isinstance(value, dict | list):
            return value
        if depth >= _DEEPEST:
            return None
        if isinstance(value, dict):
            return self._members(value, None, depth + 1, name)
        kept = [self._in_list(name, each, depth + 1) for each in value]
        return [each for each in kept if each is not _DROPPED]

    def _in_list(self, name: str, value: Any, depth: int) -> Any:
        if self.text:
            return self._without_sound(value, depth)
        if isinstance(value, dict | list):
            return self._contents(name, value, depth)
        return self._plain(name, value, depth) if name in _FIELDS else _DROPPED

    def _plain(self, name: str, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return value if _PLAIN.fullmatch(value) else _DROPPED
        return self._contents(name, value, depth)


def _is_like_sound(value: str) -> bool:
    if value.startswith(_MEDIA):
        return True
    return len(value) >= _SOUND_LIKE_LETTERS and _BASE64.fullmatch(value) is not None


def _decoded_size(encoded: str) -> int:
    return len(encoded.rstrip("=")) * 3 // 4
