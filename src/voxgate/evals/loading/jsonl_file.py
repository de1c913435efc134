"""JSON lines: each is a case as the API shows them, `{"input", "expected"}` with less around it, a row with
the columns of a CSV file, or a simulation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from voxgate.core.errors import InvalidRequest
from voxgate.evals.loading.places import Place
from voxgate.evals.loading.rows import case_of_row, check_columns
from voxgate.evals.loading.simulation import case_of_simulation, is_simulation
from voxgate.evals.loading.sounds import with_folder
from voxgate.evals.model import NEEDED, Case
from voxgate.evals.plain import CASE_FIELDS, case_of


def read_jsonl(path: Path) -> Iterator[Case]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                place = Place(path, number)
                yield case_of_value(read_value(line, place), place)


def read_value(text: bytes, place: Place) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = Place(place.path, place.line if place.line is not None else error.lineno)
        raise at.error(f"it is not JSON: {error.msg}.", str(error.colno)) from error
    except UnicodeDecodeError as error:
        raise place.error(f"it is not UTF-8: {error}.") from error


def case_of_value(value: Any, place: Place) -> Case:
    if not isinstance(value, dict):
        raise place.error("it is no case: a case is an object, { ... }.")
    if is_simulation(value):
        return case_of_simulation(value, place)[0]
    if "input" in value and value.keys() <= CASE_FIELDS:
        return _case(value, place)
    check_columns(value, place)
    return case_of_row(value, place)


def _case(value: dict[str, Any], place: Place) -> Case:
    try:
        case = case_of(value, place.line or 1)
    except InvalidRequest as error:
        raise place.error(error.message) from error
    made = with_folder(case.input, place.path.parent)
    for name in NEEDED[made.kind]:
        if getattr(made, name) in (None, "", (), {}):
            raise place.error(f"an input of the kind {made.kind!r} needs {name!r}.", "input")
    return replace(case, input=made)
