"""What a stage of a mediated call says about a message, and what a stage is.

client ⇄ stage ⇄ stage ⇄ … ⇄ provider
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from voxgate.core.errors import VoxgateError


@dataclass(frozen=True, slots=True)
class Ruling:
    """Messages as JSON text: `forward` goes on the way that the message travelled, `back` returns to its
    sender, and `end`, if there is one, ends the call after both."""

    forward: tuple[bytes, ...] = ()
    back: tuple[bytes, ...] = ()
    end: VoxgateError | None = None
    later: Awaitable[Ruling] | None = None
    """Of a client's message, where it takes an answer from elsewhere: what is said of it then, in place of
    all the above. What the client sends behind it waits."""
    overdue: Callable[[], VoxgateError | None] | None = None
    """With an opening: asked when the provider has had the time to answer it, whether to end the call."""


NOTHING = Ruling()


SoundJudge = Callable[[bytes, bytes, int], bytes | None]
"""Of a message that surely is sound and nothing else: its text, its type, and how many bytes of sound. What
goes on in its place, mostly the same object; None if that takes more than a glance, and then nothing of it
has been taken into account yet."""


class Stage(Protocol):
    """One rule or translation of one call. It never waits, and never raises whatever the bytes are."""

    @property
    def sound_to_provider(self) -> SoundJudge | None:
        """None where sound always goes on as it is."""

    @property
    def sound_to_client(self) -> SoundJudge | None:
        """Likewise."""

    def opening(self) -> Ruling:
        """Messages of the gateway's own when the call begins: `forward` to the provider."""

    def to_provider(self, text: bytes) -> Ruling:
        """Of a client's message. One that may pass as it is goes on as the same object."""

    def to_client(self, text: bytes) -> Ruling:
        """Of a provider's message, likewise."""
