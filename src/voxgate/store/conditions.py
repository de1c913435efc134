"""From a filter to SQL: a condition on the rows of `session_search`, in the dialect of the connection.

A comparison with NULL is neither true nor false in SQL, but false in the language; so a `not` is carried down
to the comparisons, and there means: no value, or another one.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, false, not_, or_, true

from voxgate.store.fields import FIELDS, SCORE, Kind
from voxgate.store.filter import Ago, And, Compare, Filter, Has, Moment, Not, Or, Pattern, Words
from voxgate.store.fulltext import FullText
from voxgate.store.schema import scores, session_search
from voxgate.store.search import SEPARATOR, first_number

_OPERATORS: Final = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Conditions:
    full_text: FullText
    now: datetime

    def of(self, node: Filter, *, negated: bool = False) -> ColumnElement[bool]:
        match node:
            case And(parts) | Or(parts):
                return self._joined(parts, all_of_them=isinstance(node, And), negated=negated)
            case Not(part):
                return self.of(part, negated=not negated)
            case Words():
                found = self.full_text.found([node], all_of_them=True)
                return not_(found) if negated else found
            case Has(field):
                return _has(field, negated=negated)
            case Compare():
                return self._compare(node, negated=negated)

    def _joined(self, parts: Sequence[Filter], *, all_of_them: bool, negated: bool) -> ColumnElement[bool]:
        """Words that stand side by side are asked for at once, which is what full text is quick at."""
        said = [part for part in parts if isinstance(part, Words)]
        found: list[ColumnElement[bool]] = []
        if said:
            together = self.full_text.found(said, all_of_them=all_of_them)
            found.append(not_(together) if negated else together)
        found += [self.of(part, negated=negated) for part in parts if not isinstance(part, Words)]
        # Of nothing: every session.
        return and_(true(), *found) if all_of_them != negated else or_(false(), *found)

    def _compare(self, node: Compare, *, negated: bool) -> ColumnElement[bool]:
        if node.field.startswith(SCORE):
            value: Any = node.value
            found = _scored(node.field, _OPERATORS[node.op](scores.c.value, value))
            return not_(found) if negated else found
        column = session_search.c[FIELDS[node.field].column]
        holds = self._holds(node, column)
        if not negated:
            return holds
        return or_(column.is_(None), not_(holds)) if column.nullable else not_(holds)

    def _holds(self, node: Compare, column: ColumnElement[Any]) -> ColumnElement[bool]:
        match node.value:
            case Ago() | Moment():
                return _in_time(node.op, *node.value.bounds_ms(self.now))
            case Pattern() if FIELDS[node.field].kind is Kind.LIST:
                return self._one_of(column, node.value)
            case Pattern((text,)):
                return column == text
            case Pattern():
                return self.full_text.fits(column, node.value)
            case _:
                found: ColumnElement[bool] = _OPERATORS[node.op](column, node.value)
                return found

    def _one_of(self, column: ColumnElement[Any], pattern: Pattern) -> ColumnElement[bool]:
        """Where a pattern has no star, a text of the list begins or ends."""
        text = max(pattern.pieces, key=len)
        if not text:
            return column != ""
        start = "" if len(pattern.pieces) > 1 and pattern.pieces[0] == "" else SEPARATOR
        end = "" if len(pattern.pieces) > 1 and pattern.pieces[-1] == "" else SEPARATOR
        return self.full_text.contains(column, start + text.replace(SEPARATOR, " ") + end)


def _scored(field: str, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether one of the session's scores of this name is as asked for."""
    of_session = scores.c.session_id == session_search.c.session_id
    named = scores.c.name == field.removeprefix(SCORE)
    return exists().where(of_session, named, condition).correlate(session_search)


def _has(field: str, *, negated: bool) -> ColumnElement[bool]:
    if field.startswith(SCORE):
        found = _scored(field, or_(scores.c.value.is_not(None), scores.c.label.is_not(None)))
        return not_(found) if negated else found
    column = session_search.c[FIELDS[field].column]
    if FIELDS[field].kind is Kind.LIST:
        return column == "" if negated else column != ""
    return column.is_(None) if negated else column.is_not(None)


def _in_time(op: str, start_ms: int, end_ms: int) -> ColumnElement[bool]:
    """Later than a day is later than its end, earlier than it is earlier than its start."""
    number = session_search.c.number
    start, end = first_number(start_ms), first_number(end_ms)
    match op:
        case "<":
            return number < start
        case "<=":
            return number < end
        case ">":
            return number >= end
        case ">=":
            return number >= start
        case _:
            return and_(number >= start, number < end)
