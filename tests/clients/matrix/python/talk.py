"""What every program of the matrix says in its call, and its account of what the client surfaced.

Runs in the environments of the clients, and needs nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCENARIO = json.loads((Path(__file__).parent.parent / "javascript" / "scenario.json").read_text())
COUNT: str = SCENARIO["count"]
INSTRUCTIONS: str = SCENARIO["instructions"]
FORECAST: str = SCENARIO["forecast"]
GET_WEATHER: dict[str, Any] = SCENARIO["tool"]
TRANSCRIPTION: dict[str, Any] = SCENARIO["transcription"]
VAD: dict[str, Any] = SCENARIO["turn_detection"]
SETTINGS: dict[str, Any] = SCENARIO["session"]
"""The session that the programs ask for, in the words of either dialect."""
RATE = 24_000
APPEND_BYTES = RATE * 2 // 10
SILENCE = bytes(RATE * 2)
STEP_SECONDS = 40.0
HEARD = "conversation.item.input_audio_transcription.completed"
MARK = "ACCOUNT "


@dataclass(frozen=True)
class Order:
    """Where to call, with which key, and whether to say all or only the first sentence."""

    url: str = field(default_factory=lambda: os.environ["CLIENT_URL"])
    key: str = field(default_factory=lambda: os.environ["CLIENT_KEY"])
    model: str = field(default_factory=lambda: os.environ["CLIENT_MODEL"])
    whole: bool = field(default_factory=lambda: os.environ["CLIENT_SAYS"] == "all")

    @property
    def ws_url(self) -> str:
        """Ends in `/v1/realtime`."""
        return self.url.replace("http", "ws", 1) + "/realtime"

    @property
    def speech(self) -> bytes:
        """A spoken question and a second of silence: PCM at 24 kHz."""
        return Path(os.environ["CLIENT_SPEECH"]).read_bytes() + SILENCE

    @property
    def variant(self) -> str:
        return sys.argv[1] if len(sys.argv) > 1 else ""


@dataclass
class Account:
    """What a client surfaced. A list that is None is of a kind that this client does not surface."""

    session: dict[str, Any] | None = None
    events: list[list[str]] | None = None
    """Type and id of each server event."""
    heard: list[str] | None = None
    """The transcripts of what the user said."""
    tools: list[dict[str, Any]] = field(default_factory=list)
    """Name, arguments, call_id."""
    sound: list[bytes] = field(default_factory=list)
    """Of each response that has any, in order; likewise the words."""
    words: list[str] = field(default_factory=list)
    errors: list[Any] = field(default_factory=list)
    failure: str | None = None
    """Why the program did not come to its end."""

    def take(self, event: dict[str, Any]) -> None:
        """Notes a server event of either dialect and all that it brings."""
        self.note(event)
        kind = event["type"].replace("output_audio", "audio")
        if kind == "response.created":
            self.sound.append(b"")
        elif kind == "response.audio.delta":
            self.sound[-1] += base64.b64decode(event["delta"])
        elif kind == "response.audio_transcript.done":
            self.words.append(event["transcript"])
        elif kind == HEARD:
            self.heard = [*(self.heard or []), event["transcript"]]
        elif kind == "response.done":
            self._take_calls(event["response"].get("output") or [])

    def note(self, event: dict[str, Any]) -> None:
        """Notes that a server event came, where the client has words of its own for what it brings."""
        if self.events is not None:
            self.events.append([event["type"], event["event_id"]])
        if event["type"] in ("session.created", "session.updated"):
            self.session = event["session"]
        elif event["type"] == "error":
            self.errors.append(event["error"])

    def _take_calls(self, output: list[dict[str, Any]]) -> None:
        for item in output:
            if item["type"] == "function_call":
                self.tools.append({name: item[name] for name in ("name", "arguments", "call_id")})

    def to_json(self) -> dict[str, Any]:
        sound = [{"bytes": len(pcm), "sha256": hashlib.sha256(pcm).hexdigest()} for pcm in self.sound if pcm]
        return {**self.__dict__, "sound": sound}

    def failed(self) -> None:
        """Notes the exception that is being handled: how far the program came is in the account."""
        self.failure = traceback.format_exc()

    def give(self) -> None:
        """Says it to the one who started the program."""
        print(MARK + json.dumps(self.to_json()), flush=True)


class Happenings:
    """What happened in a call, to be waited for by a program whose client tells it by itself."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._waiting: asyncio.Queue[str] = asyncio.Queue()

    def tell(self, what: str) -> None:
        self._waiting.put_nowait(what)

    async def until(self, *wanted: str) -> None:
        """Waits until each has happened since the last time that something was waited for."""
        missing = list(wanted)
        while missing:
            try:
                what = await asyncio.wait_for(self._waiting.get(), STEP_SECONDS)
            except TimeoutError:
                raise RuntimeError(f"no {missing} came") from None
            if what in missing:
                missing.remove(what)
            if self._account.errors:
                raise RuntimeError(self._account.errors)


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def forecast(call_id: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": FORECAST}


def pieces(pcm: bytes) -> list[bytes]:
    """Of 100 ms."""
    return [pcm[start : start + APPEND_BYTES] for start in range(0, len(pcm), APPEND_BYTES)]
