"""Time. Monotonic nanoseconds for durations, timezone-aware UTC for moments."""

from __future__ import annotations

import time
from datetime import UTC, datetime

monotonic_ns = time.monotonic_ns


def now_utc() -> datetime:
    return datetime.now(UTC)


def unix_seconds() -> int:
    return int(time.time())


def iso_utc(moment: datetime) -> str:
    """RFC 3339 with milliseconds and `Z`, for example `2026-11-22T18:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
