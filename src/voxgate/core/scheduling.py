"""How the operating system shares a core between our processes. What relays has to run the moment that bytes
arrive, and what writes and records has all the time there is: but Linux lets whoever runs finish its slice,
some milliseconds, before it looks at who woke. So those that work beside the relay take short slices.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Final

SHORT_SLICE_SECONDS: Final = 0.0002

_AUTOGROUP: Final = Path("/proc/self/autogroup")
_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The number of this system call; that of sched_getattr(2) is the next."""
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
"""`struct sched_attr` of sched_setattr(2): size, policy, flags, nice, priority, runtime, deadline, period."""

_short_slices = False

logger = logging.getLogger(__name__)


def be_nice(niceness: int) -> None:
    """Lets others go first. Linux weighs the processes of one terminal session against each other by their
    niceness, but sessions as wholes (sched(7), autogroup): a process that leads a session of its own has to
    say it for that too, or nothing comes of it."""
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # another system, or one without autogroups
            _AUTOGROUP.write_text(str(niceness))


def take_short_slices(seconds: float = SHORT_SLICE_SECONDS) -> bool:
    """Asks that this thread, and those that it starts, run for so long at a time and not longer where others
    wait (at least 0.0001; Linux 6.12 and later). Whether they do now; where not, nothing changes."""
    global _short_slices
    number = _SCHED_SETATTR.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    asked = _ATTRIBUTES.pack(
        _ATTRIBUTES.size, os.sched_getscheduler(0), 0, niceness, 0, int(seconds * 1e9), 0, 0
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 0, asked, 0) != 0:
        logger.debug("slices stay as they are: %s", os.strerror(ctypes.get_errno()))
        return False
    told = ctypes.create_string_buffer(_ATTRIBUTES.size)
    # Linux before 6.12 takes what it does not heed, and tells nothing of it here.
    libc.syscall(number + 1, 0, told, _ATTRIBUTES.size, 0)
    granted_ns: int = _ATTRIBUTES.unpack(told.raw)[5]
    _short_slices = 0 < granted_ns <= seconds * 1e9
    return _short_slices


def step_aside() -> None:
    """Lets others run, between two pieces of work that has all the time there is, where slices are long. With
    short ones nobody need; and one would wait behind everybody, also behind what is less urgent."""
    if not _short_slices and hasattr(os, "sched_yield"):
        os.sched_yield()
