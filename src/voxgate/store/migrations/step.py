"""What a step of the schema is, and the statements that every database takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table
from sqlalchemy.schema import CreateColumn


@dataclass(frozen=True, slots=True)
class Migration:
    """`up` and `down` are inverse and run in one transaction each; they read nothing of `schema`, which says
    what is true now and not what was true then. `needs` is the oldest version whose Voxgate works beside the
    one that brings this step: as long as a step only adds, none is needed, and it stays 1. Columns that are
    added can be null or have a default of the database's, since those of before do not know them."""

    what: str
    up: Callable[[Connection], None]
    down: Callable[[Connection], None]
    needs: int = 1


def add_column(connection: Connection, table: str, column: Column[Any]) -> None:
    Table(table, MetaData(), column)  # a column is written down as one of a table
    definition = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {definition}")


def drop_column(connection: Connection, table: str, column: str) -> None:
    """Its indexes are dropped before."""
    connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
