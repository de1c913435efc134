"""The differences between the beta and the GA protocol as data (realtime-protocol 2.6). Both directions of
the translation are read from these tables; what they do not name is the same in both dialects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from voxgate.realtime.dialects.words import INPUT_FORMAT, MODALITIES, OUTPUT_FORMAT, SAME, VOICE, Words


class Dialect(StrEnum):
    BETA = "beta"
    GA = "ga"


Shape = Literal["session", "request", "response", "item", "error"]
"""What an event carries: `request` is the response that a client asks for, `response` the one that comes."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a session or a response: flat in beta, perhaps nested in GA."""

    beta: str
    ga: tuple[str, ...]
    words: Words = SAME

    @property
    def is_format(self) -> bool:
        return self.words in (INPUT_FORMAT, OUTPUT_FORMAT)


@dataclass(frozen=True, slots=True)
class Rule:
    """What an event becomes in the dialect whose table holds the rule."""

    name: bytes
    key: str | None = None
    shape: Shape | None = None
    """None: only the name differs, so the message is never decoded."""
    swallowed: bool = False


RENAMED: Final = (
    ("response.text.delta", "response.output_text.delta"),
    ("response.text.done", "response.output_text.done"),
    ("response.audio.delta", "response.output_audio.delta"),
    ("response.audio.done", "response.output_audio.done"),
    ("response.audio_transcript.delta", "response.output_audio_transcript.delta"),
    ("response.audio_transcript.done", "response.output_audio_transcript.done"),
    ("conversation.item.created", "conversation.item.added"),
)
"""Beta name, GA name."""
ITEM_ADDED: Final = "conversation.item.added"
OUTPUT_ITEM_DONE: Final = "response.output_item.done"

TRANSCRIPTION: Final = "transcription_"
"""Beta puts it before `session.update` and its answers; GA says `session.type` instead."""

ITEM_DONE: Final = "conversation.item.done"
"""GA says it beside `response.output_item.done`; beta has no word for it."""

BODIES: Final[Mapping[str, tuple[str, Shape]]] = {
    "session.update": ("session", "session"),
    "session.created": ("session", "session"),
    "session.updated": ("session", "session"),
    "transcription_session.update": ("session", "session"),
    "transcription_session.created": ("session", "session"),
    "transcription_session.updated": ("session", "session"),
    "conversation.item.create": ("item", "item"),
    "conversation.item.created": ("item", "item"),
    "conversation.item.added": ("item", "item"),
    "conversation.item.done": ("item", "item"),
    "conversation.item.retrieved": ("item", "item"),
    "response.output_item.added": ("item", "item"),
    "response.output_item.done": ("item", "item"),
    "response.create": ("response", "request"),
    "response.created": ("response", "response"),
    "response.done": ("response", "response"),
    "error": ("error", "error"),
}

_MODALITIES: Final = Field("modalities", ("output_modalities",), MODALITIES)
_OUTPUT_FORMAT: Final = Field("output_audio_format", ("audio", "output", "format"), OUTPUT_FORMAT)
_VOICE: Final = Field("voice", ("audio", "output", "voice"), VOICE)
_MAX_TOKENS: Final = Field("max_response_output_tokens", ("max_output_tokens",))
_REASONING: Final = Field("reasoning_effort", ("reasoning", "effort"))  # in beta: Azure Voice Live only

FIELDS: Final[Mapping[Shape, tuple[Field, ...]]] = {
    "session": (
        _MODALITIES,
        Field("input_audio_format", ("audio", "input", "format"), INPUT_FORMAT),
        Field("input_audio_transcription", ("audio", "input", "transcription")),
        Field("input_audio_noise_reduction", ("audio", "input", "noise_reduction")),
        Field("turn_detection", ("audio", "input", "turn_detection")),
        _OUTPUT_FORMAT,
        _VOICE,
        Field("speed", ("audio", "output", "speed")),
        _MAX_TOKENS,
        _REASONING,
    ),
    "request": (_MODALITIES, _OUTPUT_FORMAT, _VOICE, _MAX_TOKENS, _REASONING),
    "response": (_MODALITIES, _OUTPUT_FORMAT, _VOICE),  # here both say max_output_tokens
}

SAMPLING_RATE: Final = Field("input_audio_sampling_rate", ("audio", "input", "format", "rate"))
"""Azure Voice Live's field; its value is translated with the format's, its name in errors is."""

CONTENT: Final = (("text", "output_text"), ("audio", "output_audio"))
"""Types of an item's content parts; in `response.content_part.*` both dialects say the beta ones."""

ITEM_LISTS: Final[Mapping[Shape, str]] = {"request": "input", "response": "output"}

Refused = Mapping[str, Sequence[Any] | None]
"""Fields that a provider refuses, by their name in its dialect, with the values that may be left out without
a change of what is heard; None: all values."""

REFUSED: Final[Mapping[Dialect, Refused]] = {
    Dialect.GA: {"temperature": None, "client_secret": None},
    Dialect.BETA: {"truncation": (None, "auto")},
}
REFUSED_IN_TRANSCRIPTION: Final[Mapping[Dialect, Refused]] = {
    Dialect.GA: {"output_modalities": None},
    Dialect.BETA: {},
}
REFUSED_BY_VOICE_LIVE: Final[Refused] = {"tracing": None, "speed": (None, 1)}
"""Not in Azure Voice Live's own description of a session, which refuses what it does not know."""

NEVER_ECHOED: Final = frozenset({"client_secret"})
DEFAULT_TEMPERATURE: Final = 0.8


def _rules(to: Dialect) -> dict[bytes, Rule]:
    names = dict(RENAMED) if to is Dialect.GA else {ga: beta for beta, ga in RENAMED}
    rules = {}
    for name in {*names, *BODIES}:
        key, shape = BODIES.get(name, (None, None))
        gone = to is Dialect.BETA and name == ITEM_DONE
        rules[name.encode()] = Rule(names.get(name, name).encode(), key, shape, gone)
    return rules


def _session_rules(names: Iterable[str]) -> dict[bytes, Rule]:
    return {name.encode(): Rule(name.encode(), *BODIES[name]) for name in names}


RULES: Final[Mapping[Dialect, Mapping[bytes, Rule]]] = {to: _rules(to) for to in Dialect}
"""By the dialect that is translated to, then by the event's name."""
MODEL_RULES: Final = _session_rules(name for name, (_, shape) in BODIES.items() if shape == "session")
"""For a call whose sides speak the same dialect but know the model by different names."""
