"""Lists of records as a table that fits the terminal: what matters least gives way first. Without a terminal
every column is whole, for programs that cut lines.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer
from rich.cells import cell_len, set_cell_size

Record = Mapping[str, Any]

_GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    cell: Callable[[Record], str]
    weight: int = 0
    """Columns of a smaller weight are left out first; those of weight 0 never."""
    shortest: int | None = None
    """How far texts may be cut, in characters; None: not at all."""
    right: bool = False


def print_table(
    records: Sequence[Record],
    columns: Sequence[Column],
    note: Callable[[Record], str] | None = None,
    *,
    empty: str,
) -> None:
    """`note` is a line of its own below a record, where there is one; `empty` is said of no records."""
    if not records:
        typer.echo(empty, err=True)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    typer.echo("\n".join(table_lines(records, columns, width, note)))


def table_lines(
    records: Sequence[Record],
    columns: Sequence[Column],
    width: int | None,
    note: Callable[[Record], str] | None = None,
) -> list[str]:
    cells = {column: [plain(column.cell(record)) for record in records] for column in columns}
    shown = [column for column in columns if column.weight == 0 or any(cells[column])]
    widths = {c: max(cell_len(text) for text in (c.heading, *cells[c])) for c in shown}
    if width is not None:
        widths = _fitting(widths, width)
    head = _line({c: c.heading for c in widths}, widths)
    lines = [head if width is None else typer.style(head, bold=True)]
    for number, record in enumerate(records):
        lines.append(_line({c: cells[c][number] for c in widths}, widths))
        if note is not None and (text := note(record)):
            lines.append(f"    {text}")
    return lines


def _fitting(widths: Mapping[Column, int], width: int) -> dict[Column, int]:
    """The columns that stay, and how wide they are. The widest texts are cut first."""
    kept = dict(widths)
    while _total({c: _least(c, size) for c, size in kept.items()}) > width:
        spare = [column for column in kept if column.weight]
        if not spare:
            break
        del kept[min(spare, key=lambda column: column.weight)]
    while _total(kept) > width:
        longer = [column for column, size in kept.items() if size > _least(column, size)]
        if not longer:
            break
        kept[max(longer, key=lambda column: kept[column])] -= 1
    return kept


def _least(column: Column, size: int) -> int:
    return size if column.shortest is None else min(size, max(column.shortest, cell_len(column.heading)))


def _total(widths: Mapping[Column, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _line(texts: Mapping[Column, str], widths: Mapping[Column, int]) -> str:
    return _GAP.join(
        _sized(texts[column], size, right=column.right) for column, size in widths.items()
    ).rstrip()


def _sized(text: str, size: int, *, right: bool) -> str:
    if cell_len(text) > size:
        return set_cell_size(text, size - 1) + "…"
    space = " " * (size - cell_len(text))
    return space + text if right else text + space


def plain(text: str) -> str:
    """What callers said may hold codes that a terminal obeys."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def moment(text: str | None) -> str:
    """RFC 3339 to the minute."""
    return (text or "")[:16].replace("T", " ")


def duration(ms: float | None) -> str:
    """A duration for people: 4.2 s, 3:07, 1:02:30."""
    if ms is None:
        return ""
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
