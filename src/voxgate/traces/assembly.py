"""What the last step works with: all that the events left behind, and how its parts are named."""

from __future__ import annotations

from dataclasses import dataclass, field

from voxgate.traces.bill import Bill
from voxgate.traces.conversation import Conversation
from voxgate.traces.model import stable_id
from voxgate.traces.responses import Responses
from voxgate.traces.session import SessionState
from voxgate.traces.sound import SoundFacts
from voxgate.traces.tracks import TrackLayout


@dataclass(slots=True)
class Assembly:
    session: SessionState
    conversation: Conversation
    responses: Responses
    layout: TrackLayout
    bill: Bill
    is_over: bool
    sound: SoundFacts | None = None
    taken: set[str] = field(default_factory=set)
    collided: bool = False
    """Whether an id came twice."""

    @property
    def root_id(self) -> str:
        return stable_id("span", self.session.id, "session")

    def id(self, *names: object) -> str:
        """From the provider's ids; should one come twice, its place in the order tells them apart."""
        found = stable_id("span", self.session.id, *names)
        while found in self.taken:
            self.collided = True
            found = stable_id("span", self.session.id, found)
        self.taken.add(found)
        return found

    @property
    def open_status(self) -> str:
        return "unfinished" if self.is_over else "in_progress"

    @property
    def status(self) -> str:
        """The session's."""
        if not self.is_over:
            return "live"
        if self.session.failure() is not None:
            return "failed"
        return "complete" if self.session.close is not None else "interrupted"
