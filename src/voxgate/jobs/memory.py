"""The recorder's memory: what the garbage collector looks at, and what goes back to the system."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Final


def collect_rarely() -> None:
    """What was loaded stays, so the garbage collector need not look at it; and messages, of which there are
    many, make no cycles. At its defaults it takes a tenth of the recorder's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def _trim() -> Callable[[int], int]:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc: others give it back by themselves
        return lambda _keep_bytes: 0
    return trim


_malloc_trim: Final = _trim()


def give_back() -> None:
    """glibc keeps what lies below anything that is in use, which after a backlog may be all of it."""
    _malloc_trim(0)
