"""What the last tries of a provider have shown. The gateway's dialler writes it, the web app shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["untried", "answering", "failing", "resting"]


@dataclass(slots=True)
class Health:
    """Of one provider, as one worker has seen it; moments in UTC."""

    answered_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None
    """Why the last failed try did: with the provider's words, and without its key."""
    rests_for_seconds: float | None = None
    """None: it does not rest."""

    @property
    def state(self) -> State:
        if self.rests_for_seconds is not None:
            return "resting"
        if self.failed_at is not None and (self.answered_at is None or self.failed_at > self.answered_at):
            return "failing"
        return "untried" if self.answered_at is None else "answering"
