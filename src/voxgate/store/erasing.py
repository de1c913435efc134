"""What was deleted, out of the file too. SQLite overwrites what it frees (`secure_delete`), but two places
keep it for a while: the full text's index, which only marks what is gone until it is merged, and the
write-ahead log. PostgreSQL sees to it by itself (VACUUM).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from voxgate.store.database import Database
from voxgate.store.sqlite_engine import BUSY_TIMEOUT_MS

_BUSY_MS: Final = 50
_TOTAL: Final = text("SELECT total_changes()")
# Negative: the whole index becomes one piece, as by 'optimize', but bit by bit; 64 pages are a few ms, in
# which no other process can write.
_MERGE: Final = text("INSERT INTO session_fts(session_fts, rank) VALUES ('merge', -64)")


class Erasing:
    """The part of the store that leaves nothing behind."""

    _database: Database

    def merge_words(self) -> bool:
        """A bit of taking deleted words out of the index; whether there is more to do."""
        if not self._database.is_sqlite:
            return False
        with self._database.writing() as connection:
            before: int = connection.execute(_TOTAL).scalar_one()
            connection.execute(_MERGE)
            after: int = connection.execute(_TOTAL).scalar_one()
        return after - before >= 2

    def empty_log(self) -> bool:
        """Writes the write-ahead log into the database and cuts it off. False if a reader is in the way: then
        later."""
        if not self._database.is_sqlite:
            return True
        with self._database.plainly() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            try:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                found = cursor.fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        return found is not None and not found[0]
