"""Two experiments beside each other. The scores go to a process of its own, which has the mathematics:
neither its time nor its libraries get into a gateway worker.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, Literal

import orjson
from anyio import to_thread
from fastapi import APIRouter
from starlette.responses import Response

from voxgate.api.access import Control, Controlled, Reader
from voxgate.api.experiment_shapes import Direction
from voxgate.api.found import find_experiment
from voxgate.api.shapes import AnswerShape
from voxgate.core.errors import VoxgateError

router = APIRouter(prefix="/api/experiments", tags=["experiments"])
_PAGE: Final = 500
_SCORE_FIELDS: Final = ("name", "value", "direction", "unit", "reason_missing", "span_id")
Change = Literal["improved", "regressed", "same"]


class CasePair(AnswerShape):
    case_id: str
    before: float
    after: float
    delta: float
    change: Change


class ScoreCompared(AnswerShape):
    name: str
    direction: Direction
    unit: str | None
    before: float | None
    after: float | None
    delta: float | None
    interval: tuple[float, float] | None
    p: float | None
    adjusted_p: float | None
    verdict: Change
    note: str | None
    paired: int
    improved: int
    regressed: int
    same: int
    pairs: list[CasePair]


class Comparison(AnswerShape):
    before: str
    after: str
    confidence: float
    method: str
    scores: list[ScoreCompared]
    only_before: list[str]
    only_after: list[str]
    only_in_one: list[str]


@router.get("/{before_id}/compare/{after_id}", response_model=Comparison)
async def compare_experiments(before_id: str, after_id: str, key: Reader, control: Controlled) -> Response:
    """Paired by case: of each score the difference, its 95 % interval, and whether it is more than chance
    (docs/evaluate.md). The most regressed first, scores and cases."""
    for experiment_id in (before_id, after_id):
        await to_thread.run_sync(find_experiment, control, key, experiment_id)
    data = await to_thread.run_sync(_compared, control, before_id, after_id, limiter=control.encoding)
    return Response(data, media_type="application/json")


def _compared(control: Control, before_id: str, after_id: str) -> bytes:
    command = [sys.executable, "-m", "voxgate.api.comparing_process", before_id, after_id]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        # A broken pipe means that it has failed already; its exit code follows.
        with suppress(BrokenPipeError):
            for side, experiment_id in enumerate((before_id, after_id)):
                for line in _lines(control, experiment_id, side):
                    process.stdin.write(line)
        with suppress(BrokenPipeError):
            process.stdin.close()
        data = process.stdout.read()
    if process.returncode != 0:
        raise VoxgateError(f"{before_id} and {after_id} could not be compared.")
    return data


def _lines(control: Control, experiment_id: str, side: int) -> Iterator[bytes]:
    cursor: str | None = None
    while True:
        items, cursor = control.store.list_results(experiment_id, limit=_PAGE, cursor=cursor)
        for item in items:
            yield orjson.dumps([side, _scores_alone(item)]) + b"\n"
        if cursor is None:
            return


def _scores_alone(result: dict[str, Any]) -> dict[str, Any]:
    scores = [{name: score.get(name) for name in _SCORE_FIELDS} for score in result["scores"]]
    return {name: result[name] for name in ("case_id", "trial", "error")} | {"scores": scores}
