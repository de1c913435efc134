"""The data of an evaluation as people write it down: a list of cases or of plain mappings, a function that
makes them, a file. Whatever it is, cases come out of it one after the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from voxgate.client.http import Client
from voxgate.core.errors import InvalidRequest
from voxgate.evals.model import INPUT_KINDS, Case, Clip, Expected, ExpectedCall, Input, Json
from voxgate.evals.protocols import Data

_FIELDS: Final = frozenset({"id", "input", "expected", "metadata", "tags", "session_id", "span_id"})
_EXPECTED: Final = frozenset({"transcript", "tool_calls", "value"})
_SOUNDS: Final = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg"}


@dataclass(frozen=True)
class Listed:
    """Cases that the program has itself. A generator can be gone through once, a function again and again."""

    source: Iterable[Any] | Callable[[], Iterable[Any]]

    def describe(self) -> Json:
        return {"kind": "list"}

    def pinned(self, client: Client) -> Json | None:
        return None

    def cases(self, client: Client) -> Iterator[Case]:
        return _distinct(self.source() if callable(self.source) else self.source)


def as_data(given: Any) -> Data:
    """InvalidRequest for what is no data."""
    if all(callable(getattr(given, name, None)) for name in ("cases", "pinned", "describe")):
        return cast("Data", given)
    if isinstance(given, str | Path):
        return _file(Path(given))
    if callable(given) or (isinstance(given, Iterable) and not isinstance(given, Mapping | bytes)):
        return Listed(given)
    raise InvalidRequest(
        f"{given!r} is no data: write dataset(...), logs(...), a list of cases or the path of a CSV file.",
        param="data",
    )


def _file(path: Path) -> Data:
    raise InvalidRequest(f"{path} is no file that holds cases.", param="data")


def _distinct(rows: Iterable[Any]) -> Iterator[Case]:
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        case = row if isinstance(row, Case) else case_of(row, number)
        if case.id in seen:
            raise InvalidRequest(
                f"Two cases have the id {case.id!r}; the second is number {number}.", param="data"
            )
        seen.add(case.id)
        yield case


def case_of(row: Any, number: int) -> Case:
    """Of `{"input", "expected", "id", "metadata", "tags"}`; without an id it gets one made of its input, so
    that the case is the same one wherever it stands in the list. InvalidRequest says which row is wrong."""
    if not isinstance(row, Mapping) or "input" not in row:
        raise InvalidRequest(f"Case {number} is {row!r}; it has to be a mapping with `input`.", param="data")
    if unknown := sorted(map(str, row.keys() - _FIELDS)):
        known = ", ".join(sorted(_FIELDS))
        raise InvalidRequest(f"Case {number} has {unknown[0]!r}. A case can have: {known}.", param="data")
    try:
        made = input_of(row["input"])
        case_id = row.get("id")
        return Case(
            id=_content_id(made) if case_id is None else str(case_id),
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


def _content_id(made: Input) -> str:
    text = json.dumps(made.to_json(), sort_keys=True, ensure_ascii=False)
    return f"case_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
