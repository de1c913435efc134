"""The order of a list and the places in it: what a page is sorted by, where it begins, and the cursor of the
next.

Unknown values come last in either order. Sessions with the same value stand in the order of their start.
"""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, column, func, or_, select

from voxgate.core.errors import InvalidRequest
from voxgate.store.cursors import decode_cursor, encode_cursor
from voxgate.store.fields import ALIASES, FIELDS, SCORE, WITHOUT_VALUE
from voxgate.store.filter import COMPARISONS, takes
from voxgate.store.schema import scores, session_search

STARTED: Final = "started"
SORTS: Final = (STARTED, *(name for name, field in FIELDS.items() if field.kind.is_measured))
ORDERS: Final = ("desc", "asc")
_CURSOR: Final = (str, str, (int, float, NoneType), int)


def filter_fields() -> list[dict[str, Any]]:
    """What can be asked for and how, for people and programs that write filters."""
    return [
        {
            "name": field.name,
            "kind": field.kind.value,
            "help": field.help,
            "operators": [":", *(op for op in ("!=", *COMPARISONS) if op == "!=" or takes(field, op))],
            "examples": field.examples,
            "can_miss": field.name in WITHOUT_VALUE,
            "sortable": field.name in SORTS,
        }
        for field in FIELDS.values()
    ]


def is_score(name: str) -> bool:
    return name.startswith(SCORE) and name != SCORE


def _value_of(name: str) -> ColumnElement[Any]:
    """Of a score the mean of the session's scores of that name."""
    if not is_score(name):
        return session_search.c[FIELDS[name].column]
    of_session = scores.c.session_id == session_search.c.session_id
    mean = select(func.avg(scores.c.value)).where(scores.c.name == name.removeprefix(SCORE), of_session)
    return mean.correlate(session_search).scalar_subquery()


def _shown_order(order: str) -> ColumnElement[Any]:
    shown: ColumnElement[Any] = column("value")
    return (shown.desc() if order == "desc" else shown.asc()).nulls_last()


class Place:
    def __init__(self, sort: str, order: str) -> None:
        self._sort = ALIASES.get(sort, sort)
        if self._sort not in SORTS and not is_score(self._sort):
            raise InvalidRequest(
                f"Sessions cannot be sorted by {sort!r}; by {', '.join(SORTS)} or score.NAME.", param="sort"
            )
        if order not in ORDERS:
            raise InvalidRequest(f"The order is {' or '.join(ORDERS)}, not {order!r}.", param="order")
        self._order = order
        self._number = session_search.c.number
        self._value = None if self._sort == STARTED else _value_of(self._sort)

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        return [self._number] if self._value is None else [self._number, self._value.label("value")]

    def page(self, query: Select[Any], limit: int, cursor: str | None) -> Select[Any]:
        """One row more than asked for tells whether there is a next page."""
        own: ColumnElement[Any] = self._number
        if cursor is not None and is_score(self._sort):
            # As a table of its own: in a condition the mean would be taken once more for each comparison.
            valued = query.cte("valued").prefix_with("MATERIALIZED")
            own = valued.c.number
            query = select(own, valued.c.value).where(self._beyond(own, valued.c.value, cursor))
        elif cursor is not None:
            query = query.where(self._beyond(own, self._value, cursor))
        order: list[ColumnElement[Any]] = [own.desc() if self._order == "desc" else own.asc()]
        if self._value is not None:
            by_value = self._value.desc() if self._order == "desc" else self._value.asc()
            # A mean of scores is taken once for each session, and so named by what it is selected as.
            in_order = (
                [_shown_order(self._order)] if is_score(self._sort) else [self._value.is_(None), by_value]
            )
            order = [*in_order, *order]
        return query.order_by(*order).limit(limit + 1)

    def cursor(self, row: Row[Any]) -> str:
        return encode_cursor(
            [self._sort, self._order, None if self._value is None else row.value, row.number]
        )

    def _decoded(self, cursor: str) -> tuple[float | None, int]:
        sort, order, value, number = decode_cursor(cursor, _CURSOR)
        if (sort, order) != (self._sort, self._order):
            raise InvalidRequest(f"The cursor is one of a list by {sort}, {order}.", param="cursor")
        return value, number

    def _beyond(
        self, own: ColumnElement[Any], measured: ColumnElement[Any] | None, cursor: str
    ) -> ColumnElement[bool]:
        """Of columns that are a session's number and what the list is sorted by."""
        value, number = self._decoded(cursor)
        later = own < number if self._order == "desc" else own > number
        if measured is None:
            return later
        if value is None:
            return and_(measured.is_(None), later)
        further = measured < value if self._order == "desc" else measured > value
        return or_(further, and_(measured == value, later), measured.is_(None))
