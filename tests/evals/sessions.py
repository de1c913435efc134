"""Calls that scorers are tried on: hand-made ones whose every figure is known, and those of the snapshots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.traces.calls import Call, pcm
from voxgate.evals.session import Session
from voxgate.evals.sound import Track

SNAPSHOTS = sorted((Path(__file__).parent.parent / "traces/snapshots").glob("*.json"))


class FakeSource:
    """Tracks as arrays at 24 kHz; counts how often each is fetched."""

    def __init__(self, **tracks: np.ndarray) -> None:
        self.tracks = tracks
        self.fetched: list[str] = []

    def audio(self, session_id: str, track: Track) -> Iterator[bytes]:
        self.fetched.append(track)
        if track not in self.tracks:
            return
        file = BytesIO()
        soundfile.write(file, self.tracks[track], 24_000, format="WAV", subtype="PCM_16")
        yield file.getvalue()

    def events(self, session_id: str) -> Iterator[dict[str, Any]]:
        yield {"t": 0, "dir": "gateway", "msg": {"type": "gateway.opened"}}


def weather_call() -> Call:
    """Two turns: a spoken question that takes a tool, then a written one whose long answer is cut after 1 s
    of 4, while a second tool never answers."""
    call = Call().session()
    call.append(500, pcm(1400)).speech("item_u", 1000, 2000, audio=(0, 1000))
    call.transcript(2050, "item_u", "What is the weather in Paris?")
    call.created(2100, "resp_1").call_tool(2150, "resp_1", "call_1", "get_weather", '{"city": "Paris"}')
    call.done(2200, "resp_1").tool_result(2500, "call_1", '{"sky": "cloudy"}')
    call.client(2500, "response.create").created(2600, "resp_2")
    call.words(2650, "resp_2", "item_a", "It is cloudy in Paris.")
    call.audio(2700, "resp_2", "item_a", pcm(1000)).done(2800, "resp_2")
    call.user_text(5000, "Tell me a story.", id="item_t").client(5000, "response.create")
    call.created(5100, "resp_3").words(5150, "resp_3", "item_b", "One day a model lived in a box")
    call.audio(5200, "resp_3", "item_b", pcm(4000))
    call.call_tool(5300, "resp_3", "call_2", "find_story", "not json").done(5400, "resp_3")
    call.client(6200, "conversation.item.truncate", item_id="item_b", content_index=0, audio_end_ms=1000)
    return call.close(9000)


def session_of(call: Call, source: Any = None) -> Session:
    return Session(call.trace().to_json(), source)


def weather_session(source: Any = None) -> Session:
    return session_of(weather_call(), source)


def snapshot_sessions() -> list[Session]:
    return [Session(json.loads(path.read_text())) for path in SNAPSHOTS]
