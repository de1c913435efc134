"""Case 12. Calls of an hour: memory stays flat."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

from tests.traces.calls import Call, pcm

from voxgate.traces import Event, TraceBuilder

_SECOND = 1000
_TURN = 12 * _SECOND


def an_hour() -> Iterator[Event]:
    """Every 12 seconds a turn: two seconds of speech, then eight of an answer that comes at once. The user's
    sound comes all the time."""
    yield from Call().session().events
    answer = pcm(400)
    silence = Event(0, "client", {"type": "input_audio_buffer.append", "audio": ""}, sound=pcm(400))
    for turn in range(300):
        at = turn * _TURN
        call = Call().speech(f"u{turn}", at + 500, at + 2700).created(at + 2800, f"r{turn}")
        call.events.pop(0)
        for n in range(20):
            call.words(at + 2900 + n, f"r{turn}", f"a{turn}", "word ").audio(
                None, f"r{turn}", f"a{turn}", answer
            )
        for n in range(30):
            silence.t_ns = (at + n * 400) * 1_000_000
            yield silence
        yield from call.done(at + 4000, f"r{turn}").events


def test_an_hour_of_sound_leaves_little_behind() -> None:
    builder = TraceBuilder()
    hour = an_hour()
    for _, event in zip(range(500), hour, strict=False):
        builder.feed(event)
    tracemalloc.start()
    for event in hour:
        builder.feed(event)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert builder.layout.user.frames == 3600 * 24_000
    assert builder.layout.assistant.frames == 300 * 8 * 24_000
    assert (len(builder.layout.user.runs), len(builder.layout.assistant.runs)) == (1, 300)
    assert kept < 6 << 20  # of 280 MB of sound
    trace = builder.snapshot(live=False)
    assert trace.summary["turns"] == 300
    assert trace.data["audio_ms"] == {"in": 3_600_000, "generated": 2_400_000, "heard": 2_400_000}
