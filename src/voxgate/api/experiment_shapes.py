"""The shapes of experiments and their results, and of the rules of online scoring."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints

from voxgate.api.dataset_shapes import MOST_CASES, Case, CaseBody, CaseId, Name, ProjectName
from voxgate.api.shapes import AnswerShape, Evidence, RequestShape, ScoreSource

ExperimentStatus = Literal["running", "complete", "failed", "cancelled"]
Direction = Literal["max", "min"]
ScoreName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MOST_RESULTS: Final = 500
_LARGEST: Final = (1 << 63) - 1


class DatasetAsked(RequestShape):
    id: str
    version: int | None = Field(default=None, ge=0, description="By default the newest.")
    name: str | None = Field(default=None, description="Not needed: it is known.")


class DatasetVersionOf(AnswerShape):
    id: str
    name: str
    version: int


class Git(RequestShape):
    branch: str | None = None
    commit: str | None = None
    dirty: bool | None = None


class NewExperiment(RequestShape):
    name: Name
    project: ProjectName | None = Field(
        default=None, description="By default the data set's, else the key's, else `default`."
    )
    dataset: DatasetAsked | None = Field(default=None, description="Null: its cases are sent by themselves.")
    task: dict[str, Any] = Field(default_factory=dict, description="All that decides what comes out.")
    scorers: list[dict[str, Any]] = Field(default_factory=list, max_length=500)
    trials: int = Field(default=1, ge=1, le=10_000)
    seed: int = Field(default=0, ge=-_LARGEST, le=_LARGEST)
    cases: int | None = Field(default=None, ge=0, description="How many are planned.")
    baseline: str | None = Field(default=None, description="The experiment that it is compared with.")
    scored_from: str | None = Field(default=None, description="The one whose outputs are scored again.")
    git: Git | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class ExperimentEdit(RequestShape):
    """What is not given stays as it is. Only while it runs."""

    status: ExperimentStatus | None = None
    cases: int | None = Field(default=None, ge=0)
    baseline: str | None = None
    metadata: dict[str, Any] | None = None


class ScoreSummary(AnswerShape):
    mean: float | None = Field(description="Over the cases, of each the mean of its trials.")
    stderr: float | None = Field(description="Of that mean; null with fewer than two cases.")
    n: int = Field(description="Values.")
    missing: int = Field(description="Scores without a value.")
    direction: Direction
    unit: str | None


class Experiment(AnswerShape):
    id: str
    project: str
    name: str
    status: ExperimentStatus
    dataset: DatasetVersionOf | None
    task: dict[str, Any]
    scorers: list[dict[str, Any]]
    trials: int
    seed: int
    cases: int | None = Field(description="Planned.")
    results: int = Field(description="Stored: one for each case and trial.")
    errors: int = Field(description="How many of them are errors.")
    scores: dict[str, ScoreSummary]
    cost_usd: float | None = Field(description="Of the results whose cost is known.")
    baseline: str | None
    scored_from: str | None
    git: Git | None
    metadata: dict[str, Any]
    created_by: str
    created_at: str
    ended_at: str | None


class ExperimentPage(AnswerShape):
    items: list[Experiment]
    next_cursor: str | None


class ExperimentCase(CaseBody):
    """Of a list or of logs. What the task needs of it is the task's to say."""

    id: CaseId


class ExperimentCases(RequestShape):
    cases: list[ExperimentCase] = Field(min_length=1, max_length=MOST_CASES)


class CasesKept(AnswerShape):
    ids: list[str]


class ExperimentCasePage(AnswerShape):
    items: list[Case]
    next_cursor: str | None
    version: int | None = Field(description="Of the data set; null where the cases are the experiment's own.")


class ResultScore(RequestShape):
    model_config = ConfigDict(allow_inf_nan=False)

    name: ScoreName
    value: float | None = Field(description="Null only with a `reason_missing`.")
    n: int = 1
    unit: str | None = None
    direction: Direction = "max"
    evidence: list[Evidence] = Field(default_factory=list, max_length=1000)
    params: dict[str, Any] = Field(default_factory=dict)
    scorer_version: str | None = None
    reason_missing: str | None = None
    explanation: str | None = None
    label: str | None = None
    source: ScoreSource = "code"
    span_id: str | None = None


class ToolCallMade(RequestShape):
    name: str
    arguments: dict[str, Any] | str
    result: Any = None
    span_id: str | None = None
    start_ms: float | None = None
    end_ms: float | None = None
    status: str = "ok"


class TaskOutput(RequestShape):
    text: str | None = None
    tool_calls: list[ToolCallMade] = Field(default_factory=list)
    session_id: str | None = Field(default=None, description="The recorded session that it was made in.")
    turn_span_id: str | None = None
    value: Any = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    cost_usd: float | None = None


class Result(RequestShape):
    model_config = ConfigDict(allow_inf_nan=False)

    case_id: CaseId
    trial: int = Field(ge=0, le=1_000_000)
    output: TaskOutput | None = None
    scores: list[ResultScore] = Field(default_factory=list, max_length=1000)
    error: str | None = Field(default=None, description="Of the harness or the provider.")
    started_at: str | None = None
    duration_ms: float | None = None
    cost_usd: float | None = None


class ResultsRequest(RequestShape):
    results: list[Result] = Field(min_length=1, max_length=MOST_RESULTS)


class ResultsStored(AnswerShape):
    stored: list[tuple[str, int]] = Field(description="`[case_id, trial]` of each that was stored.")
    known: list[tuple[str, int]] = Field(description="Of those that had been there before, and stay.")


class ResultPage(AnswerShape):
    items: list[Result]
    next_cursor: str | None


class RuleScorer(RequestShape):
    name: ScoreName
    params: dict[str, Any] = Field(default_factory=dict)


class RuleAlert(RequestShape):
    model_config = ConfigDict(allow_inf_nan=False)

    score: ScoreName
    window: int = Field(ge=1, le=10_000, description="Over how many sessions the mean rolls.")
    threshold: float
    direction: Direction = Field(description="`max`: more is better, so it is sent below the threshold.")
    webhook: str = Field(max_length=2000, pattern=r"^https?://[^\s]+$")


class NewRule(RequestShape):
    model_config = ConfigDict(allow_inf_nan=False)

    name: Name
    project: ProjectName | None = Field(default=None, description="Null: of all that the key sees.")
    enabled: bool = True
    filter: str = Field(default="", max_length=5000, description="As in lists of sessions; empty: all.")
    sampling_rate: float = Field(default=1.0, ge=0, le=1)
    scorers: list[RuleScorer] = Field(min_length=1, max_length=100)
    alert: RuleAlert | None = None


class RuleEdit(RequestShape):
    """What is not given stays as it is."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: Name | None = None
    enabled: bool | None = None
    filter: str | None = Field(default=None, max_length=5000)
    sampling_rate: float | None = Field(default=None, ge=0, le=1)
    scorers: list[RuleScorer] | None = Field(default=None, min_length=1, max_length=100)
    alert: RuleAlert | None = Field(default=None, description="Null takes it away.")


class Rule(AnswerShape):
    id: str
    project: str | None = Field(description="Null: of all projects.")
    name: str
    enabled: bool
    filter: str
    sampling_rate: float
    scorers: list[RuleScorer]
    alert: RuleAlert | None
    activity: RuleActivity
    created_by: str
    created_at: str
    updated_at: str


class RuleActivity(AnswerShape):
    """What has become of the rule."""

    scored: int = Field(default=0, description="Sessions that have its scores, with or without values.")
    scored_at: str | None = Field(default=None, description="When the last one was scored.")
    missing: int = Field(default=0, description="Of those, sessions with a score that could not be made.")
    last_missing: dict[str, Any] | None = Field(
        default=None, description="The last one: `session_id`, `score`, `message`, `at`."
    )
    alert: dict[str, Any] | None = Field(
        default=None, description="`firing`, the rolling `value`, and `since` when it is so."
    )


class RunRequest(RequestShape):
    q: str = Field(default="", max_length=4000, description="Only those that this filter finds too.")


class RuleRun(AnswerShape):
    id: str
    rule_id: str
    q: str
    status: Literal["running", "complete", "failed", "cancelled"]
    total: int = Field(description="Sessions that the rule's filter and `q` find; 0 until it has begun.")
    done: int = Field(description="How many of them were looked at.")
    scored: int = Field(description="How many of those have the rule's scores; the others are not sampled.")
    failed: int
    error: str | None
    created_by: str
    created_at: str
    ended_at: str | None


class RuleRunPage(AnswerShape):
    items: list[RuleRun]


class RulePage(AnswerShape):
    items: list[Rule]
    next_cursor: str | None = None
