"""A tool's result as a sentence: JSON becomes words, text is said as it is."""

from __future__ import annotations

import re
from typing import Any

import orjson

_TELLING = ("answer", "message", "result", "text", "output", "summary", "response", "content", "forecast")
MOST_WORDS = 80
_UNITS = {
    "c": "degrees Celsius",
    "f": "degrees Fahrenheit",
    "celsius": "degrees Celsius",
    "fahrenheit": "degrees Fahrenheit",
    "kmh": "kilometres per hour",
    "mph": "miles per hour",
    "km": "kilometres",
    "percent": "percent",
    "pct": "percent",
    "usd": "dollars",
    "eur": "euros",
    "minutes": "minutes",
    "seconds": "seconds",
    "days": "days",
}


def sentence_of(output: str) -> str:
    """Ends with a full stop, and is short enough to be spoken."""
    try:
        value = orjson.loads(output)
    except orjson.JSONDecodeError:
        value = output
    words = _short(_sentence(value).strip()) or "It is done, and there was nothing to report"
    words = words[0].upper() + words[1:]
    return words if words.endswith((".", "!", "?", "…")) else f"{words}."


def _sentence(value: Any) -> str:
    if isinstance(value, dict):
        if value.get("error"):
            return f"That did not work: {_words(value['error'])}"
        telling = next((value[key] for key in _TELLING if isinstance(value.get(key), str | dict)), None)
        if telling is not None:
            return _sentence(telling)
        if list(value.values()) == [True]:
            return _sentence(True)
        return _listed([_clause(key, each) for key, each in value.items()])
    if isinstance(value, list):
        return (
            f"There are {len(value)}: {_listed([_words(each) for each in value])}"
            if value
            else "I found nothing"
        )
    if value is True:
        return "It is done"
    if value is False:
        return "It was not done"
    return _words(value)


def _clause(key: str, value: Any) -> str:
    """`temperature_c: 21` as one would say it: the temperature is 21 degrees Celsius."""
    name, _, last = _key(key).rpartition(" ")
    unit = (
        _UNITS.get(last) if name and isinstance(value, int | float) and not isinstance(value, bool) else None
    )
    if unit is None:
        name = _key(key)
    verb = "are" if name.endswith("s") and not name.endswith(("ss", "us", "is")) else "is"
    return f"the {name} {verb} {_words(value)}{' ' + unit if unit else ''}"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return _listed([f"{_key(key)} {_words(each)}" for key, each in value.items()])
    if isinstance(value, list):
        return _listed([_words(each) for each in value])
    return (
        {None: "not known", True: "yes", False: "no"}.get(value, str(value)) if _plain(value) else str(value)
    )


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _listed(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _key(name: str) -> str:
    """`temperature_c` and `windSpeed` as one would say them."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("_", " ").replace("-", " ")).lower()


def _short(text: str) -> str:
    words = text.split()
    return text if len(words) <= MOST_WORDS else " ".join(words[:MOST_WORDS]) + "…"
