"""The header of a WAV file, computed for raw PCM that is stored without one. Pure."""

from __future__ import annotations

import struct

HEADER_BYTES = 44
SAMPLE_BYTES = 2
_LARGEST = 0xFFFF_FFFF


def wav_header(rate: int, channels: int, data_bytes: int) -> bytes:
    """RIFF/WAVE with one `fmt ` (PCM, 16 bit) and one `data` chunk. Sizes stop at 4 GiB."""
    block = channels * SAMPLE_BYTES
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * block, block, 8 * SAMPLE_BYTES)
    riff_bytes = min(HEADER_BYTES - 8 + data_bytes, _LARGEST)
    return (
        b"RIFF"
        + struct.pack("<I", riff_bytes)
        + b"WAVEfmt "
        + form
        + b"data"
        + struct.pack("<I", min(data_bytes, _LARGEST))
    )
