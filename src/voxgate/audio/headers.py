"""How long a piece of sound is, by the header of its file: WAV of any coding, and FLAC. Pure."""

from __future__ import annotations

import struct
from typing import Final

HEAD_BYTES: Final = 64 << 10
"""So much of a file's start is enough, whatever tags it has."""


def duration_ms(head: bytes, size_bytes: int) -> float | None:
    """Of a file with this start and so many bytes; None where the header does not say. ValueError if it
    begins as a WAV file and is none that can be read."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav_ms(head, size_bytes)
    return _flac_ms(head) if head[:4] == b"fLaC" else None


def _wav_ms(head: bytes, size_bytes: int) -> float | None:
    at, bytes_per_second = 12, 0
    size: int
    while at + 8 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, at)
        if kind == b"fmt ":
            if at + 20 > len(head):
                break
            (bytes_per_second,) = struct.unpack_from("<I", head, at + 16)
        if kind == b"data":
            if not bytes_per_second:
                break
            # Of what a program has piped out the size is not known: then it goes on to the file's end.
            return 1000 * min(size, max(size_bytes - at - 8, 0)) / float(bytes_per_second)
        at += 8 + size + size % 2
    if at < size_bytes and at > len(head):
        return None  # its sound begins later than we look
    raise ValueError("The WAV file has no sound: its header is not whole.")


def _flac_ms(head: bytes) -> float | None:
    """STREAMINFO is the first block: at byte 18, 20 bits of rate, 8 of other things, 36 of samples."""
    if len(head) < 26:
        raise ValueError("The FLAC file has no sound: its header is not whole.")
    packed = int.from_bytes(head[18:26], "big")
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    return 1000 * samples / rate if rate and samples else None
