"""A wire folder, a store and blobs, a recorder that works on them, and calls written down as scripts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.databases import new_database
from tests.traces.calls import OPENED, b64

from voxgate.jobs.recorder import Recorder
from voxgate.realtime.frames import TEXT, encode_frame
from voxgate.recording.reading import OpenSound
from voxgate.recording.spool import Spool, WireLog
from voxgate.recording.wirelog import CLIENT, SERVER, wire_logs
from voxgate.store import FolderBlobs, Store

SECONDS = 60.0


def wait_for(condition: Callable[[], Any], step: Callable[[], Any] = lambda: None) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        step()
        time.sleep(0.005)
    return found


class Bench:
    """A wire folder, a store and blobs, and recorders that work on them."""

    def __init__(self, folder: Path) -> None:
        self.wire = folder / "wire"
        self.store = Store(new_database(folder))
        self.blobs = FolderBlobs(folder / "blobs")
        self.recorder = self.new_recorder()
        self.writers: list[Spool] = []

    def new_recorder(self, **parts: Any) -> Recorder:
        return Recorder(
            **{"wire_dir": self.wire, "store": self.store, "blobs": self.blobs, "poll_ms": 5, **parts}
        )

    def writer(self, worker_id: str = "worker_1") -> Spool:
        self.writers.append(Spool(self.wire, worker_id))
        return self.writers[-1]

    def session(self, session_id: str) -> dict[str, Any] | None:
        return self.store.get_session(session_id)

    def record_until(self, session_id: str, status: str) -> dict[str, Any]:
        def arrived() -> bool:
            row = self.session(session_id)
            return row is not None and row["status"] == status

        def step() -> None:
            for spool in self.writers:
                spool.arm()  # a writer that was not ready for all that it was told hears it now
            self.recorder.step()

        wait_for(arrived, step)
        row = self.session(session_id)
        assert row is not None
        return row

    def finish(self) -> None:
        """Until every log is worked off."""
        wait_for(lambda: not wire_logs(self.wire), self.recorder.step)

    def sound(self, session_id: str, name: str) -> np.ndarray:
        with OpenSound(self.blobs, f"sessions/{session_id}", name) as sound:
            samples = np.frombuffer(sound.read(0, sound.size), "<i2")
            assert len(samples) * 2 == sound.size
            return samples.reshape(-1, 2) if sound.channels == 2 else samples

    def blob(self, session_id: str, name: str) -> bytes:
        with self.blobs.open(f"sessions/{session_id}/{name}") as file:
            return file.read()


def say(log: WireLog, kind: int, **message: Any) -> None:
    log.append(kind, encode_frame(TEXT, json.dumps(message).encode(), masked=kind == CLIENT))


def begin(writer: Spool, session_id: str, input_format: str = "audio/pcm") -> WireLog:
    log = writer.open(session_id)
    log.fact({**OPENED, "session_id": session_id})
    formats = {"input": {"format": {"type": input_format}}, "output": {"format": {"type": input_format}}}
    say(log, SERVER, type="session.created", session={"id": "s", "model": "gpt-realtime", "audio": formats})
    return log


def talk(log: WireLog, user: bytes, assistant: bytes, response_id: str = "resp_1") -> None:
    for at in range(0, len(user), 4801):
        say(log, CLIENT, type="input_audio_buffer.append", audio=b64(user[at : at + 4801]))
    say(log, CLIENT, type="input_audio_buffer.commit")
    say(log, SERVER, type="input_audio_buffer.committed", item_id=f"u_{response_id}")
    say(log, SERVER, type="response.created", response={"id": response_id})
    names = {"response_id": response_id, "item_id": f"a_{response_id}"}
    for at in range(0, len(assistant), 3001):
        say(log, SERVER, type="response.output_audio.delta", delta=b64(assistant[at : at + 3001]), **names)
    say(log, SERVER, type="response.done", response={"id": response_id, "status": "completed"})


def end(log: WireLog) -> None:
    log.close(1000, "", "client")
