"""What a stage of a mediated call says about a message, and what a stage is.

client ⇄ stage ⇄ stage ⇄ … ⇄ provider
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from voxgate.core.errors import VoxgateError
from voxgate.realtime.peek import SOUND_KINDS


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


SoundCount = Callable[[int], bool]
"""Told how many bytes of sound, of one message or several, are to go on. False if that takes a closer look,
and then nothing has been counted. True only where the judge would let each of these messages go on. It does
no more than that: it reads and writes no socket and no log."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What becomes of messages that surely are sound and nothing else, whatever they say beside their type:
    for the types in `names` the type that it goes on with, all else unchanged, as the judge would have it.
    Nothing is remembered of it but what `count` counts."""

    names: Mapping[bytes, bytes]
    count: SoundCount | None = None


UNCHANGED: Final[Mapping[bytes, bytes]] = {kind: kind for kind in SOUND_KINDS}

Foresight = Callable[[], Foreseen | None]
"""None where every message has to be judged. What is said holds until a message of the call, in either
direction, is next read instead of glanced at; then it is asked for anew. So it must not depend on what
changes otherwise, such as the time or other calls; `count` may."""


class Stage(Protocol):
    """One rule or translation of one call. It never waits, and never raises whatever the bytes are."""

    @property
    def sound_to_provider(self) -> SoundJudge | None:
        """None where sound always goes on as it is."""

    @property
    def sound_to_client(self) -> SoundJudge | None:
        """Likewise."""

    @property
    def foresee_to_provider(self) -> Foresight | None:
        """What the judge of sound would say, in advance; None if that can never be said."""

    @property
    def foresee_to_client(self) -> Foresight | None:
        """Likewise."""

    def opening(self) -> Ruling:
        """Messages of the gateway's own when the call begins: `forward` to the provider."""

    def to_provider(self, text: bytes) -> Ruling:
        """Of a client's message. One that may pass as it is goes on as the same object."""

    def to_client(self, text: bytes) -> Ruling:
        """Of a provider's message, likewise."""
