"""CSV with a header: a row is a case. The data set of OpenAI's cookbook loads as it is."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from voxgate.evals.loading.places import Place
from voxgate.evals.loading.rows import case_of_row, check_columns
from voxgate.evals.model import Case

_LONGEST_CELL: Final = 16 << 20


def read_csv(path: Path) -> Iterator[Case]:
    """UTF-8, with or without a byte order mark."""
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, None)
            if header is None:
                raise Place(path).error("it is empty; the first line has to name the columns.")
            place = Place(path, reader.line_num)
            if twice := next((name for name in header if header.count(name) > 1), None):
                raise place.error(f"the column {twice!r} is there twice.")
            check_columns(header, place)
            for cells in reader:
                if cells:
                    yield case_of_row(_row(header, cells, place := Place(path, reader.line_num)), place)
        except csv.Error as error:
            raise Place(path, reader.line_num).error(f"it is no CSV: {error}.") from error
        except UnicodeDecodeError as error:
            raise Place(path, reader.line_num + 1).error(f"it is not UTF-8: {error}.") from error


def _row(header: list[str], cells: list[str], place: Place) -> dict[str, str]:
    if len(cells) != len(header):
        raise place.error(
            f"there are {len(cells)} cells, but {len(header)} columns. A comma or a line break in a cell"
            ' needs quotes around it: "...".'
        )
    return dict(zip(header, cells, strict=True))
