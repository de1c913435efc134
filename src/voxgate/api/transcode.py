"""A process of its own that encodes raw PCM: standard input to a FLAC or Ogg file.

`python -m voxgate.api.transcode flac 24000 1 OUT` reads 16-bit little-endian samples. It is a process so that
neither the encoder's time nor its libraries get into a gateway worker; `encode` is how a worker runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from voxgate.core.errors import VoxgateError

# The rates that Opus knows; other rates get Vorbis.
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_FRAMES = 4096


def encode(chunks: Iterable[bytes], kind: str, rate: int, channels: int, target: Path) -> None:
    """Run the process on these samples; VoxgateError with its complaint if it fails."""
    command = [sys.executable, "-m", "voxgate.api.transcode", kind, str(rate), str(channels), str(target)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        assert process.stdin is not None
        assert process.stderr is not None
        # A broken pipe means that it has failed already; its complaint and exit code follow.
        with suppress(BrokenPipeError):
            for chunk in chunks:
                process.stdin.write(chunk)
        with suppress(BrokenPipeError):
            process.stdin.close()
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        reason = complaint.splitlines()[-1:] or [f"exit code {process.returncode}"]
        raise VoxgateError(f"The sound could not be encoded as {kind}: {reason[0]}.")


def main(kind: str, rate: int, channels: int, target: str) -> None:
    # Heavy and optional for everything else, so it is loaded in this process only.
    import soundfile  # noqa: PLC0415

    os.nice(10)  # running calls go before downloads
    block = 2 * channels
    with soundfile.SoundFile(target, "w", rate, channels, **_encoding(kind, rate)) as sound:
        # In small pieces: libsndfile's Vorbis encoder overflows its stack on long ones.
        while data := sys.stdin.buffer.read(_FRAMES * block):
            sound.buffer_write(data[: len(data) // block * block], "int16")


def _encoding(kind: str, rate: int) -> dict[str, str]:
    if kind == "flac":
        return {"format": "FLAC", "subtype": "PCM_16"}
    return {"format": "OGG", "subtype": "OPUS" if rate in _OPUS_RATES else "VORBIS"}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
