"""Evaluations in YAML: the same fields as `Eval(...)`, checked against a schema, wrong ones named with their
line. One evaluation, or several under `evals`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

from voxgate.core.errors import InvalidRequest, VoxgateError
from voxgate.evals.datasets import dataset, logs
from voxgate.evals.evaluation import Eval
from voxgate.evals.loading.opening import open_cases
from voxgate.evals.modules import load_module
from voxgate.evals.registry import read_scorer
from voxgate.evals.replay import replay

Place = tuple[str | int, ...]
_NAME: Final = {"type": "string", "minLength": 1}
_DATA: Final = {
    "oneOf": [
        {"type": "string"},
        {"type": "array", "minItems": 1},
        {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 3,
            "properties": {
                "dataset": _NAME,
                "logs": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1},
                "expected": {"enum": ["none", "said"]},
                "file": _NAME,
                "cases": {"type": "array", "minItems": 1},
            },
        },
    ]
}
_TASK: Final = {
    "oneOf": [
        {"type": "null"},
        {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {"replay": {"type": ["object", "null"]}, "function": _NAME},
        },
    ]
}
_FIELDS: Final[dict[str, Any]] = {
    "name": _NAME,
    "data": _DATA,
    "task": _TASK,
    "scores": {"type": "array", "items": {"type": ["string", "object"]}},
    "trials": {"type": "integer", "minimum": 1},
    "gate": {"type": "object"},
    "baseline": {"anyOf": [_NAME, {"const": False}]},
    "max_concurrency": {"type": "integer", "minimum": 1},
    "budget_usd": {"type": "number", "exclusiveMinimum": 0},
    "max_sessions": {"type": "integer", "minimum": 1},
    "retries": {"type": "integer", "minimum": 0},
    "seed": {"type": "integer"},
    "project": _NAME,
    "metadata": {"type": "object"},
}
EVAL_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "data"],
    "properties": _FIELDS,
}
"""Of one evaluation; docs/evaluate.md describes the fields."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    lines: Mapping[Place, int]

    def below(self, at: Place, name: str | None) -> Place:
        """Where the field of this name is, below the place; the place itself if there is none."""
        inside = (place for place in self.lines if place[: len(at)] == at and place[-1:] == (name,))
        return next(inside, at)

    def wrong(self, at: Place, message: str) -> InvalidRequest:
        """With the line of the nearest thing that has one."""
        while at and at not in self.lines:
            at = at[:-1]
        return InvalidRequest(f"{self.path}, line {self.lines.get(at, 1)}: {message}")


def evals_of_yaml(path: Path) -> list[Eval]:
    """InvalidRequest with the file and the line of what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        body = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InvalidRequest(f"{path}{line}: {getattr(error, 'problem', None) or error}") from error
    file = _File(path, dict(_lines(node)) if node else {})
    if not isinstance(body, Mapping):
        raise file.wrong((), "an evaluation is a mapping with `name`, `data`, `task`, `scores`.")
    if "evals" not in body:
        return [_eval(file, body, ())]
    if not isinstance(body["evals"], list) or set(body) != {"evals"}:
        raise file.wrong((), "`evals` is a list of evaluations, with nothing beside it.")
    return [_eval(file, one, ("evals", place)) for place, one in enumerate(body["evals"])]


def _lines(node: Any, at: Place = ()) -> list[tuple[Place, int]]:
    """Where each value is, by its keys from the top."""
    found = [(at, node.start_mark.line + 1)]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = _lines(value, (*at, str(key.value)))
            found += [(below[0][0], key.start_mark.line + 1), *below[1:]]
    elif isinstance(node, yaml.SequenceNode):
        found += [one for place, value in enumerate(node.value) for one in _lines(value, (*at, place))]
    return found


def _eval(file: _File, body: Any, at: Place) -> Eval:
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(EVAL_SCHEMA).iter_errors(body))
    if error is not None:
        raise file.wrong((*at, *error.absolute_path), error.message)
    fields = dict(body)
    folder = file.path.parent
    fields["data"] = _built(file, (*at, "data"), partial(_data, folder, body["data"]))
    fields["task"] = _built(file, (*at, "task"), partial(_task, folder, body.get("task")))
    fields["scores"] = [
        _built(file, (*at, "scores", place), partial(_score, folder, written))
        for place, written in enumerate(body.get("scores", ()))
    ]
    made: Eval = _built(file, at, partial(Eval, **fields))
    return made


def _built(file: _File, at: Place, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except VoxgateError as error:
        raise file.wrong(file.below(at, error.param), error.message) from error


def _data(folder: Path, written: Any) -> Any:
    if isinstance(written, str):
        return open_cases(folder / written)
    if isinstance(written, list):
        return written
    if "dataset" in written:
        return dataset(written["dataset"])
    if "logs" in written:
        return logs(written["logs"], limit=written.get("limit"), expected=written.get("expected", "none"))
    return open_cases(folder / written["file"]) if "file" in written else written["cases"]


def _task(folder: Path, written: Any) -> Any:
    if written is None:
        return None
    if "replay" in written:
        return _replay(written["replay"] or {})
    return _function(folder, written["function"])


def _replay(params: Mapping[str, Any]) -> Any:
    try:
        return replay(**params)
    except TypeError as error:
        raise InvalidRequest(f"replay cannot take this: {error}", param="replay") from error


def _score(folder: Path, written: Any) -> Any:
    """`file.py:name` is a scorer of one's own; anything else one that comes along."""
    is_own = isinstance(written, str) and ":" in written
    return _function(folder, written) if is_own else read_scorer(written)


def _function(folder: Path, written: str) -> Any:
    """`FILE.py:NAME`, the file as seen from the YAML file."""
    file, _, name = written.rpartition(":")
    if not file.endswith(".py"):
        raise InvalidRequest(f"{written!r} has to be written as FILE.py:NAME.")
    module = load_module(folder / file)
    if not hasattr(module, name):
        raise InvalidRequest(f"{folder / file} has no {name!r}.")
    return getattr(module, name)
