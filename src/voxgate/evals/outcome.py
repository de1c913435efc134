"""What an experiment came to: its scores, what it is compared with, what its gate says, and the exit code
that tells a program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from voxgate.evals.comparing import Comparison, compare
from voxgate.evals.experiments import Experiments
from voxgate.evals.gates import Check, Gate, checks_of
from voxgate.evals.model import Json
from voxgate.evals.tally import Tally, tally_of

ExitCode = Literal[0, 1, 2, 3]
OK: Final = 0
GATE_FAILED: Final = 1
WRONG: Final = 2
"""Usage or data: what was asked for cannot be done."""
INFRASTRUCTURE: Final = 3
"""A provider, the network or Voxgate; or somebody stopped it."""
_INFRASTRUCTURE_KINDS: Final = frozenset({"TaskError", "ApiError"})


@dataclass(frozen=True, slots=True)
class Outcome:
    experiment: Json
    tally: Tally
    baseline: Json | None = None
    comparison: Comparison | None = None
    checks: tuple[Check, ...] = ()
    stopped: str | None = None
    """`budget` or `interrupted`, where the run ended before its cases did."""
    notes: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        return str(self.experiment["id"])

    @property
    def passed(self) -> bool:
        return self.exit_code == OK

    @property
    def infrastructure_errors(self) -> int:
        kinds = self.tally.error_kinds
        return sum(count for kind, count in kinds.items() if kind in _INFRASTRUCTURE_KINDS)

    @property
    def exit_code(self) -> ExitCode:
        """A gate is only judged to have failed where all cases were measured."""
        if self.stopped == "interrupted" or self.infrastructure_errors:
            return INFRASTRUCTURE
        if self.stopped or self.tally.errors:
            return WRONG
        return OK if all(check.passed for check in self.checks) else GATE_FAILED


def outcome_of(
    experiments: Experiments,
    experiment: Json,
    gate: Gate,
    baseline: Json | None,
    *,
    stopped: str | None = None,
) -> Outcome:
    """Out of what is stored. InvalidRequest where the gate names what no case has."""
    tally = tally_of(experiments.results(experiment["id"]))
    seed = int(experiment.get("seed") or 0)
    if baseline is None or baseline["id"] == experiment["id"]:
        checks = checks_of(gate, tally) if tally.results > tally.errors else []
        return Outcome(experiment, tally, checks=tuple(checks), stopped=stopped)
    before = tally_of(experiments.results(baseline["id"]))
    ids = (str(baseline["id"]), str(experiment["id"]))
    comparison = compare(before, tally, ids=ids, seed=seed)
    checks = []
    if tally.results > tally.errors:
        # What the gate asks of is what is tested together: other scores must not weaken it.
        asked = compare(before, tally, ids=ids, only=gate.unregressed(tally), seed=seed)
        checks = checks_of(gate, tally, asked)
    return Outcome(experiment, tally, baseline, comparison, tuple(checks), stopped)
