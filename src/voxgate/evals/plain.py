"""A case as people write it down in a program or in a line of JSON: a mapping with `input` and whatever else
there is to say. Plain data in, a case out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from voxgate.core.errors import InvalidRequest
from voxgate.evals.model import INPUT_KINDS, Case, Clip, Expected, ExpectedCall, Input

CASE_FIELDS: Final = frozenset({"id", "input", "expected", "metadata", "tags", "session_id", "span_id"})
_EXPECTED: Final = frozenset({"transcript", "tool_calls", "value"})
_SOUNDS: Final = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg"}


def case_of(row: Any, number: int) -> Case:
    """Of `{"input", "expected", "id", "metadata", "tags"}`; without an id it gets one made of its input, so
    that the case is the same one wherever it stands in the list. InvalidRequest says which row is wrong."""
    if not isinstance(row, Mapping) or "input" not in row:
        raise InvalidRequest(f"Case {number} is {row!r}; it has to be a mapping with `input`.", param="data")
    if unknown := sorted(map(str, row.keys() - CASE_FIELDS)):
        known = ", ".join(sorted(CASE_FIELDS))
        raise InvalidRequest(f"Case {number} has {unknown[0]!r}. A case can have: {known}.", param="data")
    try:
        made = input_of(row["input"])
        case_id = row.get("id")
        return Case(
            id=content_id(made) if case_id is None else str(case_id),
            input=made,
            expected=expected_of(row.get("expected")),
            metadata=dict(row.get("metadata") or {}),
            tags=tuple(row.get("tags") or ()),
            session_id=row.get("session_id"),
            span_id=row.get("span_id"),
        )
    except (TypeError, ValueError, KeyError) as error:
        raise InvalidRequest(f"Case {number} cannot be read: {error}", param="data") from error


def input_of(given: Any) -> Input:
    """Words are a written message, the path of a sound file is a spoken one; anything else is for the
    task."""
    if isinstance(given, Input):
        return given
    if isinstance(given, Path):
        kind = _SOUNDS.get(given.suffix.lower())
        if kind is None or not given.is_file():
            raise ValueError(f"{given} is no sound file that is there ({', '.join(_SOUNDS)})")
        return Input("audio", clips=(Clip(kind, path=str(given)),))
    if isinstance(given, str):
        return Input("text", text=given)
    if isinstance(given, Mapping) and given.get("kind") in INPUT_KINDS:
        return Input.from_json(given)
    return Input("value", value=given)


def expected_of(given: Any) -> Expected:
    """Words are what ought to be said; `{"tool_calls": [{"name", "arguments"}]}` what ought to be called."""
    if given is None or isinstance(given, Expected):
        return given or Expected()
    if isinstance(given, str):
        return Expected(transcript=given)
    if isinstance(given, ExpectedCall):
        return Expected(tool_calls=(given,))
    if isinstance(given, Mapping) and given and given.keys() <= _EXPECTED:
        return Expected.from_json(given)
    return Expected(value=given)


def content_id(made: Input) -> str:
    text = json.dumps(made.to_json(), sort_keys=True, ensure_ascii=False)
    return f"case_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
