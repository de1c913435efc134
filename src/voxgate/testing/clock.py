"""A clock that stands still until a test moves it on, for whatever takes its time from a function."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Called, it gives monotonic seconds, as `time.monotonic` does."""

    def __init__(self, began_at: datetime | None = None) -> None:
        self._began_at = began_at or datetime(2026, 1, 1, tzinfo=UTC)
        self._passed_ns = 1_000_000_000_000
        """Never 0, as on a machine that runs: what takes 0 for "never" is found out."""
        self._first_ns = self._passed_ns

    def __call__(self) -> float:
        return self._passed_ns / 1e9

    def monotonic_ns(self) -> int:
        return self._passed_ns

    def now(self) -> datetime:
        """The moment, in UTC."""
        return self._began_at + timedelta(microseconds=(self._passed_ns - self._first_ns) / 1000)

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"Time does not go back, and this is {seconds} s.")
        self._passed_ns += round(seconds * 1e9)
