"""A recorded call as a provider for the tests of a voice application: no server, no key, no network.

    async with replaying("call.jsonl") as replay:
        client = AsyncOpenAI(base_url=replay.base_url, api_key=replay.key)
        async with client.realtime.connect(model="anything") as connection:
            …
    replay.assert_played()

The file is an event log as `GET /api/sessions/{id}/events` gives it. `voxgate.testing.fixtures` has the same
for pytest, also for tests without an event loop of their own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from voxgate.evals.playback.loading import LogFile
from voxgate.evals.playback.matching import Matching
from voxgate.evals.playback.player import Player
from voxgate.evals.playback.server import Playback

_KEY = "sk-replay"
"""Any other does as well: it is not looked at."""
_START_SECONDS = 60


@dataclass(slots=True)
class Replay:
    """Where to connect, and what became of the calls. Each call plays the recording from its beginning."""

    base_url: str
    """For an SDK: `http://127.0.0.1:PORT/v1`."""
    key: str
    calls: list[Player] = field(default_factory=list)

    @property
    def url(self) -> str:
        """For a bare WebSocket; the model is not looked at, but there must be one."""
        return f"{self.base_url.replace('http', 'ws', 1)}/realtime?model=replay"

    @property
    def diverged(self) -> list[str]:
        """What the clients did that the recording has no answer to."""
        return [told for call in self.calls for told in call.diverged]

    @property
    def missing(self) -> list[str]:
        """What the last call would have had to do to hear the rest of the recording."""
        return self.calls[-1].missing if self.calls else ["a call"]

    def assert_played(self) -> None:
        """AssertionError unless the last call did all that the recorded client did, and no other."""
        # Raised by hand: pytest would show both lists once more below the sentence.
        if self.diverged:
            raise AssertionError("\n".join(self.diverged))
        if self.missing:
            raise AssertionError(f"The recording still waits for: {'; '.join(self.missing)}")


@asynccontextmanager
async def replaying(
    recording: str | PathLike[str], *, speed: float | None = None, matching: Matching = "strict"
) -> AsyncIterator[Replay]:
    """`speed` 1 has the recorded pauses, 2 half of them; None has none."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    playback = _playback(recording, speed, matching)
    serving = asyncio.create_task(playback.serve(stop, ready.set_result))
    serving.add_done_callback(lambda _: ready.cancel())
    replay = Replay(f"http://127.0.0.1:{await ready}/v1", _KEY)
    playback.on_call = replay.calls.append
    try:
        yield replay
    finally:
        stop.set()
        await serving


@contextmanager
def replaying_in_thread(
    recording: str | PathLike[str], *, speed: float | None = None, matching: Matching = "strict"
) -> Iterator[Replay]:
    """The same for programs without an event loop."""
    started: list[tuple[Replay, asyncio.AbstractEventLoop, asyncio.Event]] = []
    is_started = threading.Event()

    async def serve() -> None:
        stop = asyncio.Event()
        async with replaying(recording, speed=speed, matching=matching) as replay:
            started.append((replay, asyncio.get_running_loop(), stop))
            is_started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="replay", daemon=True)
    thread.start()
    if not is_started.wait(_START_SECONDS):
        raise RuntimeError("The replay could not be started.")
    replay, loop, stop = started[0]
    try:
        yield replay
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def _playback(recording: str | PathLike[str], speed: float | None, matching: Matching) -> Playback:
    path = Path(recording)
    if not path.is_file():
        raise FileNotFoundError(f"There is no recording {path}.")
    return Playback(LogFile(path), speed=speed, matching=matching)
