"""A stand-in for whoever transcribes: an HTTP server on loopback that takes `POST /v1/audio/transcriptions`
apart as a real one does, keeps what came, and answers what a test wants.
"""

from __future__ import annotations

import email.parser
import email.policy
import io
import json
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def words_by_length(asked: Asked) -> Reply:
    """What was said is how long it took."""
    body = {
        "text": f" said in {asked.seconds * 1000:.0f} ms ",
        "usage": {"type": "duration", "seconds": asked.seconds},
    }
    return Reply(body=body)


class Transcribing:
    """`answer` says what becomes of each request; it may be changed at any time."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Reply] = words_by_length
        self.hold = threading.Event()
        """Cleared: requests wait."""
        self.hold.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        transcribing = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = read(self)
                transcribing.asked.append(asked)
                transcribing.hold.wait(60)
                reply = transcribing.answer(asked)
                data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                try:
                    self.send_response(reply.status)
                    for name, value in {"content-length": str(len(data)), **reply.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # who asked is gone

            def log_message(self, *_: object) -> None:
                pass

        return Handler


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
