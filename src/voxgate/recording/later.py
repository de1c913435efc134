"""What the gateway learns of a call after its end, such as words that it had made of the stored sound: lines
of the event log beside it, which are read as its last ones. Whoever writes the log anew writes them into it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from voxgate.core.errors import NotFound
from voxgate.store import Blobs

LATER: Final = "later.jsonl"


def read_later(blobs: Blobs, prefix: str) -> bytes:
    """The lines; none if nothing came."""
    size = blobs.size(f"{prefix}/{LATER}")
    try:
        return blobs.read_range(f"{prefix}/{LATER}", 0, size) if size else b""
    except NotFound:  # the log was written anew meanwhile
        return b""


def add_later(blobs: Blobs, prefix: str, duration_ms: float, facts: Iterable[dict[str, Any]]) -> None:
    """Behind those that are there, and once only. They bear the time of the end, so that the call gets no
    longer."""
    t_ns = max(int(duration_ms * 1e6) - 1000, 0)  # the duration is rounded
    lines = [orjson.dumps({"t": t_ns, "dir": "gateway", "msg": fact}) + b"\n" for fact in facts]
    there = read_later(blobs, prefix)
    known = set(there.splitlines(keepends=True))
    blobs.put(f"{prefix}/{LATER}", there + b"".join(line for line in lines if line not in known))
