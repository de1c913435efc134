"""Traces as tables: a row for each session and a row for each span, with the same columns in every export,
and those rows as Parquet or CSV. What has no column of its own is JSON in one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from voxgate.core.errors import SettingsError
from voxgate.export.view import SessionView, words_of
from voxgate.traces.events import Json, obj
from voxgate.traces.metrics import METRICS
from voxgate.traces.usage import COUNTS

SESSION_COLUMNS: Final = {
    **dict.fromkeys(("id", "project", "model", "provider", "status", "title"), "text"),
    **dict.fromkeys(("started_at", "ended_at"), "moment"),
    "duration_ms": "number",
    **dict.fromkeys(("turns", "interruptions"), "count"),
    "cost_usd": "number",
    **dict.fromkeys(("requested_model", "actual_model", "voice", "user_id", "credential_id"), "text"),
    "tags": "texts",
    **dict.fromkeys(("metadata", "audio", "errors", "rest"), "json"),
    **{f"usage_{name}": "number" for name in COUNTS},
    **{f"metric_{name}": "number" for name in METRICS},
}
"""`audio` says where the exported tracks are; `rest` is all of the trace that has no column, but no spans."""
_NOT_IN_CSV: Final = ("audio", "rest")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
SPAN_COLUMNS: Final = {
    **dict.fromkeys(("session_id", "id", "parent_id", "type", "name", "status", "text"), "text"),
    **dict.fromkeys(("started_at", "ended_at"), "moment"),
    **dict.fromkeys(("start_ms", "end_ms", "cost_usd"), "number"),
    **dict.fromkeys(("input", "output", "error", "metrics", "attachments"), "json"),
    **{f"usage_{name}": "number" for name in COUNTS},
}


def session_row(trace: Json, audio: Json) -> Json:
    metrics, usage = obj(trace, "metrics"), obj(trace, "usage")
    row = {name: trace.get(name) for name in SESSION_COLUMNS}
    used = {"spans", "metrics", *SESSION_COLUMNS}
    return {
        **row,
        "user_id": SessionView(trace).user_id,
        "audio": audio,
        "rest": {name: value for name, value in trace.items() if name not in used},
        **{f"usage_{name}": usage.get(name) for name in COUNTS},
        **{f"metric_{name}": metrics.get(name) for name in METRICS},
    }


def span_rows(trace: Json) -> list[Json]:
    view = SessionView(trace)
    return [_span_row(view, span) for span in view.spans]


def _span_row(view: SessionView, span: Json) -> Json:
    start_ns, end_ns = view.times_ns(span)
    usage = span["usage"] or {}
    is_said = span["type"] in ("user", "response")
    return {
        **{name: span.get(name) for name in SPAN_COLUMNS},
        "session_id": view.id,
        "text": words_of(span) if is_said else obj(span, "input").get("text"),
        "started_at": view.moment(start_ns),
        "ended_at": view.moment(end_ns) if span["end_ms"] is not None else None,
        **{f"usage_{name}": usage.get(name) for name in COUNTS},
    }


def csv_lines(traces: Iterable[Json]) -> Iterator[bytes]:
    """A heading, and a row for each session. What a spreadsheet takes for a formula is marked as text."""
    names = [name for name in SESSION_COLUMNS if name not in _NOT_IN_CSV]
    yield _csv_line(names)
    for trace in traces:
        row = session_row(trace, {})
        yield _csv_line([_cell(row.get(name), SESSION_COLUMNS[name]) for name in names])


def _csv_line(cells: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode("utf-8", "replace")


def _cell(value: Any, kind: str) -> Any:
    if kind in ("json", "texts") and value is not None:
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_parquet(path: Path, columns: dict[str, str], rows: list[Json]) -> None:
    """SettingsError, with what to do, where pyarrow is not installed."""
    arrow, parquet = _pyarrow()
    types = {
        "text": arrow.string(),
        "json": arrow.string(),
        "texts": arrow.list_(arrow.string()),
        "number": arrow.float64(),
        "count": arrow.int64(),
        "moment": arrow.timestamp("us", tz="UTC"),
    }
    schema = arrow.schema([(name, types[kind]) for name, kind in columns.items()])
    values = {name: [_value(row.get(name), kind) for row in rows] for name, kind in columns.items()}
    parquet.write_table(arrow.table(values, schema=schema), path, compression="zstd")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: PLC0415 - fifty megabytes that only this format needs
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError("Parquet needs pyarrow: pip install 'voxgate[parquet]'") from error
    return pyarrow, pyarrow.parquet


def check_parquet() -> None:
    """SettingsError before anything is fetched."""
    _pyarrow()


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    match kind:
        case "json":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case "moment":
            return value if isinstance(value, datetime) else _moment(value)
        case "number":
            return float(value)
        case "texts":
            return [str(one) for one in value]
        case "text":
            return str(value)
    return value


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
