"""Checks for the JSON that clients send: small functions `(value, path) -> value` that compose into a schema.

A wrong value raises EventRefused with the code and the path that the live service would name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voxgate.providers.local.refusals import (
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
    unknown_parameter,
)

Check = Callable[[Any, str], Any]


def anything(value: Any, path: str) -> Any:
    return value


def text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise invalid_type(path, "a string", value)
    return value


def flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise invalid_type(path, "a boolean", value)
    return value


def mapping(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_type(path, "an object", value)
    return value


def integer(low: int | None = None, high: int | None = None) -> Check:
    def check(value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid_type(path, "an integer", value)
        if (low is not None and value < low) or (high is not None and value > high):
            raise out_of_range(path, value, kind="integer", low=low, high=high)
        return value

    return check


def decimal(low: float, high: float) -> Check:
    def check(value: Any, path: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise invalid_type(path, "a decimal", value)
        if not low <= value <= high:
            raise out_of_range(path, value, kind="decimal", low=low, high=high)
        return value

    return check


def choice(*names: str) -> Check:
    def check(value: Any, path: str) -> str:
        if text(value, path) not in names:
            raise invalid_value(path, value, names)
        return str(value)

    return check


def nullable(inner: Check) -> Check:
    return lambda value, path: None if value is None else inner(value, path)


def listing(inner: Check, *, most: int | None = None) -> Check:
    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise invalid_type(path, "an array", value)
        if most is not None and len(value) > most:
            raise invalid_value(path, value)
        return [inner(each, f"{path}[{index}]") for index, each in enumerate(value)]

    return check


def record(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """An object with these fields and no others."""

    def check(value: Any, path: str) -> dict[str, Any]:
        prefix = f"{path}." if path else ""
        for name in mapping(value, path):
            if name not in fields:
                raise unknown_parameter(prefix + name)
        for name in required:
            if name not in value:
                raise missing_parameter(prefix + name)
        return {name: fields[name](each, prefix + name) for name, each in value.items()}

    return check


def tagged(variants: Mapping[str, Check], *, tag: str = "type", default: str | None = None) -> Check:
    """An object whose `tag` decides which of the variants it must be."""

    def check(value: Any, path: str) -> Any:
        kind = mapping(value, path).get(tag, default)
        tag_path = f"{path}.{tag}" if path else tag
        if kind is None:
            raise missing_parameter(tag_path)
        if not isinstance(kind, str) or kind not in variants:
            raise invalid_value(tag_path, kind, variants)
        return variants[kind](value, path)

    return check


def either(by_type: type, first: Check, otherwise: Check) -> Check:
    """`first` for values of this Python type, `otherwise` for the rest."""
    return lambda value, path: (first if isinstance(value, by_type) else otherwise)(value, path)
