"""The table between the marks of docs/clients.md, from the results of the last run."""

from __future__ import annotations

from typing import Final

from tests.clients.matrix.results import Result, Results
from tests.clients.matrix.roster import CLIENTS, Client
from tests.conftest import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "clients.md"
BEGIN: Final = "<!-- made by `make clients` -->\n"
END: Final = "<!-- end of what `make clients` made -->\n"
HEADS: Final = {
    "credential": "temporary credential",
    "key": "API key",
    "text": "text",
    "audio": "audio",
    "tool": "tool call",
    "events": "every event",
    "close": "close",
    "plain": "without TLS",
}


def write_table(results: Results) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + table(results) + END + after)


def table(results: Results) -> str:
    notes: list[str] = []
    head = ["client", "version", "dialect", *HEADS.values(), "run"]
    rows = [_row(client, results.by_id.get(client.id), notes) for client in CLIENTS]
    remarks = "".join(f"{number}. {note}\n" for number, note in enumerate(notes, 1))
    lines = [[client.title, f"`{client.lines}`"] for client in CLIENTS]
    changes = _markdown(["client", "what to change"], ["---", "---"], lines)
    alignment = ["---", "---", "---", *[":-:"] * len(HEADS), "---"]
    return f"{_markdown(head, alignment, rows)}\n{remarks}\n{changes}"


def _markdown(head: list[str], alignment: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, alignment, *rows])


def _row(client: Client, result: Result | None, notes: list[str]) -> list[str]:
    if result is None:
        return [client.title, "", "", *["not run"] * len(HEADS), ""]
    cells = [_cell(client, result, step, notes) for step in HEADS]
    title = client.title + (_noted(client.remark, notes) if client.remark else "")
    return [title, result.version, result.dialect, *cells, result.date]


def _cell(client: Client, result: Result, step: str, notes: list[str]) -> str:
    if step not in result.steps:
        return "–"
    if result.steps[step]:
        return "✓"
    return "✗" + _noted(client.cannot.get(step, "failed at the last run"), notes)


def _noted(note: str, notes: list[str]) -> str:
    if note not in notes:
        notes.append(note)
    return f" [{notes.index(note) + 1}]"
