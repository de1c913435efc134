"""One case in the HTML report: what went in, what came out before and after, how it sounds, and what earned
its scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from voxgate.core.errors import NotFound
from voxgate.evals.model import Case, Evidence, Result, Score, ToolCall
from voxgate.evals.reports.clips import ClipData, clip_of
from voxgate.evals.reports.ranking import Ranked
from voxgate.evals.reports.report import Report, figure, legible, seconds, signed
from voxgate.evals.session import Session

_EVIDENCE_SHOWN: Final = 12
_LONGEST_TEXT: Final = 4000
_SHORTEST_MS: Final = 700.0
"""Of what a button plays: a moment is not heard."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A case, and its results before (none without a baseline) and after."""

    ranked: Ranked
    case: Case | None
    before: list[Result]
    after: list[Result]
    report: Report


def text(value: Any) -> str:
    words = legible(str(value))
    return escape(words if len(words) <= _LONGEST_TEXT else f"{words[:_LONGEST_TEXT]} …")


def case_section(sides: Sides, *, is_open: bool, sound_bytes: int) -> tuple[list[str], int]:
    """Pieces of the page, and how many of the bytes of sound they took."""
    one, used = sides.ranked, 0
    pieces = [
        f'<details class="case" data-change="{one.change}"{" open" if is_open else ""}>',
        _summary(sides),
    ]
    pieces.append('<div class="body">')
    pieces += _given(sides.case)
    pieces.append('<div class="sides">')
    for name, results in (("before", sides.before), ("after", sides.after)):
        if name == "before" and sides.report.outcome.baseline is None:
            continue
        heading = name if sides.report.outcome.baseline else "result"
        pieces.append(f'<section class="side"><h3>{heading}</h3>')
        if not results:
            pieces.append('<p class="quiet">not run</p>')
        for result in results:
            trial, size = _trial(sides, result, sound_bytes - used, trials=len(results))
            pieces += trial
            used += size
        pieces.append("</section>")
    pieces.append("</div></div></details>\n")
    return pieces, used


def _summary(sides: Sides) -> str:
    one = sides.ranked
    said = text(_said(sides.case)) if sides.case else ""
    pills = []
    if any(result.error for result in sides.after):
        pills.append('<span class="pill error">error</span>')
    for name, pair in one.pairs.items():
        if pair.gain:
            row = sides.report.outcome.tally.columns[name]
            delta = signed(pair.after - pair.before, row.unit)
            pills.append(f'<span class="pill {pair.change}">{text(name)} {text(delta)}</span>')
    label = f"<b>{text(one.case_id)}</b>"
    deltas = f'<span class="deltas">{"".join(pills)}</span>'
    return f'<summary>{label}<span class="said">{said}</span>{deltas}</summary>'


def _said(case: Case) -> str:
    given = case.input
    return (
        given.text
        or ("" if given.value is None else json.dumps(given.value, ensure_ascii=False))
        or given.kind
    )


def _given(case: Case | None) -> Iterator[str]:
    """What went in and what ought to come out, a line each."""
    if case is None:
        return
    expected = case.expected
    facts = [("input", _said(case))]
    if expected.transcript is not None:
        facts.append(("expected words", expected.transcript))
    for call in expected.tool_calls or ():
        given = "…" if call.arguments is None else json.dumps(call.arguments, ensure_ascii=False)
        facts.append(("expected call", f"{call.name}({given})"))
    if expected.tool_calls == ():
        facts.append(("expected call", "none"))
    if expected.value is not None:
        facts.append(("expected", _pretty(expected.value)))
    if case.metadata:
        facts.append(("metadata", ", ".join(f"{name} {value}" for name, value in case.metadata.items())))
    yield '<dl class="given">'
    for name, words in facts:
        yield f"<dt>{name}</dt><dd>{text(words)}</dd>"
    yield "</dl>"


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)


def _trial(sides: Sides, result: Result, sound_bytes: int, *, trials: int) -> tuple[list[str], int]:
    session = _session(sides.report, result)
    clip = clip_of(session) if session and sound_bytes > 0 else None
    if clip and len(clip.data) > sound_bytes:
        clip = None
    pieces = ['<div class="trial">', _heading(result, sides.report.url, trials)]
    if result.error:
        pieces.append(f'<p class="error-text">{text(result.error)}</p>')
    if clip:
        label = f"{text(result.case_id)} {result.trial + 1}"
        pieces.append(f'<audio controls preload="none" aria-label="{label}" src="{clip.url}"></audio>')
    pieces += _words(result, session, clip)
    pieces += _scores(result, sides, clip)
    pieces.append("</div>")
    return pieces, len(clip.data) if clip else 0


def _session(report: Report, result: Result) -> Session | None:
    found = result.output.session_id if result.output else None
    session = report.session(found) if found else None
    span_id = result.output.turn_span_id if result.output else None
    if session is None or span_id is None:
        return session
    try:
        return session.turn(span_id)
    except NotFound:  # built again since: the whole call then
        return session


def _heading(result: Result, url: str, trials: int) -> str:
    parts = [f"trial {result.trial + 1}"] if trials > 1 else []
    if result.duration_ms is not None:
        parts.append(f"took {seconds(result.duration_ms)}")
    if result.cost_usd:
        parts.append(figure(result.cost_usd, "usd"))
    link = ""
    if result.output and result.output.session_id:
        link = f'<a href="{text(url)}/sessions/{text(result.output.session_id)}">the whole call</a>'
    return f'<h4><span class="quiet">{text(" · ".join(parts))}</span>{link}</h4>'


def _words(result: Result, session: Session | None, clip: ClipData | None) -> Iterator[str]:
    """What was said in order, with buttons that play it; without a call what the task gave."""
    spoken = (
        [(line.start_ms, line.end_ms, str(line.role), line.text) for line in session.lines] if session else []
    )
    if not spoken and result.output is not None:
        words = result.output.text
        if words is None and result.output.value is not None:
            words = _pretty(result.output.value)
        spoken = [(0.0, 0.0, "assistant", words)] if words else []
    calls = [
        (call.start_ms or 0.0, call.end_ms or 0.0, "tool", _call(call)) for call in _calls(result, session)
    ]
    yield '<ul class="lines">'
    for start_ms, end_ms, who, words in sorted(spoken + calls, key=lambda one: one[0]):
        seek = _button(start_ms, end_ms, clip)
        yield f'<li class="{who}"><span class="who">{who}</span>'
        yield f'<span class="what">{text(words)} {seek}</span></li>'
    yield "</ul>"


def _calls(result: Result, session: Session | None) -> list[ToolCall]:
    if session is not None:
        return session.tool_calls
    return list(result.output.tool_calls) if result.output else []


def _call(call: ToolCall) -> str:
    given = (
        call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments, ensure_ascii=False)
    )
    if call.result is None:
        return f"{call.name}({given})"
    result = call.result if isinstance(call.result, str) else json.dumps(call.result, ensure_ascii=False)
    return f"{call.name}({given}) → {result}"


def _scores(result: Result, sides: Sides, clip: ClipData | None) -> Iterator[str]:
    if not result.scores:
        return
    yield '<table class="scores">'
    for score in result.scores:
        shown = score.evidence[:_EVIDENCE_SHOWN]
        buttons = "".join(_evidence(one, clip) for one in shown)
        if len(score.evidence) > len(shown):
            buttons += f" and {len(score.evidence) - len(shown)} more"
        told = score.explanation or (score.reason_missing if score.value is None else "") or ""
        yield (
            f'<tr><td>{text(score.name)}</td><td class="number">{text(_value(score))}</td>'
            f'<td>{text(told)} <span class="evidence">{buttons}</span></td></tr>'
        )
    yield "</table>"


def _value(score: Score) -> str:
    value = figure(score.value, score.unit)
    return f"{value} ({score.label})" if score.label else value


def _evidence(one: Evidence, clip: ClipData | None) -> str:
    return (
        _button(one.start_ms, one.end_ms, clip)
        or f'<span class="quiet">{_stretch(one.start_ms, one.end_ms)}</span>'
    )


def _button(start_ms: float, end_ms: float, clip: ClipData | None) -> str:
    """Plays the stretch, where the clip has it."""
    if clip is None or end_ms <= clip.start_ms or start_ms >= clip.start_ms + clip.duration_ms:
        return ""
    seek = max(0.0, start_ms - clip.start_ms) / 1000
    until = (max(end_ms, start_ms + _SHORTEST_MS) - clip.start_ms) / 1000
    label = _stretch(start_ms, end_ms)
    times = f'data-seek="{seek:.3f}" data-until="{until:.3f}"'
    return f'<button type="button" {times} title="play">▶ {label}</button>'


def _stretch(start_ms: float, end_ms: float) -> str:
    return f"{start_ms / 1000:.1f}–{end_ms / 1000:.1f} s"
