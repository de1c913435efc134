"""Stretches of a stored track as WAV files, none of them too long for those who take files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from voxgate.audio.clips import LONGEST_SECONDS, Clip, clip_of, quiet_place
from voxgate.audio.pcm import SAMPLE_BYTES
from voxgate.recording.tracks import open_track
from voxgate.recording.unwritten import Utterance
from voxgate.store import Blobs


def clips_of(blobs: Blobs, prefix: str, utterance: Utterance) -> Iterator[Clip]:
    """One of each piece. NotFound when the sound is gone, DamagedRecording when it cannot be read."""
    with closing(open_track(blobs, prefix, "user", utterance.rate)) as track:
        at, longest = utterance.start, LONGEST_SECONDS * utterance.rate * SAMPLE_BYTES
        while at < utterance.end:
            data = track.read(at, min(at + longest, utterance.end))
            if not data:
                return
            if at + len(data) < utterance.end:
                data = data[: quiet_place(data, utterance.rate)]
            at += len(data)
            yield clip_of(data, utterance.rate)
