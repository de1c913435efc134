"""A recorded call in a test: assertions that say what was heard instead when they fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from voxgate.evals.model import Case, Expected, Input, Output, Score, ToolCall
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Role
from voxgate.evals.scoring import as_scorer, score_subject
from voxgate.evals.session import Session


class Call:
    """All `assert_…` methods give the call back, so that they can be written one after the other."""

    __tracebackhide__ = True

    def __init__(self, session: Session) -> None:
        self.session = session

    def __repr__(self) -> str:
        return f"<Call {self.session.id}>\n{self.script()}"

    def script(self) -> str:
        """Who said and did what, line by line."""
        lines = [(line.start_ms, f"{line.role}: {line.text}") for line in self.session.lines]
        lines += [(call.start_ms or 0.0, f"tool: {_written(call)}") for call in self.session.tool_calls]
        shown = [f"  {start_ms / 1000:7.1f} s  {text}" for start_ms, text in sorted(lines)]
        return "\n".join(shown) or "  (nothing was said)"

    def assert_said(self, words: str, *, by: Role = "assistant") -> Call:
        """Somewhere in the call, whatever the case of letters."""
        __tracebackhide__ = True
        if words.lower() not in self.session.said(by).lower():
            self._fail(f"The {by} did not say {words!r}.")
        return self

    def assert_not_said(self, words: str, *, by: Role = "assistant") -> Call:
        __tracebackhide__ = True
        if words.lower() in self.session.said(by).lower():
            self._fail(f"The {by} said {words!r}.")
        return self

    def assert_called(self, tool: str, **arguments: Any) -> Call:
        """Once at least, with these arguments; others may be there."""
        __tracebackhide__ = True
        made = [call for call in self.session.tool_calls if call.name == tool]
        if not made:
            names = ", ".join(sorted({call.name for call in self.session.tool_calls})) or "none"
            self._fail(f"The tool {tool!r} was not called; called were: {names}.")
        if not any(_has(call, arguments) for call in made):
            self._fail(f"{tool!r} was called, but not with {arguments}: {'; '.join(map(_written, made))}.")
        return self

    def assert_not_called(self, tool: str | None = None) -> Call:
        """Not this tool; without a name none at all."""
        __tracebackhide__ = True
        made = [call for call in self.session.tool_calls if tool in (None, call.name)]
        if made:
            self._fail(f"Tools were called that should not be: {'; '.join(map(_written, made))}.")
        return self

    def assert_metric(
        self, name: str, *, at_most: float | None = None, at_least: float | None = None
    ) -> Call:
        """Of docs/metrics.md. One that could not be measured fails, with the reason."""
        __tracebackhide__ = True
        value = self.session.metrics.get(name)
        if value is None:
            self._fail(f"{name} is not known: {self.session.why_missing(name)}.")
        self._within(name, float(value or 0), at_most, at_least)
        return self

    def assert_score(
        self,
        scorer: Any,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        expected: Any = None,
    ) -> Call:
        """Every score that the scorer gives the call. `expected` as in a case."""
        __tracebackhide__ = True
        for score in self.scores(scorer, expected):
            if score.value is None:
                self._fail(f"{score.name} could not be measured: {score.reason_missing}.")
            told = f" ({score.explanation})" if score.explanation else ""
            self._within(f"{score.name}{told}", float(score.value or 0), at_most, at_least)
        return self

    def scores(self, scorer: Any, expected: Any = None) -> list[Score]:
        wanted = expected if isinstance(expected, Expected) else Expected(value=expected)
        if isinstance(expected, str):
            wanted = Expected(transcript=expected)
        case = Case(self.session.id, Input("session"), wanted, session_id=self.session.id)
        output = Output(
            self.session.said("assistant"), tuple(self.session.tool_calls), session_id=self.session.id
        )
        return asyncio.run(score_subject([as_scorer(scorer)], Subject(case, output, self.session)))

    def _within(self, name: str, value: float, at_most: float | None, at_least: float | None) -> None:
        __tracebackhide__ = True
        if at_most is not None and value > at_most:
            self._fail(f"{name} is {value:g}, more than {at_most:g}.")
        if at_least is not None and value < at_least:
            self._fail(f"{name} is {value:g}, less than {at_least:g}.")

    def _fail(self, what: str) -> None:
        __tracebackhide__ = True
        raise AssertionError(f"{what}\nThe call {self.session.id}:\n{self.script()}")


def _has(call: ToolCall, wanted: Mapping[str, Any]) -> bool:
    if isinstance(call.arguments, str):
        return not wanted
    return all(call.arguments.get(name) == value for name, value in wanted.items())


def _written(call: ToolCall) -> str:
    given = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
    return f"{call.name}({given})"
