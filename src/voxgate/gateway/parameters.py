"""What is wrong with a body, in the live service's words: pydantic's errors in; message, code, param out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from voxgate.core.errors import InvalidRequest

Path = list[int | str]


class UnknownParameter(InvalidRequest):
    code = "unknown_parameter"


class MissingParameter(InvalidRequest):
    code = "missing_required_parameter"


class WrongType(InvalidRequest):
    code = "invalid_type"


class TooSmall(InvalidRequest):
    code = "integer_below_min_value"


class TooLarge(InvalidRequest):
    code = "integer_above_max_value"


def refusal(error: ValidationError, fields: Collection[str]) -> InvalidRequest:
    """The first wrong field; of a union's errors the one that got deepest says most. `fields` are the names
    that a body may have, to tell them from pydantic's own."""
    found = [(_path(each, fields), each) for each in error.errors(include_url=False)]
    root = found[0][0][:1]
    path, deepest = max((entry for entry in found if entry[0][:1] == root), key=lambda entry: len(entry[0]))
    return _explained(deepest, path)


def _explained(error: ErrorDetails, path: Path) -> InvalidRequest:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _OF_THE_TAG:
        path = [*path, context.get("discriminator", "type").strip("'")]
    param = _param(path)
    if kind == "extra_forbidden":
        return UnknownParameter(f"Unknown parameter: '{param}'.", param=param)
    if kind in {"missing", "union_tag_not_found"}:
        return MissingParameter(f"Missing required parameter: '{param}'.", param=param)
    if kind == "union_tag_invalid":
        return _unsupported(f"'{context['tag']}'", context["expected_tags"], param)
    if kind == "literal_error":
        return _unsupported(repr(error["input"]), context["expected"], param)
    if isinstance(error["input"], int) and context.keys() & {"ge", "le"}:
        return _out_of_range(error["input"], context, param)
    said = error["msg"].removeprefix("Value error, ")
    if kind.endswith(("_type", "_parsing")):
        return WrongType(f"Invalid type for '{param}': {said}.", param=param)
    return InvalidRequest(f"Invalid '{param}': {said}.", param=param)


_OF_THE_TAG: Final = ("union_tag_not_found", "union_tag_invalid")


def _unsupported(value: str, supported: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value: {value[:100]}. Supported values are: {supported}.", param=param)


def _out_of_range(value: int, context: dict[str, Any], param: str) -> InvalidRequest:
    if "ge" in context:
        bound = f"integer below minimum value. Expected a value >= {context['ge']}"
        return TooSmall(f"Invalid '{param}': {bound}, but got {value} instead.", param=param)
    bound = f"integer above maximum value. Expected a value <= {context['le']}"
    return TooLarge(f"Invalid '{param}': {bound}, but got {value} instead.", param=param)


def _param(path: Path) -> str:
    """As the live service writes it: `session.tools[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _path(error: ErrorDetails, fields: Collection[str]) -> Path:
    """The location without pydantic's names of a union's forms, such as the kind behind `session`."""
    location = error["loc"]
    unknown = len(location) - 1 if error["type"] == "extra_forbidden" else None
    return [
        part
        for place, part in enumerate(location)
        if isinstance(part, int)
        or place == unknown
        or (part in fields and not (place and location[place - 1] == "session"))
    ]
