"""Arguments of tool calls, compared by what they say and not by how they were written. JSON or text in, texts
to compare and degrees of likeness out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from voxgate.evals.wording import likeness


def parsed(arguments: Any) -> Any:
    """As what they say; as they are where they are no JSON. No arguments are an empty object."""
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    try:
        return json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        return arguments


def canonical(arguments: Any) -> str:
    """The same text for the same arguments: keys in order, `1.0` as `1`, text without spaces around it. What
    is no JSON stays as it is."""
    value = parsed(arguments)
    return value.strip() if isinstance(value, str) else json.dumps(plain(value), sort_keys=True)


def plain(value: Any) -> Any:
    """A value with whole floats as integers and text stripped, all the way down."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value


def is_same(one: Any, other: Any) -> bool:
    """True and 1 are not the same, 1 and 1.0 are."""
    return canonical_value(one) == canonical_value(other)


def canonical_value(value: Any) -> str:
    return json.dumps(plain(value), sort_keys=True, default=str)


def is_within(wanted: Any, given: Any) -> bool:
    """Whether `given` has all that is wanted: of objects the named fields, all the way down; of lists as many
    items in the same order."""
    if isinstance(wanted, Mapping):
        return isinstance(given, Mapping) and all(
            key in given and is_within(value, given[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(given, list | tuple)
            and len(wanted) == len(given)
            and all(is_within(one, other) for one, other in zip(wanted, given, strict=True))
        )
    return is_same(wanted, given)


def similarity(wanted: Any, given: Any) -> float:
    """From 0 to 1. Objects: the mean over the fields of both; lists: over their places; texts: by their
    characters, whatever their case; all else is the same or is not."""
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        each = by_argument(wanted, given)
        return sum(each.values()) / len(each) if each else 1.0
    if isinstance(wanted, list | tuple) and isinstance(given, list | tuple):
        longest = max(len(wanted), len(given))
        same = sum(similarity(one, other) for one, other in zip(wanted, given, strict=False))
        return same / longest if longest else 1.0
    if isinstance(wanted, str) and isinstance(given, str):
        return likeness(wanted.strip().casefold(), given.strip().casefold())
    return float(is_same(wanted, given))


def by_argument(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, float]:
    """The similarity of each argument of either; one that the other does not have is 0."""
    names = sorted({str(name) for name in wanted} | {str(name) for name in given})
    return {
        name: similarity(wanted[name], given[name]) if name in wanted and name in given else 0.0
        for name in names
    }
