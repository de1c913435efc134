"""What the machine says of a run: memory, descriptors and CPU of Voxgate's processes, and how far the
recorder is behind. All from /proc and the data folder; nothing is asked of Voxgate itself.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Final

from bench.soak.house import Found

_TICKS: Final = os.sysconf("SC_CLK_TCK")
MEASURED: Final = ("worker", "writer", "recorder", "supervisor")


@dataclass(slots=True)
class Sample:
    seconds: float
    calls: int
    pids: dict[str, list[int]]
    memory_kb: dict[str, int]
    descriptors: dict[str, int]
    cores: dict[str, float]
    """Seconds of CPU in a second, since the sample before; "load" is the callers and the providers."""
    busy: float
    """The whole machine's share, with whatever else runs on it."""
    wire_bytes: int
    waiting: int
    """Calls that have ended and whose trace is not finished."""
    oldest_seconds: float
    """How long the one that waits longest has been waiting."""


@dataclass(slots=True)
class Watch:
    data: Path
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    _machine: tuple[float, float] = (0.0, 0.0)
    _cpu: dict[int, float] = field(default_factory=dict)
    _looked: float = 0.0

    def __post_init__(self) -> None:
        self._machine = _machine_seconds()
        self._looked = self.began

    def look(self, family: list[Found], calls: int, ended: dict[str, float]) -> Sample:
        """`ended`: sessions whose calls are over but not yet checked, with the moment of the end."""
        now = time.monotonic()
        pids: dict[str, list[int]] = {}
        memory: dict[str, int] = {}
        descriptors: dict[str, int] = {}
        for one in family:
            if one.role in MEASURED:
                pids.setdefault(one.role, []).append(one.pid)
                memory[one.role] = memory.get(one.role, 0) + _memory_kb(one.pid)
                descriptors[one.role] = descriptors.get(one.role, 0) + _descriptors(one.pid)
        logs = wire_logs(self.data)
        late = [ended[session] for session in logs if session in ended]
        sample = Sample(
            seconds=now - self.began,
            calls=calls,
            pids=pids,
            memory_kb=memory,
            descriptors=descriptors,
            cores=self._cores(family, now),
            busy=self._busy(),
            wire_bytes=sum(logs.values()),
            waiting=len(late),
            oldest_seconds=now - min(late) if late else 0.0,
        )
        self.samples.append(sample)
        return sample

    def _cores(self, family: list[Found], now: float) -> dict[str, float]:
        before, self._cpu = self._cpu, {one.pid: _cpu_seconds(one.pid) for one in family}
        elapsed, self._looked = now - self._looked, now
        cores: dict[str, float] = {}
        for one in family:
            spent = self._cpu[one.pid] - before.get(one.pid, 0.0)
            cores[one.role] = cores.get(one.role, 0.0) + max(0.0, spent) / elapsed
        return cores

    def _busy(self) -> float:
        before, self._machine = self._machine, _machine_seconds()
        total = self._machine[1] - before[1]
        return (self._machine[0] - before[0]) / total if total else 0.0

    def quarters(self, role: str, what: str) -> tuple[float, float] | None:
        """The medians of the second and of the last quarter of the samples of its last life: what another
        process held before it was killed says nothing of growth."""
        values = [getattr(sample, what)[role] for sample in self._last_life(role)]
        size = len(values) // 4
        if size < 3:
            return None
        return median(values[size : 2 * size]), median(values[-size:])

    def _last_life(self, role: str) -> list[Sample]:
        samples = [sample for sample in self.samples if role in sample.pids]
        same = takewhile(lambda one: one.pids[role] == samples[-1].pids[role], reversed(samples))
        return list(same)[::-1]


def wire_logs(data: Path) -> dict[str, int]:
    """The sessions whose wire logs are still there, and the size of each."""
    found: dict[str, int] = {}
    for folder in (data / "wire").iterdir():
        with suppress(FileNotFoundError, NotADirectoryError):  # its worker is gone and all is recorded
            for path in folder.iterdir():
                with suppress(FileNotFoundError):  # finished just now
                    if path.suffix == ".vgw":
                        found[path.stem] = path.stat().st_size
    return found


def put_aside(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "wire").glob("*/*.failed"))


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _memory_kb(pid: int) -> int:
    """Proportional set size."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only their number
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _machine_seconds() -> tuple[float, float]:
    """Busy and all seconds of all cores since the machine started."""
    fields = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    total = sum(fields)
    return (total - fields[3] - fields[4]) / _TICKS, total / _TICKS
