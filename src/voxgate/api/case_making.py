"""Cases out of recorded calls: a session with its spans in, cases out, of the whole call or of its turns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from voxgate.evals.model import Case, Clip, Expected, Input, Json
from voxgate.evals.reading import call_ms_of, lines_of, said_in

Turns = Literal["session", "each"] | Sequence[str]
_NUMBERED: Final = re.compile(r"turn ([0-9]+)")


class CaseMaker:
    """`clips_of` keeps the sound of a user span."""

    def __init__(
        self,
        row: Mapping[str, Any],
        recording: str,
        clips_of: Callable[[Json], Sequence[Clip]],
        *,
        expected: bool,
        tags: Sequence[str] = (),
    ) -> None:
        self._row = row
        self._recording = recording
        self._clips_of = clips_of
        self._expected = expected
        self._tags = tuple(dict.fromkeys([*(row["tags"] or ()), *tags]))
        self._call_ms = call_ms_of(row)

    def cases(self, turns: Turns) -> list[Case]:
        if turns == "session":
            return [self._of_session()]
        found = [span for span in self._row["spans"] if span["type"] == "turn"]
        if turns != "each":
            found = [span for span in found if span["id"] in turns]
        made = [self._of_turn(span) for span in found]
        return [case for case in made if case is not None]

    def _of_session(self) -> Case:
        session_id = self._row["id"]
        said = self._said(self._row["spans"])
        case = self._case(session_id, Input("session", recording=self._recording), said)
        known_by = {"title": self._row["title"], "duration_ms": self._call_ms or None}
        shown = {name: value for name, value in known_by.items() if value is not None}
        return replace(case, metadata=shown | case.metadata)

    def _of_turn(self, turn: Json) -> Case | None:
        """None of a turn that the user put nothing in: there is nothing to do again."""
        number = _NUMBERED.fullmatch(turn["name"] or "")
        inside = [span for span in self._row["spans"] if span["parent_id"] == turn["id"]]
        answers = {span["id"] for span in inside if span["type"] == "response"}
        inside += [span for span in self._row["spans"] if span["parent_id"] in answers]
        users = [span for span in inside if span["type"] == "user"]
        if number is None or not users:
            return None
        index = int(number[1]) - 1
        words = [line.text for span in users for line in lines_of(span, self._call_ms)]
        made = Input(
            "turn",
            text=" ".join(words) or None,
            clips=tuple(clip for span in users for clip in self._clips_of(span)),
            recording=self._recording,
            turn=index,
        )
        return self._case(f"{self._row['id']}.{index}", made, self._said(inside), turn["id"])

    def _case(self, case_id: str, made: Input, expected: Expected, span_id: str | None = None) -> Case:
        metadata = {"model": self._row["model"], **self._row["metadata"]}
        session_id = self._row["id"]
        return Case(case_id, made, expected, metadata, self._tags, session_id, span_id)

    def _said(self, spans: Sequence[Json]) -> Expected:
        return said_in(spans, self._call_ms) if self._expected else Expected()
