"""Rules: which sessions are scored by what when they are over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from voxgate.core.clock import now_utc
from voxgate.core.ids import new_id
from voxgate.store.database import Database, changed_rows, to_dict
from voxgate.store.schema import rules

_ANY = select(rules.c.id).where(rules.c.enabled.is_(True)).limit(1)


class RuleRows:
    """The part of the store that keeps rules."""

    _database: Database

    def add_rule(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """As it was saved."""
        values = {"id": new_id("rule"), **row}
        with self._database.writing() as connection:
            connection.execute(rules.insert().values(values))
            saved = _read(connection, values["id"])
        assert saved is not None
        return saved

    def list_rules(
        self, *, project: str | None = None, of_all: bool = False, enabled: bool | None = None
    ) -> list[dict[str, Any]]:
        """In the order in which they were made; of one project only if it is given, with those that hold for
        all projects where `of_all` says so."""
        query = select(rules).order_by(rules.c.id)
        if project is not None:
            of_project = rules.c.project == project
            query = query.where(or_(of_project, rules.c.project.is_(None)) if of_all else of_project)
        if enabled is not None:
            query = query.where(rules.c.enabled.is_(enabled))
        with self._database.reading() as connection:
            return [to_dict(row) for row in connection.execute(query)]

    def has_rules(self) -> bool:
        """Whether any is enabled."""
        with self._database.reading() as connection:
            return connection.execute(_ANY).first() is not None

    def get_rule(self, rule_id: str) -> dict[str, Any] | None:
        with self._database.reading() as connection:
            return _read(connection, rule_id)

    def edit_rule(self, rule_id: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """As it is now; None if there is none."""
        with self._database.writing() as connection:
            changed = rules.update().where(rules.c.id == rule_id)
            connection.execute(changed.values({"updated_at": now_utc(), **values}))
            return _read(connection, rule_id)

    def remember_of_rule(self, rule_id: str, state: Mapping[str, Any] | None) -> None:
        """What the recorder wants to know the next time; the rule itself does not change."""
        with self._database.writing() as connection:
            connection.execute(rules.update().where(rules.c.id == rule_id).values(state=state))

    def change_rule_state(self, rule_id: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        """As one step, whoever else does it too. The rule may be gone."""
        query = select(rules.c.state).where(rules.c.id == rule_id).with_for_update()
        with self._database.writing() as connection:
            found = connection.execute(query).one_or_none()
            if found is not None:
                changed = rules.update().where(rules.c.id == rule_id)
                connection.execute(changed.values(state=change(dict(found.state or {}))))

    def delete_rule(self, rule_id: str) -> bool:
        """False if it was not there."""
        with self._database.writing() as connection:
            return changed_rows(connection, delete(rules).where(rules.c.id == rule_id)) > 0


def _read(connection: Connection, rule_id: str) -> dict[str, Any] | None:
    row = connection.execute(select(rules).where(rules.c.id == rule_id)).one_or_none()
    return None if row is None else to_dict(row)
