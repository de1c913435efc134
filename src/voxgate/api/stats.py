"""What calls came to, over time and by model, project or tag: the numbers of the overview."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from voxgate.api.access import Controlled, Reader, own_project
from voxgate.api.sessions import Wanted
from voxgate.api.stats_shapes import Stats
from voxgate.core.clock import now_utc
from voxgate.core.errors import InvalidRequest
from voxgate.store import MOST_BUCKETS, Asked

router = APIRouter(prefix="/api", tags=["stats"])

Bucket = Literal["minute", "5min", "hour", "6h", "day", "week"]
_MINUTE_MS: Final = 60_000
_BUCKETS_MS: Final[dict[Bucket, int]] = {
    "minute": _MINUTE_MS,
    "5min": 5 * _MINUTE_MS,
    "hour": 60 * _MINUTE_MS,
    "6h": 6 * 60 * _MINUTE_MS,
    "day": 24 * 60 * _MINUTE_MS,
    "week": 7 * 24 * 60 * _MINUTE_MS,
}
_FEW_BUCKETS: Final = 100
_DEFAULT_DAYS: Final = 7


@router.get("/stats", response_model=Stats)
def get_stats(
    key: Reader,
    control: Controlled,
    project: str | None = None,
    q: Wanted = None,
    start: Annotated[AwareDatetime | None, Query(description="By default a week before the end.")] = None,
    end: Annotated[AwareDatetime | None, Query(description="By default now.")] = None,
    bucket: Annotated[Bucket | None, Query(description="By default the smallest of which 100 do.")] = None,
    by: Annotated[
        Literal["model", "project", "tag"] | None, Query(description="Also in groups by this field.")
    ] = None,
    offset_minutes: Annotated[
        int, Query(ge=-840, le=840, description="Of the time zone whose days and weeks are counted.")
    ] = 0,
    score: Annotated[str | None, Query(max_length=64, description="Also the mean of this score.")] = None,
) -> dict[str, Any]:
    """Sums and percentiles of the sessions that a filter finds, in buckets of time without gaps."""
    until = end or now_utc()
    since = start or until - timedelta(days=_DEFAULT_DAYS)
    if since >= until:
        raise InvalidRequest("'start' has to be before 'end'.", param="start")
    asked = Asked(
        since,
        until,
        _BUCKETS_MS[bucket] if bucket else _fitting(since, until),
        offset_minutes * _MINUTE_MS,
        own_project(key, project or None),
        q or "",
    )
    if len(asked.starts_ms) > MOST_BUCKETS:
        raise InvalidRequest(
            f"That would be {len(asked.starts_ms)} buckets; at most {MOST_BUCKETS} are given.", param="bucket"
        )
    return control.store.session_stats(asked, by, score)


def _fitting(start: datetime, end: datetime) -> int:
    length_ms = (end - start) / timedelta(milliseconds=1)
    return next((ms for ms in _BUCKETS_MS.values() if length_ms / ms <= _FEW_BUCKETS), _BUCKETS_MS["week"])
