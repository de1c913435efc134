"""Lists in the terminal: what fits into its width, and what gives way."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from voxgate.cli import credentials, keys, sessions
from voxgate.cli.table import Column, duration, table_lines

ID = "0123456789abcdefghjkmnpqrs"
SESSION: dict[str, Any] = {
    "id": f"sess_{ID}", "started_at": "2026-11-23T10:15:00.000Z", "status": "interrupted",
    "duration_ms": 187_000.0,
    "project": "customer-support", "model": "gpt-realtime-2026-01-01", "turns": 12, "interruptions": 3,
    "metrics": {"v2v_p50": 812.4}, "errors": 2, "cost_usd": 0.1234,
    "delete_after": "2026-12-23T10:15:00.000Z",
    "title": "I want to change \x1b[31mmy booking\x1b[0m, 東京タワーで please", "excerpt": None,
}  # fmt: skip
KEY: dict[str, Any] = {
    "id": f"key_{ID}", "name": "the backend of the shop", "role": "mint", "project": "customer-support",
    "key_hint": "vg_…abcd", "created_at": "2026-11-23T10:15:00Z", "last_used_at": "2026-11-23T10:15:00Z",
    "expires_at": "2999-01-31T00:00:00Z", "old_secret_until": "2026-11-24T10:15:00Z",
    "max_requests_per_minute": 600, "max_tokens_per_minute": 200_000,
}  # fmt: skip
CREDENTIAL: dict[str, Any] = {
    "id": f"cred_{ID}", "model": ["gpt-realtime", "local"], "project": None, "created_at": 1, "expires_at": 2,
    "revoked_at": 3, "used": {"uses": 2, "tokens": 3000, "audio_seconds": 61.0, "cost_usd": None},
}  # fmt: skip
LISTS = [
    (sessions._COLUMNS, SESSION, ["interrupted", "3:07", "I want to"]),
    (keys._COLUMNS, KEY, ["the backe", "mint", "text before until"]),
    (credentials._COLUMNS, CREDENTIAL, ["revoked", "1970-01-01 00:00", "gpt-rea"]),
]


@pytest.mark.parametrize(("columns", "record", "needed"), LISTS)
def test_every_list_is_readable_at_80_columns(
    columns: tuple[Column, ...], record: dict[str, Any], needed: list[str]
) -> None:
    head, line = table_lines([record], columns, 80)
    assert cell_len(line) <= 80
    assert record["id"] in line
    for text in needed:
        assert text in line
    assert "\x1b" not in line
    assert "id" in head


@pytest.mark.parametrize(("columns", "record", "_"), LISTS)
@pytest.mark.parametrize("width", [*range(32, 130, 7), 400])
def test_no_line_is_wider_than_the_terminal(
    columns: tuple[Column, ...], record: dict[str, Any], _: object, width: int
) -> None:
    for line in table_lines([record, {**record, "id": "short"}], columns, width)[1:]:
        assert cell_len(line) <= width


def test_without_a_terminal_everything_is_there_and_nothing_is_cut() -> None:
    _, line = table_lines([SESSION], sessions._COLUMNS, None)
    for text in ("2026-12-23", "812 ms", "$0.1234", "gpt-realtime-2026-01-01", "東京タワーで please"):
        assert text in line


def test_columns_without_any_value_are_left_out() -> None:
    head, _ = table_lines([{**SESSION, "cost_usd": None, "turns": None}], sessions._COLUMNS, 400)
    assert "cost" not in head
    assert "turns" not in head
    assert "title" in head


def test_a_note_stands_below_its_record() -> None:
    columns = [Column("id", lambda row: row["id"])]
    lines = table_lines(
        [{"id": "a"}, {"id": "b"}], columns, None, lambda row: "said" if row["id"] == "a" else ""
    )
    assert lines == ["id", "a", "    said", "b"]


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(None, ""), (0, "0.0 s"), (4_240, "4.2 s"), (60_000, "1:00"), (187_400, "3:07"), (3_750_000, "1:02:30")],
)
def test_durations_are_for_people(ms: float | None, shown: str) -> None:
    assert duration(ms) == shown
