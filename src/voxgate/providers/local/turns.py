"""Turn detection: decisions for every 20 ms go in, the marks where speech starts and stops come out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from voxgate.providers.local.vad import FRAME_MS

_WINDOW = 7  # speech starts when 100 of the last 140 ms are speech: a click is shorter
_ENOUGH = 5
_SEMANTIC_SILENCE_MS = {"low": 1200, "medium": 600, "auto": 600, "high": 300}


@dataclass(frozen=True)
class SpeechStarted:
    """`audio_start_ms` includes the padding before the first sound."""

    audio_start_ms: int


@dataclass(frozen=True)
class SpeechStopped:
    """`audio_end_ms` includes the silence that ended the turn."""

    audio_end_ms: int


Mark = SpeechStarted | SpeechStopped


@dataclass(frozen=True)
class TurnRules:
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int

    @classmethod
    def of(cls, turn_detection: dict[str, Any]) -> TurnRules:
        """`semantic_vad` is served as `server_vad`: eagerness becomes the length of the silence."""
        if turn_detection["type"] == "semantic_vad":
            return cls(0.5, 300, _SEMANTIC_SILENCE_MS[turn_detection["eagerness"]])
        return cls(
            turn_detection["threshold"],
            turn_detection["prefix_padding_ms"],
            turn_detection["silence_duration_ms"],
        )


class TurnDetector:
    """One pass over the audio clock; `now_ms` is the end of the last frame, `speaking` the state after it."""

    def __init__(self, rules: TurnRules, *, now_ms: int = 0) -> None:
        self.rules = rules
        self.now_ms = now_ms
        self.speaking = False
        self.earliest_ms = now_ms  # audio before this belongs to an earlier turn
        self._recent: deque[bool] = deque(maxlen=_WINDOW)
        self._silence_ms = 0
        self._run = 0

    def push(self, is_speech: bool) -> Mark | None:
        self.now_ms += FRAME_MS
        self._run = self._run + 1 if is_speech else 0
        return self._while_speaking() if self.speaking else self._while_silent(is_speech)

    def forget(self) -> None:
        """The buffer was committed or cleared by the client: what was being said is over."""
        self.speaking = False
        self.earliest_ms = self.now_ms
        self._recent.clear()

    def _while_silent(self, is_speech: bool) -> Mark | None:
        self._recent.append(is_speech)
        if sum(self._recent) < _ENOUGH:
            return None
        onset_ms = self.now_ms - FRAME_MS * (len(self._recent) - self._recent.index(True))
        self.speaking = True
        self._silence_ms = 0
        return SpeechStarted(max(self.earliest_ms, onset_ms - self.rules.prefix_padding_ms))

    def _while_speaking(self) -> Mark | None:
        # A lone frame of speech is a click or the detector's doubt; two in a row go on with the turn.
        if self._run == 0:
            self._silence_ms += FRAME_MS
        elif self._run >= 2:
            self._silence_ms = 0
        if self._silence_ms < max(self.rules.silence_duration_ms, FRAME_MS):
            return None
        self.forget()
        return SpeechStopped(self.now_ms)
