"""What scorers give back, in all the shapes that people write, read as scores: numbers, truths, mappings,
scores of our own and of others (autoevals). Anything in, a list of scores out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from voxgate.evals.model import Direction, Evidence, Json, Score

MOST_EVIDENCE: Final = 1000
"""What the API takes with one score; the rest is left out and counted in the parameters."""
_NOTHING: Final = "the scorer gave no value"
_VALUES: Final = ("value", "score")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Manner:
    """What all scores of a scorer have in common, where they do not say otherwise."""

    name: str
    direction: Direction = "max"
    unit: str | None = None
    version: str | None = None
    params: Json = field(default_factory=dict)

    def score(self, value: float | None, **more: Any) -> Score:
        """Under the scorer's own name, unless `name` is given."""
        own: Json = {
            "name": self.name,
            "direction": self.direction,
            "unit": self.unit,
            "scorer_version": self.version,
            "params": self.params,
        }
        return Score(value=value, **own | more)

    def missing(self, reason: str, **more: Any) -> Score:
        return self.score(None, n=0, reason_missing=reason, **more)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a scorer of ours found: a score without what the manner adds. None with a `reason`."""

    value: float | None
    n: int = 1
    evidence: Sequence[Evidence] = ()
    explanation: str | None = None
    label: str | None = None
    reason: str | None = None
    part: str | None = None
    """The score is `NAME.part` of the scorer NAME."""
    unit: str | None = None
    direction: Direction | None = None


def not_measured(reason: str, **more: Any) -> Finding:
    return Finding(None, n=0, reason=reason, **more)


def scores_from(returned: Any, manner: Manner) -> list[Score]:
    """TypeError for what is no score in any shape."""
    if isinstance(returned, Sequence) and not isinstance(returned, str | bytes):
        found = [score for one in returned for score in scores_from(one, manner)]
        return found or [manner.missing(_NOTHING)]
    return [_tidy(score) for score in _read(returned, manner)]


def _read(returned: Any, manner: Manner) -> Iterable[Score]:
    if isinstance(returned, Score):
        return [_with_manner(returned, manner)]
    if isinstance(returned, Finding):
        return [_from_finding(returned, manner)]
    if isinstance(returned, Mapping):
        return _from_mapping(returned, manner)
    if hasattr(returned, "score") and hasattr(returned, "name"):
        return [_from_foreign(returned, manner)]
    return [_from_value(returned, manner)]


def _with_manner(score: Score, manner: Manner) -> Score:
    return replace(
        score,
        name=score.name or manner.name,
        unit=score.unit or manner.unit,
        scorer_version=score.scorer_version or manner.version,
        params=score.params or manner.params,
    )


def _from_finding(found: Finding, manner: Manner) -> Score:
    more: Json = {
        "n": found.n,
        "evidence": tuple(found.evidence),
        "explanation": found.explanation,
        "label": found.label,
        "reason_missing": found.reason if found.value is None else None,
    }
    if found.part is not None:
        more["name"] = f"{manner.name}.{found.part}"
    more |= {key: value for key in ("unit", "direction") if (value := getattr(found, key)) is not None}
    return manner.score(found.value, **more)


def _from_value(value: Any, manner: Manner, **more: Any) -> Score:
    if value is None:
        return manner.missing(more.pop("reason_missing", None) or _NOTHING, **more)
    if isinstance(value, bool):
        return manner.score(float(value), **{"label": "pass" if value else "fail", **more})
    try:
        return manner.score(float(value), **more)  # numpy's numbers too
    except (TypeError, ValueError) as error:
        raise TypeError(f"A scorer gives a number, true or false, a score or None, not {value!r}.") from error


def _from_mapping(found: Mapping[str, Any], manner: Manner) -> list[Score]:
    """One score with `value` or `score`; any other mapping has the parts of several."""
    key = next((key for key in _VALUES if key in found), None)
    if key is None:
        return [_from_value(value, manner, name=_part(manner, name)) for name, value in found.items()]
    known = {name: found[name] for name in Score.__dataclass_fields__ if found.get(name) is not None}
    known = {name: value for name, value in known.items() if name not in _VALUES}
    known["evidence"] = tuple(map(_evidence, known.get("evidence", ())))
    known.setdefault("explanation", _told(found.get("metadata")))
    return [_from_value(found[key], manner, **known)]


def _part(manner: Manner, name: Any) -> str:
    """Whatever its name has that a score's cannot have is `_`."""
    return f"{manner.name}.{_NOT_IN_NAMES.sub('_', str(name))}"


def _evidence(one: Any) -> Evidence:
    return one if isinstance(one, Evidence) else Evidence.from_json(one)


def _from_foreign(found: Any, manner: Manner) -> Score:
    """An object as autoevals has it: `name`, `score`, `metadata`. The name is the scorer's."""
    more: Json = {"explanation": _told(getattr(found, "metadata", None))}
    error = getattr(found, "error", None)
    if found.score is None and error:
        more["reason_missing"] = str(error)
    return _from_value(found.score, manner, **more)


def _told(metadata: Any) -> str | None:
    """Why, where a judge says it: autoevals' `rationale`."""
    if not isinstance(metadata, Mapping):
        return None
    told = metadata.get("rationale") or metadata.get("reason") or metadata.get("explanation")
    return str(told) if told else None


def _tidy(score: Score) -> Score:
    if score.value is not None and not math.isfinite(score.value):
        score = replace(score, value=None, n=0, reason_missing=f"the scorer gave {score.value}")
    left_out = len(score.evidence) - MOST_EVIDENCE
    if left_out > 0:
        params = {**score.params, "evidence_left_out": left_out}
        score = replace(score, evidence=score.evidence[:MOST_EVIDENCE], params=params)
    return score
