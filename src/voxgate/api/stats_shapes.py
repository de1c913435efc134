"""The shapes of figures over sessions."""

from __future__ import annotations

from pydantic import Field

from voxgate.api.shapes import AnswerShape


class Percentiles(AnswerShape):
    """Over the calls that have a value; null where none has."""

    p50: float | None
    p95: float | None


class MeanScore(AnswerShape):
    mean: float = Field(description="Over sessions, of each the mean of its scores of that name.")
    sessions: int = Field(description="How many have one.")


class Figures(AnswerShape):
    calls: int
    live: int
    failed: int
    with_errors: int
    errors: int
    duration_ms: float
    cost_usd: float = Field(description="Of the calls whose price is known.")
    priced: int = Field(description="How many these are.")
    turns: int
    interruptions: int
    with_tools: int
    with_failed_tools: int
    v2v: Percentiles = Field(description="Voice to voice in ms: of each call its own median.")
    first_audio: Percentiles = Field(description="Of the model's first audio, likewise.")
    score: MeanScore | None = Field(
        default=None, description="Of the score that is asked for; null where no session has it."
    )


class StatsBucket(Figures):
    start: str


class StatsGroup(Figures):
    value: str


class Stats(AnswerShape):
    start: str = Field(description="Of the first bucket.")
    end: str
    bucket_seconds: float
    total: Figures
    buckets: list[StatsBucket] = Field(description="Without gaps.")
    groups: list[StatsGroup] = Field(description="Most calls first, at most 12.")
