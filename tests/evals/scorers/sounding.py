"""Calls whose sound was made by hand, for scorers that listen."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxgate.evals.session import Session
from voxgate.evals.sound import Track

Wave = NDArray[np.floating[Any]]


class Sounding:
    """Both lanes on the call's clock; `silent` are tracks that were not recorded at all."""

    def __init__(self, user: Wave, assistant: Wave, rate: int, silent: tuple[Track, ...] = ()) -> None:
        self._rate, self._silent = rate, silent
        longest = max(len(user), len(assistant))
        lanes = [np.pad(one, (0, longest - len(one))) for one in (user, assistant)]
        self._tracks = {
            "user": lanes[0],
            "assistant": lanes[1],
            "heard": lanes[1],
            "mix": np.column_stack(lanes),
        }

    def audio(self, session_id: str, track: Track) -> Iterator[bytes]:
        if track in self._silent:
            return
        file = BytesIO()
        soundfile.write(file, self._tracks[track], self._rate, format="WAV", subtype="FLOAT")
        yield file.getvalue()

    def events(self, session_id: str) -> Iterator[dict[str, Any]]:
        return iter(())


def call(
    user: Wave | None = None,
    assistant: Wave | None = None,
    rate: int = 24_000,
    *,
    silent: tuple[Track, ...] = (),
    turns: tuple[tuple[float, float], ...] = (),
) -> Session:
    """`turns` are from and to in ms; each has an answer `a0`, `a1` … that sounds all the time."""
    nothing = np.zeros(0, np.float32)
    user, assistant = (nothing if lane is None else lane for lane in (user, assistant))
    duration_ms = max(len(user), len(assistant)) * 1000 / rate
    spans: list[dict[str, Any]] = []
    for number, (start, end) in enumerate(turns):
        times = {"start_ms": start, "end_ms": end, "status": "completed"}
        spans.append({"id": f"t{number}", "parent_id": None, "type": "turn", **times})
        heard = {"audio_generated_ms": end - start, "audio_heard_ms": end - start}
        said = {"transcript": f"words {number}", "play_start_ms": start}
        answer = {"id": f"a{number}", "parent_id": f"t{number}", "type": "response", **times}
        spans.append({**answer, "output": said, "metrics": heard, "attachments": []})
    trace = {"id": "sess_1", "duration_ms": duration_ms, "spans": spans}
    return Session(trace, Sounding(user, assistant, rate, silent))
