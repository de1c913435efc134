"""A glance at a mediated call's sound, which is nearly all of its bytes: whole messages that surely are sound
and that every stage lets pass go on out of the memory that they were received into, without being taken
apart. Everything else is for the mediation to read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from voxgate.gateway.policies.ruling import SoundJudge
from voxgate.realtime.frames import TEXT, FrameDecoder, FrameFollower, encode_frame, find_text
from voxgate.realtime.peek import find_sound
from voxgate.recording.masks import apply_mask

logger = logging.getLogger(__name__)


class Glance:
    """One direction of a call. `judges` are asked one after the other, beginning at the side that the sound
    comes from; `write` sends it on. `decoder` holds what is not a whole message yet; the `follower` counts
    and limits messages, and needs not be fed those that go on here."""

    __slots__ = ("_decoder", "_follower", "_judges", "_masked", "_write", "stopped")

    def __init__(
        self,
        judges: Sequence[SoundJudge],
        decoder: FrameDecoder,
        follower: FrameFollower,
        write: Callable[[bytes | memoryview], None],
        *,
        masked: bool,
    ) -> None:
        self._judges = tuple(judges)
        self._decoder = decoder
        self._follower = follower
        self._write = write
        self._masked = masked
        self.stopped = False

    @property
    def missing_bytes(self) -> int:
        """Of the message that has to be read before the next can be glanced at; 0 if that is not known."""
        return 0 if self.stopped else self._decoder.missing_bytes

    def pass_sound(self, data: bytes | memoryview) -> int:
        """Sends on what may go on; how many of the bytes, from their beginning, that was."""
        at = unsent = 0
        if self.stopped or not self._decoder.idle:
            return 0
        while (frame := find_text(data, at)) is not None:
            mask, begin, end = frame
            text = apply_mask(data[begin:end], mask) if mask else bytes(data[begin:end])
            said = self._judge(text)
            if said is None or end - begin > self._follower.largest_message:
                break
            if said is not text:
                self._write(data[unsent:at])
                self._write(encode_frame(TEXT, said, masked=self._masked, mask_with=apply_mask))
                unsent = end
            self._follower.messages += 1
            at = end
        self._write(data[unsent:at])
        return at

    def _judge(self, text: bytes) -> bytes | None:
        """What goes on in its place; None if that cannot be said at a glance."""
        sound = find_sound(text)
        if sound is None:
            return None
        kind, size = sound
        try:
            for judge in self._judges:
                said = judge(text, kind, size)
                if said is None:
                    return None
                text = said
        except Exception:  # a fault of ours: the stages have to say, and the call ends if they fail too
            logger.exception("sound could not be judged at a glance")
            return None
        return text
