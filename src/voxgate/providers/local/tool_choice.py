"""Which tool, if any, fits what the user said: an overlap of words with its name and description."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voxgate.providers.local.words import stem, stems

THRESHOLD = 2.0
_NAME_WEIGHT = 2.0  # one word of the name is enough, two words of the description are
_DESCRIPTION_WEIGHT = 1.0
_PARAMETER_WEIGHT = 0.5


def chosen_tool(said: str, tools: Sequence[dict[str, Any]], tool_choice: Any) -> dict[str, Any] | None:
    """Honours `tool_choice`: none, auto, required, or one function by name."""
    functions = [tool for tool in tools if tool["type"] == "function"]
    if tool_choice == "none" or not functions:
        return None
    if isinstance(tool_choice, dict):
        return next((tool for tool in functions if tool["name"] == tool_choice.get("name")), None)
    best = max(functions, key=lambda tool: score(said, tool))  # the first of equals
    return best if tool_choice == "required" or score(said, best) >= THRESHOLD else None


def score(said: str, tool: dict[str, Any]) -> float:
    """The weights of the words of the tool that were said, each counted once, at its best."""
    weights: dict[str, float] = {}
    for text, weight in (
        (_parameter_words(tool), _PARAMETER_WEIGHT),
        (tool.get("description") or "", _DESCRIPTION_WEIGHT),
        (tool["name"], _NAME_WEIGHT),
    ):
        weights |= {word: max(weight, weights.get(word, 0.0)) for word in stems(text)}
    return sum(weights.get(word, 0.0) for word in set(map(stem, stems(said))) | set(stems(said)))


def _parameter_words(tool: dict[str, Any]) -> str:
    properties = (tool.get("parameters") or {}).get("properties") or {}
    enums = [
        str(value) for each in properties.values() if isinstance(each, dict) for value in each.get("enum", ())
    ]
    return " ".join([*properties, *enums])
