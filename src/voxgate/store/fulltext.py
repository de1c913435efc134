"""The full text of sessions, in SQLite (FTS5) and in PostgreSQL (tsvector): writing words into it, and asking
it.

Both get words that are folded and separated already (`words`), so neither cuts texts up by rules of its own.
This is the one place where their SQL for searching differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from voxgate.store.columns import Text
from voxgate.store.excerpts import SPEAKERS, Line
from voxgate.store.fields import FIELDS, SPOKEN
from voxgate.store.filter import Pattern, Words
from voxgate.store.schema import session_search, session_words
from voxgate.store.words import words

_NEW_LINE: Final = "\ue000"
"""A word that nobody can look for: a phrase does not go on from one line to the next."""
_session_fts: Final = table("session_fts", column("rowid"), *(column(name) for name in SPOKEN))
_FORGET: Final = delete(_session_fts).where(_session_fts.c.rowid == bindparam("wanted"))
_INSERT: Final = insert(_session_fts)


class FullText(Protocol):
    def index(self, connection: Connection, number: int, lines: Iterable[Line]) -> None:
        """In place of what was indexed before of the session."""
        ...

    def index_new(self, connection: Connection, said: Mapping[int, Iterable[Line]]) -> None:
        """Of many sessions of which nothing was indexed before, by their numbers."""
        ...

    def found(self, wanted: Sequence[Words], *, all_of_them: bool) -> ColumnElement[bool]:
        """Whether the session has all, or any, of these words."""
        ...

    def contains(self, column: ColumnElement[Any], text: str | ColumnElement[str]) -> ColumnElement[bool]:
        """Whether the text is in the column's, letter by letter."""
        ...

    def fits(self, column: ColumnElement[Any], pattern: Pattern) -> ColumnElement[bool]:
        """Whether the column's text fits a pattern with stars, letter by letter."""
        ...


class SqliteFullText:
    def index(self, connection: Connection, number: int, lines: Iterable[Line]) -> None:
        connection.execute(_FORGET, {"wanted": number})
        self.index_new(connection, {number: lines})

    def index_new(self, connection: Connection, said: Mapping[int, Iterable[Line]]) -> None:
        columns = {number: _columns(lines) for number, lines in said.items()}
        rows = [
            {"rowid": number, **{name: " ".join(found) for name, found in texts.items()}}
            for number, texts in columns.items()
        ]
        connection.execute(_INSERT, rows)

    def found(self, wanted: Sequence[Words], *, all_of_them: bool) -> ColumnElement[bool]:
        query = (" AND " if all_of_them else " OR ").join(self._term(one) for one in wanted)
        matching = literal_column("session_fts").op("MATCH")(literal(query))
        return session_search.c.number.in_(select(_session_fts.c.rowid).where(matching))

    def _term(self, wanted: Words) -> str:
        """Words have no character that FTS5 would take for something else between quotes."""
        where = f"{{{FIELDS[wanted.field].column}}} : " if wanted.field != "text" else ""
        return f'({where}"{" ".join(words(wanted.text))}"{" *" if wanted.prefix else ""})'

    def contains(self, column: ColumnElement[Any], text: str | ColumnElement[str]) -> ColumnElement[bool]:
        return func.instr(column, _expression(text)) > 0

    def fits(self, column: ColumnElement[Any], pattern: Pattern) -> ColumnElement[bool]:
        pieces = [
            piece.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]") for piece in pattern.pieces
        ]
        return column.op("GLOB", is_comparison=True)(literal("*".join(pieces), Text))


class PostgresFullText:
    _WEIGHTS: Final = dict(zip(SPOKEN, "ABCD", strict=True))
    _LAST_POSITION: Final = 16_383
    """PostgreSQL counts no further: of what is said later, phrases are not found any more, words are."""
    _MOST_PLACES: Final = 255
    """Of one word."""

    def index(self, connection: Connection, number: int, lines: Iterable[Line]) -> None:
        places: dict[str, list[str]] = {}
        at = 0
        for name, found in _columns(lines).items():
            at += 1  # no phrase goes on from one column to the next
            for word in found:
                at += 1
                known = places.setdefault(word, [])
                if word != _NEW_LINE and len(known) < self._MOST_PLACES:
                    known.append(f"{min(at, self._LAST_POSITION)}{self._WEIGHTS[name]}")
        vector = " ".join(f"'{word}':{','.join(known)}" for word, known in places.items() if known)
        changed = update(session_words).where(session_words.c.number == number)
        connection.execute(changed.values(vector=cast(literal(vector, String), TSVECTOR)))

    def index_new(self, connection: Connection, said: Mapping[int, Iterable[Line]]) -> None:
        for number, lines in said.items():
            self.index(connection, number, lines)

    def found(self, wanted: Sequence[Words], *, all_of_them: bool) -> ColumnElement[bool]:
        query = (" & " if all_of_them else " | ").join(self._term(one) for one in wanted)
        matching = session_words.c.vector.op("@@")(cast(literal(query, String), TSQUERY))
        return session_search.c.number.in_(select(session_words.c.number).where(matching))

    def _term(self, wanted: Words) -> str:
        """A word has no character that PostgreSQL would take for something else between quotes."""
        weight = self._WEIGHTS[FIELDS[wanted.field].column] if wanted.field != "text" else ""
        *first, last = words(wanted.text)
        labels = [*(weight for _ in first), ("*" if wanted.prefix else "") + weight]
        said = zip([*first, last], labels, strict=True)
        return "(" + " <-> ".join(f"'{word}'{label and ':'}{label}" for word, label in said) + ")"

    def contains(self, column: ColumnElement[Any], text: str | ColumnElement[str]) -> ColumnElement[bool]:
        return func.strpos(column, _expression(text)) > 0

    def fits(self, column: ColumnElement[Any], pattern: Pattern) -> ColumnElement[bool]:
        pieces = [
            piece.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for piece in pattern.pieces
        ]
        return column.like(literal("%".join(pieces), Text), escape="\\")


def full_text(connection: Connection) -> FullText:
    return PostgresFullText() if connection.dialect.name == "postgresql" else SqliteFullText()


def _expression(text: str | ColumnElement[str]) -> ColumnElement[str]:
    return literal(text, Text) if isinstance(text, str) else text


def _columns(lines: Iterable[Line]) -> dict[str, list[str]]:
    """The words of each column."""
    found: dict[str, list[str]] = {name: [] for name in SPOKEN}
    for line in lines:
        said = found[SPEAKERS[line.speaker]]
        if said:
            said.append(_NEW_LINE)
        said += words(line.text)
    return found
