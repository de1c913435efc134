"""Reports of experiments, printed and written to files; what the commands of `voxgate eval` have in
common."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal, get_args

from rich.console import Console

from voxgate.client.http import ApiError
from voxgate.core.errors import InvalidRequest
from voxgate.evals.baselines import find_baseline, named_experiment
from voxgate.evals.conducting import House
from voxgate.evals.gates import Gate, parse_gate
from voxgate.evals.model import Json
from voxgate.evals.outcome import Outcome, outcome_of
from voxgate.evals.reports import html, jsonl, junit
from voxgate.evals.reports.markdown import markdown
from voxgate.evals.reports.report import Report
from voxgate.evals.reports.terminal import print_terminal
from voxgate.evals.session import Session
from voxgate.evals.sources import api_session

Format = Literal["jsonl", "junit", "markdown", "html"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_WIDTH: Final = 160
"""Of tables that go into a file."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Which reports are written where; of several evaluations the name comes before the ending."""

    files: Mapping[Format, Path | None]

    def write(self, report: Report, *, several: bool) -> None:
        for kind, path in self.files.items():
            if path is not None:
                name = "".join(c if c.isalnum() or c in "-_" else "-" for c in report.title)
                target = path.with_name(f"{path.stem}-{name}{path.suffix}") if several else path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("w", encoding="utf-8") as file:
                    file.writelines(pieces(report, kind))


def report_of(house: House, outcome: Outcome) -> Report:
    def session(session_id: str) -> Session | None:
        try:
            return api_session(house.client, session_id)
        except ApiError as error:
            if error.http_status == HTTPStatus.NOT_FOUND:  # its time was over
                return None
            raise

    return Report(outcome, house.experiments, session, house.client.url)


def pieces(report: Report, kind: Format) -> Iterable[str]:
    if kind == "markdown":
        return [markdown(report)]
    return {"jsonl": jsonl.lines, "junit": junit.lines, "html": html.lines}[kind](report)


def show(report: Report) -> None:
    """On standard output, where tables go into a pipe whole."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    print_terminal(report, console)


def find(house: House, wanted: str, project: str | None = None) -> Json:
    """By id or by name. InvalidRequest if it is not there."""
    found = named_experiment(house.experiments, wanted, project=project)
    if found is None:
        raise InvalidRequest(
            f"There is no experiment {wanted!r}: neither an id nor the name of a complete one."
        )
    return found


def judged(
    house: House, experiment: Json, *, baseline: Json | None = None, gate: Gate | None = None
) -> Outcome:
    """An experiment as it is stored, with its own gate unless another one is given, beside its own
    baseline."""
    if baseline is None and experiment.get("baseline"):
        baseline = find_baseline(
            house.experiments,
            experiment["baseline"],
            name=experiment["name"],
            project=experiment["project"],
            main_branch=None,
        )
    own = parse_gate(experiment["metadata"].get("gate") or {})
    stopped = "interrupted" if experiment["status"] in {"running", "cancelled"} else None
    return outcome_of(house.experiments, experiment, own if gate is None else gate, baseline, stopped=stopped)


def gate_of(lines: list[str] | None, *, allow_missing: bool = False) -> Gate | None:
    """`wer<=0.1`, `tool_call=no-regression`, as options write it."""
    if not lines:
        return None
    found: dict[str, Any] = dict(map(_line, lines))
    return parse_gate(found | ({"allow_missing": True} if allow_missing else {}))


def _line(written: str) -> tuple[str, str]:
    place = next((place for place, letter in enumerate(written) if letter in "<>="), None)
    if not place:
        raise InvalidRequest(f"The gate {written!r} is not written as NAME>=NUMBER or NAME=no-regression.")
    key, condition = written[:place].strip(), written[place:].strip()
    return key, condition.removeprefix("=") if condition.startswith("=n") else condition
