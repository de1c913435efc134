"""What temporary credentials have used, over all workers: a use is taken at the opening of a call, everything
else is added while calls run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from sqlalchemy import Connection, delete, literal_column, select

from voxgate.store.database import Database, changed_rows, upsert
from voxgate.store.schema import credential_usage, credentials


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums; `nano_usd` in billionths of a dollar. `unpriced` counts usages whose price is not known, `held_…`
    is what requests that run may still use."""

    uses: int = 0
    tokens: int = 0
    audio_ms: int = 0
    nano_usd: int = 0
    unpriced: int = 0
    held_tokens: int = 0
    held_nano_usd: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(getattr(self, name) + getattr(other, name) for name in _NAMES))

    def __neg__(self) -> Spent:
        return Spent(*(-getattr(self, name) for name in _NAMES))

    def free(self, max_tokens: int | None, max_nano_usd: int | None) -> tuple[float, float] | None:
        """Tokens and billionths of a dollar that are neither spent nor held; None when a budget is spent."""
        tokens = math.inf if max_tokens is None else max_tokens - self.tokens
        nano_usd = math.inf if max_nano_usd is None else max_nano_usd - self.nano_usd
        if tokens <= 0 or nano_usd <= 0:
            return None
        return tokens - self.held_tokens, nano_usd - self.held_nano_usd


@dataclass(frozen=True, slots=True)
class Hold:
    """What a request may use at most, and of which budget (None: of none). One that does not say how much it
    may use holds all that is left, if nobody else holds anything, rather than being refused."""

    tokens: int
    nano_usd: int
    max_tokens: int | None
    max_nano_usd: int | None
    is_stated: bool


_NAMES: Final = tuple(field.name for field in fields(Spent))


class SpendingRows:
    """The part of the store that counts what credentials use."""

    _database: Database

    def take_use(self, credential_id: str, most: int | None) -> tuple[bool, Spent]:
        """Whether there was a use left, which is now taken, and what is spent. No two processes get the
        last one."""
        use = credential_usage.update().where(credential_usage.c.credential_id == credential_id)
        use = use.values(uses=credential_usage.c.uses + 1)
        if most is not None:
            use = use.where(credential_usage.c.uses < most)
        with self._database.writing() as connection:
            _add(connection, {credential_id: Spent()})
            taken = changed_rows(connection, use) > 0
            return taken, _read(connection, [credential_id])[credential_id]

    def take_use_and_hold(
        self, credential_id: str, most: int | None, hold: Hold
    ) -> tuple[Spent | None, Spent]:
        """A use, and what the request holds from now on: None when there is no use left or not enough of the
        budget. And what is spent and held by all. No two processes get the same."""
        with self._database.writing() as connection:
            _add(connection, {credential_id: Spent()})
            row = select(*_COLUMNS).where(credential_usage.c.credential_id == credential_id)
            before = Spent(*connection.execute(row.with_for_update()).one())
            held = None if most is not None and before.uses >= most else _held(before, hold)
            if held is None:
                return None, before
            _add(connection, {credential_id: held + Spent(uses=1)})
            return held, before + held + Spent(uses=1)

    def settle_spending(self, spent: Mapping[str, Spent]) -> dict[str, Spent]:
        """Adds what was spent, by the ids of credentials, and answers the sums of these. A use is given back
        by adding less than none; of what has used nothing no row stays."""
        news = {credential_id: each for credential_id, each in spent.items() if each != Spent()}
        transaction = self._database.writing if news else self._database.reading
        with transaction() as connection:
            _add(connection, news)
            sums = _read(connection, spent)
            unused = [credential_id for credential_id in news if sums[credential_id] == Spent()]
            if unused:
                connection.execute(delete(credential_usage).where(_ID.in_(unused), *_NOTHING))
            return sums

    def forget_usage_of_strangers(self, before: str) -> int:
        """Deletes what credentials with ids that sort before this one have used, of those that are not kept:
        whoever has a provider's key, or says so, can make them. How many it were."""
        used = credential_usage.c.credential_id
        kept = select(credentials.c.id).where(credentials.c.id == used).exists()
        with self._database.writing() as connection:
            return changed_rows(connection, delete(credential_usage).where(used < before, ~kept))

    def spent_by(self, credential_ids: Iterable[str]) -> dict[str, Spent]:
        """Of those of which anything is counted."""
        with self._database.reading() as connection:
            return _read(connection, credential_ids)


def _held(before: Spent, hold: Hold) -> Spent | None:
    free = before.free(hold.max_tokens, hold.max_nano_usd)
    wanted = Spent(held_tokens=hold.tokens, held_nano_usd=hold.nano_usd)
    if free is None:
        return None
    if hold.tokens <= free[0] and hold.nano_usd <= free[1]:
        return wanted
    if hold.is_stated or before.held_tokens or before.held_nano_usd:
        return None
    return Spent(held_tokens=int(min(hold.tokens, free[0])), held_nano_usd=int(min(hold.nano_usd, free[1])))


_COLUMNS: Final = tuple(credential_usage.c[name] for name in _NAMES)
_ID: Final = credential_usage.c.credential_id
_NOTHING: Final = tuple(credential_usage.c[name] == 0 for name in _NAMES)
_SUMS: Final = tuple((name, credential_usage.c[name] + literal_column(f"excluded.{name}")) for name in _NAMES)


def _add(connection: Connection, spent: Mapping[str, Spent]) -> None:
    rows = [{"credential_id": each, **asdict(spent[each])} for each in sorted(spent)]
    upsert(connection, credential_usage, rows, also_set=_SUMS)


def _read(connection: Connection, credential_ids: Iterable[str]) -> dict[str, Spent]:
    sums = [credential_usage.c[name] for name in _NAMES]
    rows = connection.execute(select(_ID, *sums).where(_ID.in_(list(credential_ids))))
    return {row[0]: Spent(*row[1:]) for row in rows}
