"""A report as one HTML file that needs nothing else: scores, gate, and the cases side by side, with their
sound. What callers said and models wrote is text in it, never markup; no other host is asked for anything.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Final

from voxgate.evals.model import Case, Result
from voxgate.evals.reports.html_case import Sides, case_section, text
from voxgate.evals.reports.ranking import Ranked, ranked
from voxgate.evals.reports.report import Report, ScoreRow, figure, headline

MOST_CASES: Final = 200
"""Whose words and sounds are in the file: the first of those sorted by how much worse they are."""
MOST_SOUND_BYTES: Final = 60 << 20
_CSS: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_JS: Final = Path(__file__).with_name("page.js").read_text(encoding="utf-8")


def lines(report: Report, *, most_cases: int = MOST_CASES, with_sound: bool = True) -> Iterator[str]:
    """Pieces of the file, in order."""
    order = ranked(report.outcome.tally, report.outcome.comparison)
    return chain(
        _head(report),
        _gate(report),
        _scores(report),
        _cases(report, order[:most_cases], len(order), MOST_SOUND_BYTES if with_sound else 0),
        ["</main></body></html>\n"],
    )


def _head(report: Report) -> Iterator[str]:
    policy = (
        "default-src 'none'; media-src data:; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(_CSS)}'; script-src '{_digest(_JS)}'"
    )
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{text(report.title)}: {text(headline(report.outcome))}</title>"
    yield f"<style>{_CSS}</style></head>\n<body><main>"
    mark = "pass" if report.outcome.exit_code == 0 else "fail"
    yield f"<header><h1>{text(report.title)}</h1>"
    yield f'<span class="pill {mark}">{text(headline(report.outcome))}</span></header>\n'
    yield f'<p class="facts">{"".join(_facts(report))}</p>\n'


def _digest(source: str) -> str:
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"


def _facts(report: Report) -> Iterator[str]:
    row, baseline = report.experiment, report.outcome.baseline
    yield _experiment_link("experiment", row, report.url)
    if baseline is not None:
        yield _experiment_link("compared with", baseline, report.url)
    dataset, git = row.get("dataset"), row.get("git") or {}
    if dataset:
        yield _fact("data set", f"{dataset['name']}@{dataset['version']}")
    if git.get("commit"):
        changed = " with changes" if git.get("dirty") else ""
        yield _fact("git", f"{git.get('branch') or 'detached'} {git['commit'][:10]}{changed}")
    model = (row.get("task") or {}).get("model")
    if model:
        yield _fact("model", model)
    yield _fact("trials", row["trials"])
    if row.get("cost_usd"):
        yield _fact("cost", figure(row["cost_usd"], "usd"))
    yield _fact("made", (row.get("created_at") or "")[:16].replace("T", " "))


def _fact(name: str, value: Any) -> str:
    return f"<span>{text(name)} <b>{text(value)}</b></span>"


def _experiment_link(name: str, row: dict[str, Any], url: str) -> str:
    experiment_id = text(row["id"])
    return f'<span>{text(name)} <a href="{text(url)}/experiments/{experiment_id}">{experiment_id}</a></span>'


def _gate(report: Report) -> Iterator[str]:
    if not report.outcome.checks:
        return
    yield '<h2>Gate</h2><div class="scroll"><table><tr><th>gate</th><th>wanted</th>'
    yield '<th class="number">found</th><th></th><th></th></tr>'
    for check in report.outcome.checks:
        mark = "pass" if check.passed else "fail"
        yield f"<tr><td>{text(check.key)}</td><td>{text(check.condition)}</td>"
        yield f'<td class="number">{text(figure(check.value, check.unit))}</td>'
        yield f'<td><span class="pill {mark}">{mark}</span></td>'
        yield f'<td class="quiet">{text(check.reason or "")}</td></tr>'
    yield "</table></div>\n"


def _scores(report: Report) -> Iterator[str]:
    rows = report.rows()
    compared = report.outcome.comparison is not None
    if not rows:
        yield '<p class="quiet">There are no scores.</p>'
        return
    yield '<h2>Scores</h2><div class="scroll"><table><tr><th>score</th>'
    headings = (
        ("before", "after", "delta", "95 % interval", "values", "cases") if compared else ("mean", "values")
    )
    yield "".join(f'<th class="number">{heading}</th>' for heading in headings)
    yield f"{'<th></th>' if compared else ''}</tr>"
    for row in rows:
        yield _score_row(row, compared=compared)
    yield "</table></div>\n"
    for row in rows:
        if row.compared and row.compared.note:
            yield f'<p class="note">{text(row.name)}: {text(row.compared.note)}</p>'
    yield from _unpaired(report)


def _score_row(row: ScoreRow, *, compared: bool) -> str:
    cells = [row.mean, row.measured]
    if compared:
        cells = [row.before, row.mean, row.delta, row.interval, row.measured, row.changes]
    numbers = "".join(f'<td class="number">{text(cell)}</td>' for cell in cells)
    verdict = row.verdict or "new"
    pill = f'<td><span class="pill {verdict}">{verdict}</span></td>' if compared else ""
    return f"<tr><td>{text(row.name)}</td>{numbers}{pill}</tr>"


def _unpaired(report: Report) -> Iterator[str]:
    comparison = report.outcome.comparison
    if comparison is None:
        return
    for ids, name in ((comparison.only_before, comparison.before), (comparison.only_after, comparison.after)):
        if ids:
            yield f'<p class="quiet">{len(ids)} cases are only in {text(name)}.</p>'


def _cases(report: Report, shown: list[Ranked], total: int, sound_bytes: int) -> Iterator[str]:
    yield "<h2>Cases</h2>"
    if len(shown) < total:
        yield f'<p class="quiet">The {len(shown)} worst of {total}; the others are in Voxgate.</p>'
    yield '<div class="filters">'
    yield '<input id="words" type="search" placeholder="Words in a case" aria-label="Words">'
    yield '<select id="change" aria-label="Change"><option value="">all cases</option>'
    for change in ("regressed", "improved", "same", "new"):
        yield f'<option value="{change}">{change}</option>'
    yield '</select><span class="quiet" id="count" role="status"></span></div>\n'
    wanted = {one.case_id for one in shown}
    known: dict[str, Case] = {case.id: case for case in report.cases() if case.id in wanted}
    left = sound_bytes
    for number, one in enumerate(shown):
        section, used = case_section(_sides(report, one, known), is_open=number == 0, sound_bytes=left)
        left -= used
        yield from section
    yield f"<script>{_JS}</script>"


def _sides(report: Report, one: Ranked, known: dict[str, Case]) -> Sides:
    baseline = report.outcome.baseline
    before: list[Result] = []
    if baseline is not None:
        before = list(report.experiments.results(baseline["id"], one.case_id))
    after = list(report.experiments.results(report.outcome.id, one.case_id))
    return Sides(one, known.get(one.case_id), before, after, report)
