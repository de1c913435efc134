"""A stand-in for whoever transcribes: an HTTP server on loopback that takes `POST /v1/audio/transcriptions`
apart as a real one does, keeps what came, and answers what a test wants.
"""

from __future__ import annotations

import email.parser
import email.policy
import io
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from tests.answering import Answering
from tests.answering import Reply as Reply

KEY = "sk-words-1234567890"


@dataclass
class Asked:
    """One request: its fields, its key, and the samples of its file."""

    path: str
    headers: dict[str, str]
    fields: dict[str, str]
    file_name: str
    rate: int
    samples: bytes

    @property
    def seconds(self) -> float:
        return len(self.samples) / 2 / self.rate


def words_by_length(asked: Asked) -> Reply:
    """What was said is how long it took."""
    body = {
        "text": f" said in {asked.seconds * 1000:.0f} ms ",
        "usage": {"type": "duration", "seconds": asked.seconds},
    }
    return Reply(body=body)


class Transcribing(Answering[Asked]):
    def __init__(self, port: int = 0) -> None:
        super().__init__(read, words_by_length, port)


def read(request: BaseHTTPRequestHandler) -> Asked:
    body = request.rfile.read(int(request.headers["content-length"]))
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields, file_name, sound = dict[str, str](), "", b""
    for part in parts.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        if name == "file":
            file_name, sound = part.get_filename() or "", data
        else:
            fields[name] = data.decode()
    headers = {name.lower(): value for name, value in request.headers.items()}
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = file.readframes(file.getnframes())
        assert len(samples) == file.getnframes() * 2
        return Asked(request.path, headers, fields, file_name, file.getframerate(), samples)


@contextmanager
def transcribing_server() -> Iterator[Transcribing]:
    server = Transcribing()
    try:
        yield server
    finally:
        server.close()
