"""A track from its chunks: 16-bit little-endian mono at one rate, whatever the formats of the chunks are."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from voxgate.audio.g711 import decode_alaw, decode_ulaw

Samples = NDArray[np.int16]
SAMPLE_BYTES = 2
_LITTLE = np.dtype("<i2")


def to_samples(data: bytes) -> Samples:
    """Whole samples of s16le; an odd byte at the end is left out."""
    return np.frombuffer(data, _LITTLE, count=len(data) // SAMPLE_BYTES).astype(np.int16, copy=False)


def to_bytes(samples: Samples) -> bytes:
    return samples.astype(_LITTLE, copy=False).tobytes()


class TrackDecoder:
    """Chunks in any format in, the track's bytes out: those of its own format unchanged, G.711 decoded, and
    what comes at another rate resampled, exactly as long as the chunks' `frames` say."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._source: tuple[str, int] | None = None
        self._odd = b""
        self._is_plain = False
        """Whether whole samples in the same format as before are the track's bytes already."""
        self._resampler: soxr.ResampleStream | None = None
        self._owed = 0

    def feed(self, kind: str, rate: int, data: bytes, frames: int) -> bytes:
        """`kind` is pcm, pcmu or pcma; `frames` is how long the chunk is at the track's rate."""
        if self._is_plain and (kind, rate) == self._source and not len(data) % SAMPLE_BYTES:
            return data
        before = b""
        if (kind, rate) != self._source:
            before = self._switch(kind, rate)
        pcm = self._decode(kind, data)
        if self._resampler is None:
            self._is_plain = kind == "pcm" and not self._odd
            return before + pcm
        self._owed += frames
        return before + self._take(self._resampler.resample_chunk(to_samples(pcm)))

    def flush(self) -> bytes:
        """What a resampler still holds back."""
        if self._resampler is None:
            return b""
        rest = self._take(self._resampler.resample_chunk(np.empty(0, np.int16), last=True))
        silence = b"\0" * (self._owed * SAMPLE_BYTES)
        self._resampler, self._source, self._owed = None, None, 0
        return rest + silence

    def _switch(self, kind: str, rate: int) -> bytes:
        rest = self.flush()
        self._source, self._odd, self._is_plain = (kind, rate), b"", False
        if rate != self.rate:
            self._resampler = soxr.ResampleStream(rate, self.rate, 1, dtype="int16")
        return rest

    def _decode(self, kind: str, data: bytes) -> bytes:
        if kind == "pcmu":
            return to_bytes(decode_ulaw(data))
        if kind == "pcma":
            return to_bytes(decode_alaw(data))
        data = self._odd + data
        whole = len(data) // SAMPLE_BYTES * SAMPLE_BYTES
        self._odd = data[whole:]
        return data[:whole]

    def _take(self, samples: Samples) -> bytes:
        """No more than is owed: a resampler may round up by a sample."""
        samples = samples[: self._owed]
        self._owed -= len(samples)
        return to_bytes(samples)


class StreamResampler:
    """s16le of one rate in, of another out, block by block."""

    def __init__(self, source_rate: int, rate: int) -> None:
        self._stream = soxr.ResampleStream(source_rate, rate, 1, dtype="int16")

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        return to_bytes(self._stream.resample_chunk(to_samples(data), last=last))
