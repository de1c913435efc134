"""A call written out for somebody who judges it: the session's lines and tool calls as JSON, one a line, each
with an id by which it can be cited, and from an id the way back to the seconds of the call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from voxgate.evals.model import Evidence, Json, ToolCall
from voxgate.evals.protocols import Subject
from voxgate.evals.reading import Line
from voxgate.evals.session import Session

_LONGEST_RESULT: Final = 4000
"""Characters of a tool's result."""


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    body: Json
    evidence: Evidence | None
    line: Line | None = None
    """Where it is something said in a call."""

    @property
    def text(self) -> str:
        return orjson.dumps({"id": self.id, **self.body}, default=str).decode()


_Unnumbered = tuple[Json, Evidence | None, Line | None]


@dataclass(frozen=True, slots=True)
class Sheet:
    entries: tuple[Entry, ...]

    @property
    def text(self) -> str:
        return "\n".join(entry.text for entry in self.entries)

    def fence(self, *beside: str) -> str:
        """A name that nobody in the call can have known, so that nobody can have said it."""
        whole = "\0".join((self.text, *beside))
        return f"call-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"

    def cited(self, ids: Iterable[Any]) -> tuple[list[Evidence], list[str]]:
        """The evidence behind ids, each once and in the order of the call; and what is the id of nothing."""
        known = {entry.id: entry for entry in self.entries}
        wanted = {str(one).strip().strip("[]") for one in ids}
        found = [entry.evidence for entry in self.entries if entry.id in wanted]
        return [one for one in found if one is not None], sorted(wanted - known.keys())


def sheet_of(subject: Subject, *, with_tools: bool = True, with_instructions: bool = True) -> Sheet:
    """Of the recorded call, or of what the task gave where there is none. A turn comes after what was before
    it in its call."""
    session = subject.session
    if session is None:
        return _numbered(_without_a_call(subject, with_tools=with_tools))
    own = {span["id"] for span in session.spans}
    whole = Session(session.trace) if session.span_id is not None else session
    said = [(one.start_ms, _line(one), one.evidence, one) for one in whole.lines]
    done = [(one.start_ms or 0.0, _tool(one), _evidence(one), None) for one in whole.tool_calls if with_tools]
    entries: list[_Unnumbered] = []
    if with_instructions and (told := session.config.get("instructions")):
        entries.append(({"who": "operator", "instructions": told}, None, None))
    for start_ms, body, evidence, line in sorted([*said, *done], key=lambda one: one[0]):
        is_own = session.span_id is None or (evidence is not None and evidence.span_id in own)
        if is_own or start_ms < session.start_ms:
            entries.append((body if is_own else {**body, "earlier": True}, evidence, line))
    return _numbered(entries)


def _numbered(entries: Sequence[_Unnumbered]) -> Sheet:
    return Sheet(tuple(Entry(f"L{number}", *entry) for number, entry in enumerate(entries, 1)))


def _line(line: Line) -> Json:
    body: Json = {**_times(line.start_ms, line.end_ms), "who": line.role, "said": line.text}
    if line.heard_text is not None and line.heard_text.strip() != line.text.strip():
        body["heard"] = line.heard_text
    return body


def _tool(call: ToolCall) -> Json:
    result = call.result
    written = result if isinstance(result, str) else orjson.dumps(result, default=str).decode()
    if len(written) > _LONGEST_RESULT:
        result = f"{written[:_LONGEST_RESULT]}… ({len(written)} characters)"
    times = _times(call.start_ms or 0.0, call.end_ms or call.start_ms or 0.0)
    told = {"name": call.name, "arguments": call.arguments, "result": result, "status": call.status}
    return {**times, "who": "tool", **told}


def _times(start_ms: float, end_ms: float) -> Json:
    return {"from_s": round(start_ms / 1000, 1), "to_s": round(end_ms / 1000, 1)}


def _evidence(call: ToolCall) -> Evidence | None:
    if call.start_ms is None:
        return None
    return Evidence(call.start_ms, call.start_ms if call.end_ms is None else call.end_ms, call.span_id)


def _without_a_call(subject: Subject, *, with_tools: bool) -> list[_Unnumbered]:
    given, output = subject.case.input, subject.output
    asked = given.value if given.text is None else given.text
    said = output.text if output.value is None else output.value
    entries: list[_Unnumbered] = []
    if asked is not None:
        entries.append(({"who": "user", "said": asked}, None, None))
    entries += [(_tool(call), None, None) for call in output.tool_calls if with_tools]
    if said is not None:
        entries.append(({"who": "assistant", "said": said}, None, None))
    return entries
