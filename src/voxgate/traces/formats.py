"""Audio formats as sessions name them, GA and beta, and the numbers that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from voxgate.traces.events import Json, number, obj, string

Direction = Literal["input", "output"]
Kind = Literal["pcm", "pcmu", "pcma"]

_LOWEST_RATE, _HIGHEST_RATE = 4000, 192_000


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """`pcm` is 16-bit little-endian mono; `pcmu` and `pcma` are G.711, one byte a sample."""

    kind: Kind
    rate: int

    @property
    def sample_bytes(self) -> int:
        return 2 if self.kind == "pcm" else 1


PCM_24K: Final = AudioFormat("pcm", 24_000)
_G711: Final[dict[str, Kind]] = {
    "audio/pcmu": "pcmu",
    "audio/pcma": "pcma",
    "g711_ulaw": "pcmu",
    "g711_alaw": "pcma",
}
_AT_OTHER_RATES: Final = {"pcm16_8000hz": 8_000, "pcm16_16000hz": 16_000}
"""Azure Voice Live's."""


def parse_format(value: object) -> AudioFormat | None:
    """`{"type": "audio/pcm", "rate": 24000}`, a beta name such as `pcm16`, or None if it is neither."""
    if isinstance(value, str):
        value = {"type": value}
    name = string(value, "type") or ""
    if name in _AT_OTHER_RATES:
        return AudioFormat("pcm", _AT_OTHER_RATES[name])
    if name in _G711:
        return AudioFormat(_G711[name], 8000)
    if name in ("audio/pcm", "pcm16"):
        rate = int(number(value, "rate") or PCM_24K.rate)
        return AudioFormat("pcm", rate) if _LOWEST_RATE <= rate <= _HIGHEST_RATE else None
    return None


def format_in(session: Json, direction: Direction) -> AudioFormat | None:
    """The format that a session or a response names for a direction, if it names one."""
    ga = parse_format(obj(session, "audio", direction).get("format"))
    beta = session.get(f"{direction}_audio_format")
    if direction == "input" and beta == "pcm16":  # Azure Voice Live says the rate beside it
        beta = {"type": beta, "rate": session.get("input_audio_sampling_rate")}
    return ga or parse_format(beta)
