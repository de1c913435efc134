"""Listens to a call as it is laid out: blocks of both lanes in, what traces take of the sound out."""

from __future__ import annotations

from voxgate.audio.hearing import Heard, Hearing
from voxgate.audio.pcm import Samples
from voxgate.audio.vad import VadParameters
from voxgate.traces.sound import Lane, SoundFacts


class CallHearing:
    """Blocks are as long as each other, from the beginning of the call on."""

    def __init__(self, rate: int) -> None:
        self._parameters = VadParameters()
        self._user = Hearing(rate, self._parameters)
        self._heard = Hearing(rate, self._parameters)

    def feed(self, user: Samples, heard: Samples) -> None:
        self._user.feed(user)
        self._heard.feed(heard)

    def facts(self) -> SoundFacts:
        user, heard = _lane(self._user.finish()), _lane(self._heard.finish())
        return SoundFacts(user, heard, self._parameters.to_json())


def _lane(heard: Heard) -> Lane:
    return Lane(heard.voiced, heard.clipping, heard.snr_db, heard.loudness_lufs)
