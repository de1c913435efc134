"""Why a client event is refused: OpenAI's codes and sentences, raised by the checks, sent as `error`."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any

from voxgate.core.errors import InvalidRequest


class EventRefused(InvalidRequest):
    """One client event is wrong; the session goes on. Unlike its parent, each one carries its own code."""

    def __init__(self, refusal: str | None, message: str, *, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.refusal = refusal

    def body(self) -> dict[str, Any]:
        body = super().body()
        body["error"]["code"] = self.refusal
        return body


def unknown_parameter(path: str) -> EventRefused:
    return EventRefused("unknown_parameter", f"Unknown parameter: '{path}'.", param=path)


def missing_parameter(path: str) -> EventRefused:
    return EventRefused("missing_required_parameter", f"Missing required parameter: '{path}'.", param=path)


def invalid_type(path: str, expected: str, value: object) -> EventRefused:
    message = f"Invalid type for '{path}': expected {expected}, but got {_kind(value)} instead."
    return EventRefused("invalid_type", message, param=path)


def invalid_value(path: str, value: object, supported: Iterable[str] = ()) -> EventRefused:
    names = [f"'{name}'" for name in supported]
    message = f"Invalid value: {_shown(value)}."
    if len(names) > 1:
        message += f" Supported values are: {', '.join(names[:-1])}, and {names[-1]}."
    elif names:
        message += f" Supported values are: {names[0]}."
    return EventRefused("invalid_value", message, param=path)


def out_of_range(
    path: str, value: float, *, kind: str, low: float | None, high: float | None
) -> EventRefused:
    """`kind` is `integer` or `decimal`; exactly one bound is broken."""
    below = low is not None and value < low
    side, word, sign = ("min", "minimum", ">=") if below else ("max", "maximum", "<=")
    message = (
        f"Invalid '{path}': {kind} {'below' if below else 'above'} {word} value. "
        f"Expected a value {sign} {low if below else high}, but got {value} instead."
    )
    return EventRefused(f"{kind}_{'below' if below else 'above'}_{side}_value", message, param=path)


def no_such_item(verb: str, gerund: str, item_id: str) -> EventRefused:
    """`verb` is retrieve, delete or truncate."""
    message = f"Error {gerund} item: the item with id '{item_id}' does not exist."
    return EventRefused(f"item_{verb}_invalid_item_id", message, param="item_id")


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) and len(value) < 100 else reprlib.repr(value)


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")
