"""Arguments for a function call, taken from the user's words by the tool's JSON Schema.

Enums, numbers, dates and names are looked for where the schema and the parameter's name ask for them. What is
required and not found stays empty, and what is optional and not found is left out: nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from voxgate.providers.local.words import STOP_WORDS, stem, tokens

_SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
          "eleven", "twelve", "thirteen", "fourteen", "fifteen"]  # fmt: skip
_NUMBERS = {word: value for value, word in enumerate(_SMALL)} | {
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40,
    "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
}  # fmt: skip
_DAY = r"(?:today|tonight|tomorrow|yesterday|(?:next |this |on )?(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
    r" \d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?"
)
_DATE = re.compile(rf"\b(\d{{4}}-\d\d-\d\d|{_MONTH}|{_DAY}|next week)\b", re.IGNORECASE)
_TIME = re.compile(r"\b(\d{1,2}(?::\d\d)? ?[ap]\.?m\b\.?|\d{1,2}:\d\d|noon|midnight)", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:,\d{3})+|-?\d+(?:\.\d+)?")
_QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]")
_NAME = re.compile(r"\b[A-Z][\w'’-]*(?:\s+(?:of\s+|de\s+|the\s+)?[A-Z][\w'’-]*)*")
_AFTER = re.compile(
    r"\b(?:in|at|for|to|from|near|of|about|on|called|named)\s+(?:the\s+)?([^,.?!;]+)", re.IGNORECASE
)
_ORIGIN = {"from", "origin", "source", "departure", "start"}
_DESTINATION = {"to", "destination", "arrival", "target", "recipient"}
_WHOLE = {"query", "question", "text", "message", "content", "prompt", "request", "search", "note", "title",
          "task", "topic", "q", "input", "body", "reason", "summary"}  # fmt: skip
_LEAD_IN = re.compile(
    r"^(?:(?:please|can|could|would|will|you|hey|okay|ok|i|want|need|to|like|me|us)\s+)*"
    r"(?:search(?: the web)?(?: for)?|look up|find|say|send|write|note(?: down)?|remember|remind me to"
    r"|add|ask|tell)\s+",
    re.IGNORECASE,
)
_SWITCHES = {"on", "off", "state", "enabled", "active", "power"}
_OFF = {"no", "not", "don't", "off", "without", "never", "disable", "stop"}


def fill_arguments(said: str, parameters: dict[str, Any] | None) -> dict[str, Any]:
    """The arguments for an object schema; `said` is one sentence or a few."""
    return _Reader(said).fill(parameters or {})


class _Reader:
    """Takes values out of one utterance; a name or number that one argument took is not given to another."""

    def __init__(self, said: str) -> None:
        self._said = said.strip()
        self._taken: set[str] = set()

    def fill(self, schema: dict[str, Any]) -> dict[str, Any]:
        required = schema.get("required") or []
        properties = schema.get("properties") or {}
        found: dict[str, Any] = {}
        for name, each in sorted(properties.items(), key=lambda pair: pair[0] not in required):
            inner = each if isinstance(each, dict) else {}
            value = self._value(name, inner)
            if value is None and name in required:
                value = inner.get("default", _empty(_type_of(inner)))
            if value is not None:
                found[name] = value
        return {name: found[name] for name in properties if name in found}

    def _value(self, name: str, schema: dict[str, Any]) -> Any:
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._enum(schema["enum"])
        readers: dict[str, Callable[[str, dict[str, Any]], Any]] = {
            "string": self._string,
            "integer": self._number,
            "number": self._number,
            "boolean": self._boolean,
            "array": self._array,
            "object": self._nested,
        }
        read = readers.get(_type_of(schema), readers["string"])
        return read(name, schema)

    def _nested(self, name: str, schema: dict[str, Any]) -> dict[str, Any] | None:
        return self.fill(schema) or None

    def _enum(self, values: list[Any]) -> Any:
        said = {stem(word) for word in tokens(self._said)}
        for value in values:
            words = [stem(word) for word in tokens(str(value))]
            if words and all(word in said for word in words):
                return value
        return None

    def _number(self, name: str, schema: dict[str, Any]) -> int | float | None:
        whole = _type_of(schema) == "integer"
        for text in [*_NUMBER.findall(self._said), *self._spelled()]:
            if text not in self._taken:
                self._taken.add(text)
                value = float(_NUMBERS.get(text, text.replace(",", "")))
                return int(value) if whole or value.is_integer() else value
        return None

    def _spelled(self) -> list[str]:
        return [word for word in tokens(self._said) if word in _NUMBERS]

    def _boolean(self, name: str, schema: dict[str, Any]) -> bool | None:
        words, names = set(tokens(self._said)), set(tokens(name))
        switched = names & _SWITCHES and words & {"on", "off"}
        if not switched and not set(map(stem, names)) & set(map(stem, words)):
            return None
        return not _OFF & words

    def _array(self, name: str, schema: dict[str, Any]) -> list[Any] | None:
        items = schema.get("items") or {}
        found: list[Any] = []
        while (value := self._value(name, items)) is not None and value not in found and len(found) < 8:
            found.append(value)
        return found or None

    def _string(self, name: str, schema: dict[str, Any]) -> str | None:
        words = set(tokens(name))
        if quoted := _QUOTED.search(self._said):
            return self._take(quoted[1])
        if words & {"date", "day", "when"} and (found := _DATE.search(self._said)):
            return found[1]
        if words & {"time", "hour", "when"} and (found := _TIME.search(self._said)):
            return found[1]
        if words & {"date", "day", "when", "time", "hour"}:
            return None
        if words & _WHOLE:
            return _LEAD_IN.sub("", self._said).rstrip(" .?!") or None
        return self._named(words)

    def _named(self, words: set[str]) -> str | None:
        """A proper name, or what follows a preposition: `from` and `to` for parameters that mean these."""
        prepositions = "from" if words & _ORIGIN else "to" if words & _DESTINATION else None
        if prepositions and (found := re.search(rf"\b{prepositions}\s+({_NAME.pattern})", self._said)):
            return self._take(found[1])
        for candidate in [*self._names(), *self._phrases()]:
            if candidate not in self._taken:
                return self._take(candidate)
        return None

    def _names(self) -> list[str]:
        """Capitalised words that are not just the first word of a sentence, then the others that may be."""
        found = []
        for match in _NAME.finditer(self._said):
            name = match[0]
            if re.search(r"(?:^|[.?!]\s+)$", self._said[: match.start()]):
                name = " ".join(name.split()[1:])  # drops `What` of `What Paris…` and the like
            if name and name.lower() not in STOP_WORDS:
                found.append(re.sub(r"['’]s$", "", name))
        return found

    def _phrases(self) -> list[str]:
        found = []
        for clause in _AFTER.findall(self._said):
            phrase = re.split(r"\s+(?:in|at|for|to|from|on|and|please)\b", clause)[0]
            phrase = _TIME.sub("", _DATE.sub("", phrase)).strip()
            if phrase and not set(tokens(phrase)) <= STOP_WORDS:
                found.append(phrase)
        return found

    def _take(self, value: str) -> str:
        self._taken.add(value)
        return value.strip()


def _type_of(schema: dict[str, Any]) -> str:
    """The first type that is not null; tools from code generators say `anyOf` or a list of types."""
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return kinds
    options = kinds if isinstance(kinds, list) else [each.get("type") for each in schema.get("anyOf", ())]
    named = [kind for kind in options if isinstance(kind, str) and kind != "null"]
    return named[0] if named else ("object" if "properties" in schema else "string")


def _empty(kind: str) -> Any:
    return {"integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}.get(kind, "")
