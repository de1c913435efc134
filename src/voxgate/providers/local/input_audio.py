"""The input audio buffer: bytes in the session's format go in, marks come out, turns are cut from it.

Positions are milliseconds of the audio appended since the session began, never of the wall clock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from voxgate.providers.local.formats import BYTES_PER_SAMPLE, RATES, Samples, decode
from voxgate.providers.local.turns import Mark, TurnDetector, TurnRules
from voxgate.providers.local.vad import SpeechFrames

KEPT_WHILE_SILENT_MS = 30_000
KEPT_AT_MOST_MS = 600_000


class InputAudio:
    def __init__(self, format_type: str, turn_detection: dict[str, Any] | None) -> None:
        self.format_type = format_type
        self.rate = RATES[format_type]
        self.detector: TurnDetector | None = None
        self._frames: SpeechFrames | None = None
        self._chunks: list[Samples] = []
        self._kept = 0  # samples in `_chunks`
        self._clock = 0  # samples appended so far, at `rate`
        self._odd_byte = b""
        self.detect_turns(turn_detection)

    @property
    def clock_ms(self) -> int:
        return self._clock * 1000 // self.rate

    @property
    def buffered_ms(self) -> float:
        return self._kept * 1000 / self.rate

    @property
    def speaking(self) -> bool:
        return self.detector is not None and self.detector.speaking

    def append(self, data: bytes) -> list[Mark]:
        """The marks that this audio brings, in order."""
        samples = self._decode(data)
        self._chunks.append(samples)
        self._kept += len(samples)
        self._clock += len(samples)
        marks = self._find(samples)
        if not marks:
            self._trim()
        return marks

    def take(self, start_ms: int | None = None, end_ms: int | None = None) -> Samples:
        """Cuts the audio of a turn out and drops what was before it; without bounds, all there is."""
        buffered = self._joined()
        first = self._clock - len(buffered)
        start = first if start_ms is None else max(first, start_ms * self.rate // 1000)
        end = self._clock if end_ms is None else min(self._clock, end_ms * self.rate // 1000)
        self._keep(buffered[end - first :])
        return buffered[start - first : end - first]

    def clear(self) -> None:
        self._keep(np.zeros(0, np.int16))
        self._odd_byte = b""
        if self.detector:
            self.detector.forget()

    def change_format(self, format_type: str) -> None:
        """What is buffered is resampled; the clock goes on from the last whole millisecond."""
        if format_type == self.format_type:
            return
        rate = RATES[format_type]
        buffered = self._joined()
        self._clock = self.clock_ms * rate // 1000
        self._keep(
            np.asarray(soxr.resample(buffered, self.rate, rate), np.int16)[-self._clock or len(buffered) :]
        )
        self.format_type, self.rate, self._odd_byte = format_type, rate, b""
        if self.detector:
            self._restart(self.detector.rules)

    def detect_turns(self, turn_detection: dict[str, Any] | None) -> None:
        """None leaves the turns to the client; new rules hold from the next frame on."""
        if turn_detection is None:
            self.detector = self._frames = None
        elif self.detector is None or self.detector.rules != TurnRules.of(turn_detection):
            self._restart(TurnRules.of(turn_detection))

    def _restart(self, rules: TurnRules) -> None:
        self.detector = TurnDetector(rules, now_ms=self.clock_ms)
        self._frames = SpeechFrames(self.rate, rules.threshold)

    def _decode(self, data: bytes) -> Samples:
        data = self._odd_byte + data
        whole = len(data) - len(data) % BYTES_PER_SAMPLE[self.format_type]
        self._odd_byte = data[whole:]
        return decode(self.format_type, data[:whole])

    def _find(self, samples: Samples) -> list[Mark]:
        if not (self._frames and self.detector):
            return []
        detector = self.detector
        return [mark for is_speech in self._frames.push(samples) if (mark := detector.push(is_speech))]

    def _trim(self) -> None:
        waiting = self.detector is not None and not self.speaking
        most = (KEPT_WHILE_SILENT_MS if waiting else KEPT_AT_MOST_MS) * self.rate // 1000
        while self._kept - len(self._chunks[0]) >= most:
            self._kept -= len(self._chunks.pop(0))

    def _joined(self) -> Samples:
        return np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)

    def _keep(self, samples: Samples) -> None:
        self._chunks = [samples.copy()]
        self._kept = len(samples)
