"""The filter language of session lists: text in, terms out. Pure; `sessions` turns the terms into SQL.

Terms are separated by spaces and must all hold: `status:failed model:gpt-* last:7d "refund please"`.
A bare word (or quoted phrase) is looked for in the title; quotes hold a value together: `tag:"front desk"`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from voxgate.core.errors import InvalidRequest

STATUSES = ("live", "complete", "interrupted", "failed")
KEYS = ("status", "model", "provider", "project", "tag", "credential", "id", "user", "last")
WORD = "word"

# Outside quotes a token runs up to a space; a quote may open anywhere in it, as in tag:"front desk".
_TOKEN = re.compile(r'(?:"[^"]*"|[^\s"])+|(?P<open>")')
_SPAN = re.compile(r"([0-9]{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Term:
    """One condition; `key` is one of KEYS, or WORD for text in the title."""

    key: str
    value: str

    @property
    def span(self) -> timedelta:
        """How far back `last:` reaches."""
        match = _SPAN.fullmatch(self.value)
        if match is None:
            raise _invalid(f"last:{self.value} is not a span of time; examples: last:30m, last:24h, last:7d.")
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse(text: str) -> list[Term]:
    """All terms of a filter; InvalidRequest(param="q") says which one is wrong and what is allowed."""
    return [_term(token) for token in _tokens(text)]


def _tokens(text: str) -> list[str]:
    tokens = []
    for match in _TOKEN.finditer(text):
        if match["open"]:
            raise _invalid(f"The quote at position {match.start()} of the filter is never closed.")
        tokens.append(match[0])
    return tokens


def _term(token: str) -> Term:
    key, colon, value = token.partition(":")
    if not colon or '"' in key:
        return Term(WORD, token.replace('"', ""))
    key, value = key.lower(), value.replace('"', "")
    if key not in KEYS:
        allowed = ", ".join(f"{name}:" for name in KEYS)
        raise _invalid(f"The filter has no key {key!r}; allowed are {allowed} and bare words.")
    if not value:
        raise _invalid(f"The filter's {key}: needs a value.")
    return _checked(Term(key, value))


def _checked(term: Term) -> Term:
    if term.key == "status" and term.value not in STATUSES:
        raise _invalid(f"status:{term.value} is not known; allowed are {', '.join(STATUSES)}.")
    if term.key == "last":
        _ = term.span
    return term


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="q")
