"""A stand-in for a model's endpoint: an HTTP server on loopback that keeps what it is asked, and answers what
a test wants.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

Asked = TypeVar("Asked")


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Answering(Generic[Asked]):
    """`read` takes a request apart; `answer` says what becomes of it, and may be changed at any time."""

    def __init__(
        self,
        read: Callable[[BaseHTTPRequestHandler], Asked],
        answer: Callable[[Asked], Reply],
        port: int = 0,
    ) -> None:
        self.asked: list[Asked] = []
        self.answer = answer
        self.hold = threading.Event()
        """Cleared: requests wait."""
        self.hold.set()
        self._read = read
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
        answering = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = answering._read(self)
                answering.asked.append(asked)
                answering.hold.wait(60)
                reply = answering.answer(asked)
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
