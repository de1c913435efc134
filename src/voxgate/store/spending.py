"""What temporary credentials have used, over all workers: a use is taken at the opening of a call, everything
else is added while calls run.
"""

from __future__ import annotations

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
