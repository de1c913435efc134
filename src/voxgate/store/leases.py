"""Leases: which calls run now under a limit that all workers share, such as the calls of one API key.

A worker takes one at the opening of a call, refreshes all of its own while the calls run and gives each back
at the end; those of a worker that died expire.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, func, select

from voxgate.core import clock
from voxgate.store.database import Database, upsert
from voxgate.store.schema import leases

Lease = tuple[str, str]
"""The scope, which is what is limited, and the holder, which is the session."""


class LeaseRows:
    """The part of the store that counts running calls. Clocks of several machines must agree to a second."""

    _database: Database

    def take_lease(self, lease: Lease, most: int, seconds: int) -> bool:
        """False if `most` others hold one of the same scope. No two processes get the last one."""
        scope, holder = lease
        now = clock.unix_seconds()
        others = leases.c.scope == scope, leases.c.holder != holder, leases.c.expires_at > now
        with self._database.writing() as connection:
            wait_for_turn(connection, scope)
            if connection.execute(select(func.count()).where(*others)).scalar_one() >= most:
                return False
            _keep(connection, [lease], now + seconds)
            return True

    def refresh_leases(self, held: Iterable[Lease], seconds: int) -> None:
        """Also puts back those that are missing, because the database was away when they were taken or for so
        long that they expired; and forgets what others left behind."""
        now = clock.unix_seconds()
        # Two transactions: machines that refresh at the same time never wait for each other in a circle.
        with self._database.writing() as connection:
            connection.execute(delete(leases).where(leases.c.expires_at <= now))
        with self._database.writing() as connection:
            _keep(connection, sorted(held), now + seconds)

    def lease_holders(self, scope: str) -> set[str]:
        """Who has one now."""
        now = clock.unix_seconds()
        query = select(leases.c.holder).where(leases.c.scope == scope, leases.c.expires_at > now)
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def give_back_leases(self, ended: Iterable[Lease]) -> None:
        one = leases.c.scope == bindparam("its_scope"), leases.c.holder == bindparam("its_holder")
        each = [{"its_scope": scope, "its_holder": holder} for scope, holder in ended]
        if each:
            with self._database.writing() as connection:
                connection.execute(delete(leases).where(*one), each)


def wait_for_turn(connection: Connection, scope: str) -> None:
    """SQLite's writing transactions follow one another anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(scope))))


def _keep(connection: Connection, held: Iterable[Lease], expires_at: int) -> None:
    rows = [{"scope": scope, "holder": holder, "expires_at": expires_at} for scope, holder in held]
    upsert(connection, leases, rows)
