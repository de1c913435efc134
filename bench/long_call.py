"""`python -m bench.long_call`: what a long call takes of memory, with sound in both directions all the time.
A whole wire log goes through a real recorder, which makes the trace and puts the recording away; then the
whole call is converted, and its event log read. Each figure is what a process grew by beyond a call of ten
seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from bench.recorder import House, session_id, wire_log
from bench.recorder import _forget_peak as forget_peak
from bench.recorder import _memory_kb as memory_kb
from bench.recorder import _peak_kb as peak_kb
from bench.soak.orders import Codec
from voxgate.api import transcode
from voxgate.api.archive import Archive
from voxgate.recording.wirelog import MAGIC

_SHORT_SECONDS: Final = 10.0
_PIECE_BYTES: Final = 256 << 10


@dataclass(slots=True)
class Taken:
    recorder_mb: float
    """The recorder, until the recording is put away."""
    archive_mb: float
    """The process that reads what was put away: whole mix and event log."""
    encoder_mb: dict[str, float]
    """The process that encodes the mix, by format, in all: it is a new one each time."""
    asking_mb: float
    """The gateway worker that passes all this on."""
    recorder_cpu_seconds: float
    put_away_cpu_seconds: float


class Archivist:
    """A recorder that puts away what it has recorded."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder)

    def record(self, number: int, seconds: float, codec: Codec) -> tuple[float, float]:
        """CPU seconds until the trace is there, and from there until the recording is put away."""
        written = self.house.path(number)
        with written.open("wb") as file:
            file.write(MAGIC)
            file.writelines(record for _, record in wire_log(number, seconds, codec))
        forget_peak()
        recorded = self._until(lambda: not written.exists())
        return recorded, self._until(lambda: not any(self.house.marks.iterdir()))

    def _until(self, done: Callable[[], bool]) -> float:
        began = time.process_time()
        while not done():
            if not self.house.recorder.step():
                time.sleep(0.001)
        return time.process_time() - began

    def close(self) -> None:
        self.house.close()


def measure(seconds: float, codec: Codec, folder: Path) -> Taken:
    archivist = Archivist(folder)
    archivist.record(0, _SHORT_SECONDS, codec)
    before = memory_kb()
    cpu = archivist.record(1, seconds, codec)
    recorder_mb = (peak_kb() - before) / 1024
    print(f"recorder: {recorder_mb:.1f} MB, {cpu} CPU seconds", file=sys.stderr)
    archive = Archive(archivist.house.blobs)
    read_all(archive, 0)
    assert archive.process_id is not None
    small, asking = _peak_of(archive.process_id), memory_kb()
    forget_peak()
    read_all(archive, 1)
    archive_mb = (_peak_of(archive.process_id) - small) / 1024
    print(f"archive: {archive_mb:.1f} MB", file=sys.stderr)
    encoders = {kind: encode(archive, kind, folder / f"mix.{kind}") for kind in ("flac", "ogg")}
    asking_mb = (peak_kb() - asking) / 1024
    archive.close()
    archivist.close()
    figures = (round(figure, 1) for figure in (recorder_mb, archive_mb))
    return Taken(*figures, encoders, round(asking_mb, 1), *(round(one, 2) for one in cpu))


def encode(archive: Archive, kind: str, target: Path) -> float:
    """The most that the encoder takes, in MB."""
    peaks = [0]

    def watched() -> Iterator[bytes]:
        for piece in pieces(archive, 1):
            yield piece
            peaks.append(max(map(_peak_of, _encoders()), default=0))

    sound = archive.sound(session_id(1), "mix", "1")
    transcode.encode(watched(), kind, sound.rate, sound.channels, target)
    return round(max(peaks) / 1024, 1)


def _encoders() -> list[int]:
    """The process ids of those that run."""
    pid = os.getpid()
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if b"transcode" in Path(f"/proc/{child}/cmdline").read_bytes()]


def pieces(archive: Archive, number: int) -> Iterator[bytes]:
    """The samples of the whole call, as an answer sends them."""
    sound = archive.sound(session_id(number), "mix", "1")
    for start in range(0, sound.size, _PIECE_BYTES):
        yield archive.read_sound(session_id(number), "mix", "1", start, min(start + _PIECE_BYTES, sound.size))


def read_all(archive: Archive, number: int) -> None:
    assert sum(map(len, pieces(archive, number)))
    start = 0
    while piece := archive.read_events(session_id(number), start, _PIECE_BYTES):
        start += len(piece)


def _peak_of(process_id: int) -> int:
    """In KB."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.long_call", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--codec", choices=["pcm", "pcmu"], default="pcm")
    parser.add_argument("--folder", help="where the recording goes, 2 GB for an hour")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        taken = measure(options.minutes * 60, options.codec, Path(folder))
    print(orjson.dumps(asdict(taken)).decode())


if __name__ == "__main__":
    main()
