"""A stand-in for a model that judges: an HTTP server on loopback, `POST /v1/chat/completions` taken apart."""

from __future__ import annotations

import base64
import io
import json
import re
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.answering import Answering, Reply

KEY = "sk-judge-1234567890"


@dataclass
class Question:
    """One request. `fence` is what the call stands between, `inside` its lines, `outside` all other words of
    the user's message; `sounds` are the WAV files among them."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def system(self) -> str:
        return str(self.body["messages"][0]["content"])

    @property
    def parts(self) -> list[dict[str, Any]]:
        content = self.body["messages"][1]["content"]
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    @property
    def user(self) -> str:
        return "\n".join(part["text"] for part in self.parts if part["type"] == "text")

    @property
    def fence(self) -> str:
        found = re.search(r"`<(call-[0-9a-f]{16})>`", self.system)
        assert found
        return found[1]

    @property
    def inside(self) -> list[dict[str, Any]]:
        before, rest = self.user.split(f"<{self.fence}>\n", 1)
        call, after = rest.split(f"\n</{self.fence}>", 1)
        assert self.fence not in before + after + call
        return [json.loads(line) for line in call.splitlines() if line]

    @property
    def outside(self) -> str:
        before, rest = self.user.split(f"<{self.fence}>\n", 1)
        return before + rest.split(f"\n</{self.fence}>", 1)[1]

    @property
    def sounds(self) -> list[tuple[int, float]]:
        """Of each file its rate and how many ms it lasts."""
        found = []
        for part in self.parts:
            if part["type"] == "input_audio":
                assert part["input_audio"]["format"] == "wav"
                with wave.open(
                    io.BytesIO(base64.b64decode(part["input_audio"]["data"], validate=True))
                ) as file:
                    assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
                    found.append((file.getframerate(), file.getnframes() * 1000 / file.getframerate()))
        return found


def read(request: BaseHTTPRequestHandler) -> Question:
    body = json.loads(request.rfile.read(int(request.headers["content-length"])))
    return Question(request.path, {name.lower(): value for name, value in request.headers.items()}, body)


def completion(content: Any, *, finish: str = "stop", **message: Any) -> dict[str, Any]:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 50},
    }
    said = {"role": "assistant", "content": content, **message}
    return {"choices": [{"index": 0, "message": said, "finish_reason": finish}], "usage": usage}


def verdict(label: str, *cited: str, reasons: str = "Because.") -> Reply:
    answer = {"reasons": reasons, "evidence": list(cited), "verdict": label}
    return Reply(body=completion(json.dumps(answer)))


class Judging(Answering[Question]):
    def __init__(self) -> None:
        super().__init__(read, lambda _: verdict("pass"))


@contextmanager
def judging_server() -> Iterator[Judging]:
    server = Judging()
    try:
        yield server
    finally:
        server.close()
