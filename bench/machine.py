"""The machine that measures: its cores, and what processes take of it."""

from __future__ import annotations

import mmap
import os
import platform
import resource
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

CORES: Final = os.cpu_count() or 1
RELAY_CORE: Final = 0
LOAD_CORE: Final = CORES - 1
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_QUIET_SECONDS: Final = 1.0
_MOST_FILES: Final = 1 << 16
_QUIET_SHARE: Final = 0.05


def pin_to(core: int, pids: list[int]) -> None:
    """All threads that the processes have now; those that they start later inherit it."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(task.name), {core % CORES})


def children(pid: int) -> list[int]:
    """Those that any of its threads started."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def descendants(pid: int) -> list[int]:
    return [one for child in children(pid) for one in (child, *descendants(child))]


def arguments(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process that still runs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_seconds() -> float:
    """What all processes took of all cores, interrupts included."""
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / _TICKS


def memory_kb(pids: list[int]) -> int:
    """Proportional set size: what the processes really take."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def wait_until_quiet(pids: list[int], seconds: float) -> None:
    """Until the processes have nothing left to do, or the time is over."""
    deadline = time.monotonic() + seconds
    while pids and time.monotonic() < deadline:
        before = sum(map(cpu_seconds, pids))
        time.sleep(_QUIET_SECONDS)
        if sum(map(cpu_seconds, pids)) - before < _QUIET_SECONDS * _QUIET_SHARE:
            return


def touch_memory(size: int) -> None:
    """Uses so much of the free memory once, at most half of it. A virtual machine's host may back a page only
    when it is touched first, which takes longer than relaying a message; a machine that has been up for
    a while has done that."""
    free = int(Path("/proc/meminfo").read_text().split("MemFree:")[1].split()[0]) << 10
    with mmap.mmap(-1, max(mmap.PAGESIZE, min(size, free // 2))) as memory:
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def raise_file_limit() -> None:
    """A relayed call is two files of the relay and two of the load; a usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_for_port(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def description() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    return f"{CORES} cores of {model}, Python {platform.python_version()}"
