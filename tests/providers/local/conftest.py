"""The embedded provider, running for real in a thread, and callers that check every event they get."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pybase64
import pytest
import soundfile
from jsonschema import Draft202012Validator
from websockets.sync.client import connect

from voxgate.providers.local.server import serve_local
from voxgate.providers.local.settings import LocalSettings

Event = dict[str, Any]
Check = Callable[[Event], Event]


@pytest.fixture(scope="session")
def valid(shared: Path) -> Check:
    """Returns the event if it has the shape that the official SDK gives to events of its type."""
    path = shared / "fixtures/realtime/event-shapes/ga-server-events.schema.json"
    schema = json.loads(path.read_text())
    validators = {
        name: Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]})
        for definition, body in schema["$defs"].items()
        if (name := body.get("properties", {}).get("type", {}).get("const"))
        and "event_id" in body["properties"]
    }

    def check(event: Event) -> Event:
        validators[event["type"]].validate(event)
        return event

    return check


def types_of(events: list[Event]) -> list[str]:
    names: dict[tuple[str, str], str] = {}
    for index, event in enumerate(events):
        name = event["type"]
        names.setdefault((name, event["item_id"] if name.endswith(".delta") else str(index)), name)
    return list(names.values())


class Server:
    """`serve_local` in a thread with a loop of its own."""

    def __init__(self, settings: LocalSettings, api_key: str | None = None) -> None:
        self._ready = threading.Event()
        self.port = 0
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(settings, api_key))
        self._thread.start()
        assert self._ready.wait(60), "the server did not start"

    def _run(self, settings: LocalSettings, api_key: str | None) -> None:
        async def main() -> None:
            self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
            await serve_local(settings=settings, api_key=api_key, stop=self._stop, ready=self._is_ready)

        asyncio.run(main())

    def _is_ready(self, port: int) -> None:
        self.port = port
        self._ready.set()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive(), "the server did not stop"


class Caller:
    """A client: sends events, and gathers what comes until an event of a certain type."""

    def __init__(self, url: str, valid: Check, **options: Any) -> None:
        self._stack = ExitStack()
        self.socket = self._stack.enter_context(connect(url, max_size=None, compression=None, **options))
        self._valid = valid
        self.seen: list[Event] = []

    def close(self) -> None:
        self._stack.close()

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **fields}))

    def until(self, *kinds: str) -> Event:
        while True:
            event = self._valid(json.loads(self.socket.recv(timeout=90)))
            self.seen.append(event)
            if event["type"] in kinds:
                return event
            assert event["type"] != "error" or "error" in kinds, event

    def update(self, **session: Any) -> Event:
        self.send("session.update", session={"type": "realtime", **session})
        return self.until("session.updated")

    def append(self, audio: bytes, chunk: int = 9600) -> None:
        for start in range(0, len(audio), chunk):
            encoded = pybase64.b64encode(audio[start : start + chunk]).decode()
            self.send("input_audio_buffer.append", audio=encoded)

    def write(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    def types(self) -> list[str]:
        """The order of what came; of the deltas of one kind in one item only the first."""
        return types_of(self.seen)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.seen if event["type"] == kind]

    def audio(self) -> bytes:
        return b"".join(pybase64.b64decode(e["delta"]) for e in self.of("response.output_audio.delta"))


@pytest.fixture(scope="session")
def local_server() -> Iterator[Server]:
    pytest.importorskip("faster_whisper", reason="needs the extra voxgate[local]")
    server = Server(LocalSettings(seed=7, output_pace=12))
    yield server
    server.close()


@pytest.fixture
def caller(local_server: Server, valid: Check) -> Iterator[Caller]:
    caller = Caller(f"ws://127.0.0.1:{local_server.port}/v1/realtime?model=local", valid)
    caller.until("session.created")
    yield caller
    caller.close()


@pytest.fixture(scope="session")
def question(shared: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Someone asks "What is the weather in Paris?": 24 kHz, with a second of silence after it."""
    samples, rate = soundfile.read(shared / "fixtures/speech/weather_question.wav", dtype="int16")
    assert rate == 24_000
    return np.concatenate([samples, np.zeros(24_000, np.int16)])
