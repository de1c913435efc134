"""What is left of each limit per minute, over all workers. A limit is a bucket that holds a minute's worth
and fills up evenly: a worker takes some out before it lets requests through, and puts back what it did not
need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select

from voxgate.store.database import Database, changed_rows, upsert
from voxgate.store.leases import wait_for_turn
from voxgate.store.schema import rates

_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Level:
    """What was left at a moment (unix seconds); below 0 where more was used than had been expected."""

    left: float
    at: float

    def later(self, now: float, per_minute: int) -> Level:
        """Clocks that differ fill nothing twice."""
        passed = max(0.0, now - self.at)
        return Level(min(per_minute, self.left + passed * per_minute / _SECONDS), max(now, self.at))


@dataclass(frozen=True, slots=True)
class Draw:
    """What a worker asks of a limit: at least `need`, and up to `most` if there is so much. `owed` was used
    beyond what had been taken, or is put back where it is below 0; it counts whatever is left."""

    scope: str
    per_minute: int
    need: float = 0.0
    most: float = 0.0
    owed: float = 0.0

    def of(self, before: Level | None, now: float) -> tuple[float, Level]:
        """How much it gets, 0 if less than it needs is there, and what is left."""
        level = (before or Level(self.per_minute, now)).later(now, self.per_minute)
        there = min(self.per_minute, level.left - self.owed)
        given = min(self.most, there) if there >= self.need else 0.0
        return max(given, 0.0), Level(there - max(given, 0.0), level.at)


class RateRows:
    """The part of the store that counts by the minute. Clocks of several machines must agree to a second."""

    _database: Database

    def draw_rates(self, draws: Sequence[Draw], now: float) -> list[tuple[float, Level]]:
        """In the order of `draws`, each of another scope. No two processes get the same."""
        scopes = sorted(draw.scope for draw in draws)
        with self._database.writing() as connection:
            for scope in scopes:
                wait_for_turn(connection, scope)
            known = _read(connection, scopes)
            drawn = [draw.of(known.get(draw.scope), now) for draw in draws]
            _keep(connection, {draw.scope: level for draw, (_, level) in zip(draws, drawn, strict=True)})
            return drawn

    def forget_rates(self, before: float) -> int:
        """Of those that nobody has asked for since then: they are full again. How many it were."""
        with self._database.writing() as connection:
            return changed_rows(connection, delete(rates).where(rates.c.at < before))


def _read(connection: Connection, scopes: Sequence[str]) -> dict[str, Level]:
    query = select(rates.c.scope, rates.c.remaining, rates.c.at).where(rates.c.scope.in_(scopes))
    return {row.scope: Level(row.remaining, row.at) for row in connection.execute(query)}


def _keep(connection: Connection, levels: dict[str, Level]) -> None:
    rows = [{"scope": each, "remaining": levels[each].left, "at": levels[each].at} for each in sorted(levels)]
    upsert(connection, rates, rows)
