"""Time. Monotonic nanoseconds for durations, timezone-aware UTC for moments."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

monotonic_ns = time.monotonic_ns
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_utc() -> datetime:
    return datetime.now(UTC)


def unix_seconds() -> int:
    return int(time.time())


def unix_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970, exactly, and as `iso_utc` cuts them off."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def from_unix_ms(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def iso_utc(moment: datetime) -> str:
    """RFC 3339 with milliseconds and `Z`, for example `2026-11-22T18:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
