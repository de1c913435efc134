"""Whether a tool's arguments fit the schema that the session gave for it: JSON Schema, as far as it can be
checked safely. Schemas and arguments come from outside, so patterns, which may take forever, and
references to other documents are not followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from voxgate.traces.events import Json, objects, string

_LARGEST: Final = 100_000
"""Of arguments in characters; larger ones are not checked."""
_MOST_STEPS: Final = 50_000
"""Of one check, each a keyword: definitions that name each other twice would take forever as well."""
_NOT_CHECKED: Final = (
    "pattern", "patternProperties", "propertyNames", "format", "$dynamicRef", "uniqueItems",
)  # fmt: skip


def schema_of(tools: Json, name: str) -> Json | None:
    """The parameters of the function `name` among an object's `tools`; `{}` if it names none for it, None
    if it has no such function."""
    for tool in objects(tools, "tools"):
        if string(tool, "type") in ("function", None) and string(tool, "name") == name:
            parameters = tool.get("parameters")
            return parameters if isinstance(parameters, dict) else {}
    return None


def misfit(arguments: str, schema: Json) -> str | None:
    """What is wrong with the arguments, in words; None if nothing is. LookupError if that cannot be said."""
    if len(arguments) > _LARGEST:
        raise LookupError("the arguments are too long")
    try:
        parsed = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return "no JSON"
    try:
        error = next(_errors(schema, parsed), None)
    except Exception as problem:  # a schema may be anything, and so may be what the library makes of it
        raise LookupError("the schema cannot be followed") from problem
    return f"{error.json_path}: {error.message}"[:500] if error is not None else None


def _errors(schema: Json, value: Any) -> Iterator[Any]:
    validator, registry = _library()
    steps = iter(range(_MOST_STEPS))
    return iter(validator(schema, registry=registry, format_checker=steps).iter_errors(value))


@cache
def _library() -> tuple[Any, Any]:
    """A worker of the gateway imports this package too, and never needs it: it is large."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415

    def counted(check: Any) -> Any:
        def within(validator: Any, *rest: Any) -> Iterator[Any]:
            # Formats are not checked: in the checker's place goes along how many steps are left.
            next(validator.format_checker)
            yield from check(validator, *rest) or ()

        return within

    checked = {name: counted(check) for name, check in Draft202012Validator.VALIDATORS.items()}
    unchecked = dict.fromkeys(_NOT_CHECKED, lambda *_: None)
    extend: Any = validators.extend  # it has no types
    return extend(Draft202012Validator, checked | unchecked), Registry()
