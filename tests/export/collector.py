"""An OTLP collector for tests: an HTTP server that decodes what it is sent and answers as it is told."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    size: int
    request: ExportTraceServiceRequest
    answer: Answer


class Collector:
    """`answers` are given in their order, then 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[Answer] = deque()
        self.url = ""

    @property
    def taken(self) -> list[ResourceSpans]:
        """Of the requests that were answered with 200."""
        return [
            one for got in self.received if got.answer.status == 200 for one in got.request.resource_spans
        ]

    def sessions(self) -> list[str]:
        return [str(attributes(root_of(one))["voxgate.session.id"]) for one in self.taken]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        data = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        answer = self.answers.popleft() if self.answers else Answer()
        request = ExportTraceServiceRequest.FromString(data)
        self.received.append(Received(path, headers, len(body), request, answer))
        return answer


@contextmanager
def collecting(certificate: Path | None = None, key: Path | None = None) -> Iterator[Collector]:
    """With a certificate over TLS."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = collector.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        scheme = "https" if certificate else "http"
        collector.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        yield collector
        server.shutdown()
        thread.join()


def partial_success(rejected: int, message: str) -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


def spans_of(resource_spans: ResourceSpans) -> list[Span]:
    return [span for scope in resource_spans.scope_spans for span in scope.spans]


def root_of(resource_spans: ResourceSpans) -> Span:
    return spans_of(resource_spans)[0]


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(one) for one in value.array_value.values]
    return getattr(value, kind)


def attributes(holder: Any) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in holder.attributes}


def parsed(holder: Any, name: str) -> Any:
    return json.loads(attributes(holder)[name])
