"""The paced load's compiled part, `_voice.c`: built when a measurement first needs it, and used where both
ends speak plain TCP and no JSON is written anew. It carries the same plan and checks the same bytes as
`Load.voice` at a fraction of its CPU, so that with many calls the load is not what is measured.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from bench.messages import STAMP_BYTES, Text

_SOURCE: Final = Path(__file__).with_name("_voice.c")
_BUILT: Final = Path(__file__).parent / ".peers"


class _Times(ctypes.Structure):
    _fields_ = (("ns", ctypes.POINTER(ctypes.c_int64)), ("count", ctypes.c_uint64), ("size", ctypes.c_uint64))

    def taken(self) -> array[int]:
        found = array("q")
        if self.count:
            found.frombytes(ctypes.string_at(self.ns, self.count * found.itemsize))
        return found


class _Result(ctypes.Structure):
    _fields_ = (
        ("sent", ctypes.c_uint64 * 2),
        ("received", ctypes.c_uint64 * 2),
        ("wrong", ctypes.c_uint64 * 2),
        ("lost_callers", ctypes.c_uint64),
        ("seconds", ctypes.c_double),
        ("latencies", _Times),
        ("late", _Times),
    )


@dataclass(frozen=True)
class End:
    """One end of a call: its socket, what it sends and in what bursts, and what the other end sends."""

    descriptor: int
    sends: Text
    hears: Text
    masked: bool
    burst: int


@dataclass(frozen=True)
class Carried:
    """What a load has done. Of a pair: up and down."""

    sent: tuple[int, int]
    received: tuple[int, int]
    wrong: tuple[int, int]
    lost_callers: int
    seconds: float
    latencies_ns: array[int]
    late_ns: array[int]


@cache
def library() -> Any | None:
    """None without a C compiler: then Python carries the load."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    built = _BUILT / f"voice-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not built.exists():
        _BUILT.mkdir(exist_ok=True)
        unfinished = built.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", _SOURCE, "-o", unfinished], check=True)
        unfinished.replace(built)
    found = ctypes.CDLL(str(built))
    found.voice_new.restype = ctypes.c_void_p
    return found


def carry(
    calls: Sequence[tuple[End, End]],
    plan: Sequence[tuple[float, int]],
    seconds: float,
    quiet_seconds: float,
    warm_up_seconds: float = 0.0,
) -> Carried:
    """Carries out the plan of a second, again and again: when which end speaks (callers are 0, 2, 4…). Calls
    are pairs of caller and provider. Ends when all has arrived, or nothing came for `quiet_seconds`.
    What was sent in the first `warm_up_seconds` has no latency."""
    code = library()
    if code is None:
        raise RuntimeError("there is no C compiler")
    voice, result = ctypes.c_void_p(code.voice_new()), _Result()
    for pair in calls:
        for direction, end in enumerate(pair):
            _add(code, voice, end, direction)
    due = (ctypes.c_int64 * len(plan))(*(int(at * 1e9) for at, _ in plan))
    who = (ctypes.c_uint32 * len(plan))(*(end for _, end in plan))
    code.voice_run(
        voice, due, who, ctypes.c_uint64(len(plan)),
        ctypes.c_double(seconds), ctypes.c_double(quiet_seconds), ctypes.c_double(warm_up_seconds),
        ctypes.byref(result),
    )  # fmt: skip
    carried = Carried(
        (result.sent[0], result.sent[1]),
        (result.received[0], result.received[1]),
        (result.wrong[0], result.wrong[1]),
        result.lost_callers,
        result.seconds,
        result.latencies.taken(),
        result.late.taken(),
    )
    code.voice_free(voice, ctypes.byref(result))
    return carried


def _add(code: Any, voice: ctypes.c_void_p, end: End, direction: int) -> None:
    head = end.sends.head(masked=end.masked)
    frame = head + end.sends.before + bytes(STAMP_BYTES) + end.sends.after
    expected = end.hears.before + end.hears.after
    code.voice_add(
        voice, end.descriptor, int(end.masked), direction, end.burst,
        frame, len(frame), len(head) + len(end.sends.before),
        expected, ctypes.c_uint64(len(expected)), ctypes.c_uint64(len(end.hears.before)),
    )  # fmt: skip
