"""Voice activity: samples in any chunking go in, one decision for every 20 ms comes out.

WebRTC's detector decides on the spectrum; a gate on the energy above the noise floor keeps it honest in quiet
rooms. Everything runs on the audio clock: the same samples give the same decisions however they are cut.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxgate.providers.local.formats import Samples

FRAME_MS = 20
_VAD_RATE = 8_000  # WebRTC's detector reduces every rate to this one
_TAPS = 48
_DIGITAL_SILENCE_DB = -90.0
_LOUDEST_FLOOR_DB = -30.0


class SpeechClassifier(Protocol):
    """WebRTC's detector, or a fake in tests."""

    def is_speech(self, pcm: bytes, sample_rate: int) -> bool: ...


def webrtc_classifier(threshold: float) -> SpeechClassifier:
    """`threshold` 0 to 1 becomes one of the detector's four modes, from lenient to strict."""
    import webrtcvad  # type: ignore[import-untyped,unused-ignore]  # optional, compiled  # noqa: PLC0415

    classifier: SpeechClassifier = webrtcvad.Vad(min(3, int(threshold * 4)))
    return classifier


class EnergyGate:
    """Opens for frames that stand above a fixed level and above the tracked noise floor."""

    def __init__(self, threshold: float) -> None:
        self._least_db = -66.0 + 30.0 * threshold
        self._margin_db = 3.0 + 9.0 * threshold
        self._floor_db: float | None = None

    def is_open(self, frame: Samples) -> bool:
        level = level_db(frame)
        if level < _DIGITAL_SILENCE_DB:
            return False  # says nothing about the room
        # Begins with the first sound there is, unless that is someone speaking already. Then it falls at once
        # with the level and rises 1.5 dB a second: speech does not lift it, a fan in time does.
        if self._floor_db is None:
            self._floor_db = min(level, _LOUDEST_FLOOR_DB)
        opened = level > max(self._least_db, self._floor_db + self._margin_db)
        self._floor_db = min(level, self._floor_db + 0.03)
        return opened


def level_db(frame: Samples) -> float:
    """Root mean square in dB of full scale, after a pre-emphasis that takes 20 dB from the mains' hum."""
    values = frame.astype(np.float64)
    power = float(np.var(values[1:] - 0.95 * values[:-1])) / 32768.0**2
    return 10.0 * math.log10(power + 1e-12)


class Decimator:
    """24 kHz to 8 kHz, frame by frame: a windowed-sinc low pass at 3.6 kHz, then every third sample."""

    def __init__(self) -> None:
        self._taps = _low_pass(_TAPS, 3600 / 24_000)
        self._past: NDArray[np.float64] = np.zeros(_TAPS - 1)

    def push(self, frame: Samples) -> Samples:
        values = np.concatenate([self._past, frame])
        self._past = values[-(_TAPS - 1) :]
        reduced = sliding_window_view(values, _TAPS)[::3] @ self._taps
        return np.clip(reduced, -32768, 32767).astype(np.int16)


def _low_pass(taps: int, cutoff: float) -> NDArray[np.float64]:
    positions = np.arange(taps) - (taps - 1) / 2
    kernel = np.sinc(2 * cutoff * positions) * np.hamming(taps)
    return np.asarray(kernel / kernel.sum())


class SpeechFrames:
    """Cuts a stream into 20 ms frames and says for each whether it is speech."""

    def __init__(self, rate: int, threshold: float, classifier: SpeechClassifier | None = None) -> None:
        self._frame_size = rate * FRAME_MS // 1000
        self._decimator = Decimator() if rate != _VAD_RATE else None
        self._gate = EnergyGate(threshold)
        self._classifier = classifier or webrtc_classifier(threshold)
        self._pending: Samples = np.zeros(0, np.int16)

    def push(self, samples: Samples) -> list[bool]:
        stream = np.concatenate([self._pending, samples])
        whole = len(stream) // self._frame_size * self._frame_size
        self._pending = stream[whole:]
        return [self._decide(frame) for frame in stream[:whole].reshape(-1, self._frame_size)]

    def _decide(self, frame: Samples) -> bool:
        reduced = self._decimator.push(frame) if self._decimator else frame
        # Both are asked about every frame: each one adapts to what it has heard.
        loud = self._gate.is_open(reduced)
        voiced = self._classifier.is_speech(reduced.tobytes(), _VAD_RATE)
        return loud and voiced
