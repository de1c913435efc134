"""How long recordings are kept, as a condition on the table of sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.sql.elements import ColumnElement

from voxgate.store.schema import sessions


@dataclass(frozen=True)
class Kept:
    """In days from the start of a call: `days` of all of them, `of_project` of some. None: for ever, unless
    their credential said otherwise. The soonest counts."""

    days: int | None = None
    of_project: Mapping[str, int] = field(default_factory=dict)

    def of(self, project: str) -> int | None:
        return min(
            (days for days in (self.days, self.of_project.get(project)) if days is not None), default=None
        )

    def over(self, own: ColumnElement[Any], now: datetime) -> ColumnElement[bool]:
        """Whether it is, for a session whose credential's moment is in the column `own`."""
        conditions = [own <= now]
        if self.days is not None:
            conditions.append(sessions.c.started_at <= now - timedelta(days=self.days))
        for project, days in self.of_project.items():
            began = sessions.c.started_at <= now - timedelta(days=days)
            conditions.append(and_(sessions.c.project == project, began))
        return or_(*conditions)
