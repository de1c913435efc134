"""The shapes of agreement between people and scorers."""

from __future__ import annotations

from pydantic import Field

from voxgate.api.shapes import AnswerShape, ScoreSource


class SaidOf(AnswerShape):
    value: float | None
    label: str | None


class Disagreement(AnswerShape):
    session_id: str
    span_id: str | None
    human: SaidOf
    scorer: SaidOf


class ConfusionCell(AnswerShape):
    human: str = Field(description="A label, or a value as text.")
    scorer: str
    count: int


class Agreement(AnswerShape):
    name: str
    source: ScoreSource
    author: str = Field(description="Whose scores: `rule:<id>` of a rule.")
    pairs: int
    equal: float = Field(description="The share of pairs in which both say the same.")
    kappa: float | None = Field(description="Cohen's kappa: 1 is full agreement, 0 what chance gives.")
    kappa_missing: str | None = Field(description="Why there is none.")
    confusion: list[ConfusionCell] = Field(description="Empty where there are more than 12 categories.")
    mean_absolute_difference: float | None = Field(description="Of the pairs in which both are numbers.")
    disagreements: list[Disagreement] = Field(description="The furthest apart first, 50 at most.")


class AgreementPage(AnswerShape):
    items: list[Agreement]
