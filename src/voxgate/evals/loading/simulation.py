"""Simulations: the scenario files of OpenAI's cookbook, one in a file or several. The prompts and tools that
they name as files are taken in, since the server does not have those files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from voxgate.core.errors import InvalidRequest
from voxgate.evals.loading.places import Place
from voxgate.evals.model import Case, Expected, ExpectedCall, Input, Json
from voxgate.evals.scenario import read_scenario


def is_simulation(value: Any) -> bool:
    return isinstance(value, dict) and ("simulation_id" in value or "simulator" in value)


def read_simulations(path: Path, notes: list[str]) -> Iterator[Case]:
    """What could not be taken in is said in the notes."""
    place = Place(path)
    try:
        body = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise Place(path, error.lineno).error(f"it is not JSON: {error.msg}.", str(error.colno)) from error
    except UnicodeDecodeError as error:
        raise place.error(f"it is not UTF-8: {error}.") from error
    for one in body if isinstance(body, list) else [body]:
        if not is_simulation(one):
            raise place.error("it has something that is no simulation: those have a 'simulator'.")
        case, missing = case_of_simulation(one, place)
        notes += [note for note in missing if note not in notes]
        yield case


def case_of_simulation(body: Json, place: Place) -> tuple[Case, list[str]]:
    """And what the files are that it names and that are not there."""
    scenario, notes = _taken_in(body, place)
    try:
        read = read_scenario(scenario)
        calls = tuple(map(_call, _expected(body)))
    except (InvalidRequest, KeyError, TypeError) as error:
        raise place.error(f"it is no simulation that can be run: {error}") from error
    metadata = {"scenario": read.about} if read.about else {}
    expected = Expected(tool_calls=calls or None)
    return Case(read.id, Input("simulation", scenario=scenario), expected, metadata), notes


def _expected(body: Json) -> list[Mapping[str, Any]]:
    one = body.get("expected_tool_call")
    return [*([one] if one else []), *(body.get("expected_tool_calls") or ())]


def _call(one: Mapping[str, Any]) -> ExpectedCall:
    return ExpectedCall(one["name"], one.get("arguments"))


def _taken_in(body: Json, place: Place) -> tuple[Json, list[str]]:
    """With what is in the files of the assistant."""
    assistant, notes = dict(body.get("assistant") or {}), []
    for name in ("system_prompt", "tools"):
        file = assistant.get(f"{name}_file")
        if not file or assistant.get(name) is not None:
            continue
        found = _found(place.path.parent, str(file))
        if found is None:
            notes.append(f"{place}: {file} is not there, so the scenario has no {name} of its own.")
        else:
            assistant[name] = _content(found, name)
    return {**body, "assistant": assistant} if assistant else dict(body), notes


def _found(folder: Path, name: str) -> Path | None:
    """As it is named from the simulation's folder or one above it, or beside the simulation."""
    tried = [folder / name, *(above / name for above in folder.parents[:3]), folder / Path(name).name]
    return next((path for path in tried if path.is_file()), None)


def _content(path: Path, name: str) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if name == "tools" else text
    except json.JSONDecodeError as error:
        raise Place(path, error.lineno).error(f"it is not JSON: {error.msg}.", str(error.colno)) from error
    except UnicodeDecodeError as error:
        raise Place(path).error(f"it is not UTF-8: {error}.") from error
