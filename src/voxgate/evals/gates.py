"""What an experiment has to reach, written as a mapping: `{"v2v.p95": "<=1500", "wer": "no-regression"}`.
Reads it, and says of a tally what is met and what is not, with the reason.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from voxgate.core.errors import InvalidRequest
from voxgate.evals import statistics
from voxgate.evals.comparing import Comparison
from voxgate.evals.model import Json
from voxgate.evals.tally import Column, Tally

Operator = Literal["<=", ">=", "<", ">", "=="]
NO_REGRESSION: Final = "no-regression"
ALLOW_MISSING: Final = "allow_missing"
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    ">": lambda value, limit: value > limit,
    "==": lambda value, limit: value == limit,
}
_CONDITION: Final = re.compile(r"\s*(<=|>=|==|<|>)\s*(-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)\s*(%|ms|s)?\s*")
_AGGREGATE: Final = re.compile(r"mean|min|max|sum|n|missing|stderr|p\d{1,2}(?:\.\d+)?|pass[@^]\d+")
_COST: Final = "cost_usd"
"""Of the experiment as a whole."""
_SHAPE: Final = (
    'A gate is written "score": ">=0.9", "score.p95": "<=1500" (mean, min, max, sum, n, missing, stderr, '
    'pNN, pass@K or pass^K), or "score": "no-regression"'
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of a gate. `operator` None: no regression against the baseline."""

    key: str
    text: str
    operator: Operator | None = None
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    conditions: tuple[Condition, ...] = ()
    allow_missing: bool | frozenset[str] = False
    """Scores whose missing values are passed over: all, or those named."""
    is_first: bool = False
    """Nothing is there to compare with yet, and that is known: then nothing has regressed."""

    @property
    def needs_baseline(self) -> bool:
        return any(condition.operator is None for condition in self.conditions)

    def unregressed(self, tally: Tally) -> set[str]:
        """The scores that must not have regressed."""
        return {
            _target(condition.key, tally)[0] for condition in self.conditions if condition.operator is None
        }

    def allows_missing(self, name: str) -> bool:
        return self.allow_missing if isinstance(self.allow_missing, bool) else name in self.allow_missing

    def to_json(self) -> Json:
        lines: Json = {condition.key: condition.text for condition in self.conditions}
        if self.allow_missing:
            named = self.allow_missing
            lines[ALLOW_MISSING] = named if isinstance(named, bool) else sorted(named)
        return lines


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, judged. `reason` says what is the matter, or what to know although it is met."""

    key: str
    condition: str
    passed: bool
    value: float | None
    unit: str | None = None
    reason: str | None = None

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def parse_gate(lines: Mapping[str, Any] | None) -> Gate:
    """InvalidRequest says which line cannot be read, and how it could be."""
    lines = dict(lines or {})
    allowed = lines.pop(ALLOW_MISSING, False)
    if isinstance(allowed, str) or not isinstance(allowed, bool | Sequence):
        raise InvalidRequest(
            f"{ALLOW_MISSING} is true, false or a list of names, not {allowed!r}.", param=ALLOW_MISSING
        )
    conditions = tuple(_condition(key, text) for key, text in lines.items())
    return Gate(conditions, allowed if isinstance(allowed, bool) else frozenset(map(str, allowed)))


def _condition(key: str, text: Any) -> Condition:
    if not isinstance(text, str):
        raise InvalidRequest(f"The gate {key!r} is {text!r}. {_SHAPE}.", param=key)
    if text.strip() == NO_REGRESSION:
        return Condition(key, NO_REGRESSION)
    matched = _CONDITION.fullmatch(text)
    if matched is None:
        raise InvalidRequest(f"The gate {key!r} cannot be read: {text!r}. {_SHAPE}.", param=key)
    factor = {"%": 0.01, "s": 1000.0}.get(matched[3] or "", 1.0)
    operator: Any = matched[1]
    return Condition(key, text.strip(), operator, float(matched[2]) * factor)


def checks_of(gate: Gate, tally: Tally, comparison: Comparison | None = None) -> list[Check]:
    """InvalidRequest where the gate names a score that no case has, or there is nothing to compare with."""
    return [_judged(condition, gate, tally, comparison) for condition in gate.conditions]


def _judged(condition: Condition, gate: Gate, tally: Tally, comparison: Comparison | None) -> Check:
    if condition.key == _COST:
        return _limit(condition, tally.cost_usd, None)
    name, aggregate = _target(condition.key, tally)
    column = tally.columns[name]
    if column.missing and aggregate not in {"missing", "n"} and not gate.allows_missing(name):
        total = column.missing + len(column.values)
        why = f"{column.missing} of {total} values are missing: {column.why_missing()}"
        return Check(condition.key, condition.text, passed=False, value=None, unit=column.unit, reason=why)
    if condition.operator is None:
        if comparison is None and gate.is_first:
            why = "not compared with anything (--no-baseline)"
            return Check(condition.key, condition.text, passed=True, value=None, unit=column.unit, reason=why)
        return _unregressed(condition, name, comparison)
    return _limit(condition, _aggregated(column, aggregate), column)


def _target(key: str, tally: Tally) -> tuple[str, str]:
    """The score and what of it is meant; names of scores may have dots themselves."""
    if key in tally.columns:
        return key, "mean"
    name, dot, aggregate = key.rpartition(".")
    if dot and name in tally.columns and _AGGREGATE.fullmatch(aggregate):
        return name, aggregate
    if dot and name in tally.columns:
        raise InvalidRequest(f"The gate {key!r} asks for {aggregate!r}, which is nothing to ask. {_SHAPE}.")
    known = sorted(tally.columns)
    near = difflib.get_close_matches(name or key, known, 1)
    meant = f" Is {near[0]!r} meant?" if near else f" There are: {', '.join(known) or 'none'}."
    raise InvalidRequest(f"The gate {key!r} names a score that no case has.{meant}", param=key)


def _aggregated(column: Column, aggregate: str) -> float | None:
    values = column.values
    if aggregate in {"n", "missing"}:
        return float(len(values) if aggregate == "n" else column.missing)
    if aggregate in {"mean", "stderr"}:
        value: float | None = column.summary()[aggregate]
        return value
    if aggregate.startswith("pass"):
        estimate = statistics.pass_at_k if aggregate[4] == "@" else statistics.pass_hat_k
        return column.pass_rate(int(aggregate[5:]), estimate)
    if not values:
        return None
    if aggregate.startswith("p"):
        return statistics.percentile(values, float(aggregate[1:]))
    return {"min": min(values), "max": max(values), "sum": math.fsum(values)}[aggregate]


def _limit(condition: Condition, value: float | None, column: Column | None) -> Check:
    unit = column.unit if column else None
    if value is None:
        reason = "there are not enough values"
        return Check(condition.key, condition.text, passed=False, value=None, unit=unit, reason=reason)
    passed = _COMPARE[condition.operator or "=="](value, condition.limit)
    return Check(condition.key, condition.text, passed, value, unit)


def _unregressed(condition: Condition, name: str, comparison: Comparison | None) -> Check:
    if comparison is None:
        raise InvalidRequest(
            f"The gate {condition.key!r} asks for no regression, and there is no experiment to compare with: "
            "name one as the baseline.",
            param=condition.key,
        )
    score = comparison.score(name)
    if score is None:
        reason = f"the baseline {comparison.before} has no score {name!r}"
        return Check(condition.key, condition.text, passed=False, value=None, reason=reason)
    passed = score.verdict != "regressed" and bool(score.pairs)
    told = _what_regressed(score.before, score.after, score.adjusted_p)
    why = score.note if passed or not score.pairs else told
    return Check(condition.key, condition.text, passed, score.delta, score.unit, why)


def _what_regressed(before: float | None, after: float | None, p: float | None) -> str | None:
    if before is None or after is None or p is None:
        return None
    return f"from {before:.4g} to {after:.4g} (p {p:.2g})"
