"""One POST of trace data to an OTLP endpoint: bytes in, what became of them out. It never raises for what the
network or the endpoint does, and does not try again: whoever asks decides that.
"""

from __future__ import annotations

import gzip
import http.client
import logging
import ssl
from dataclasses import dataclass
from typing import Final, Literal
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from voxgate import __version__
from voxgate.core.retries import retry_after_seconds
from voxgate.export.target import OtlpTarget

_LATER: Final = frozenset({429, 502, 503, 504})
"""The statuses after which a client shall try again (OTLP specification, OTLP/HTTP Response)."""
_ANSWER_BYTES: Final = 64 << 10
_SHOWN: Final = 300

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """`sent`; `later`: try the same again, after `wait_seconds` if the endpoint said so; `refused`: it would
    be refused again. `rejected` spans the endpoint did not take out of what it took."""

    what: Literal["sent", "later", "refused"]
    message: str = ""
    wait_seconds: float | None = None
    rejected: int = 0


class _NoRedirects(HTTPRedirectHandler):
    """They would turn a POST into a GET."""

    def redirect_request(self, *_: object) -> None:
        return None


class OtlpSender:
    def __init__(self, target: OtlpTarget) -> None:
        self._target = target
        self._opener = _opener(target.tls_context())

    def send(self, body: bytes) -> Outcome:
        try:
            with self._opener.open(self._request(body), timeout=self._target.timeout_seconds) as answer:
                return _accepted(answer.read(_ANSWER_BYTES))
        except HTTPError as error:
            with error:
                return _declined(error)
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            return Outcome("later", f"{self._target.url} does not answer: {reason}")

    def _request(self, body: bytes) -> Request:
        headers = {
            **self._target.headers,
            "content-type": "application/x-protobuf",
            "user-agent": f"voxgate/{__version__}",
        }
        if self._target.gzip:
            body, headers["content-encoding"] = gzip.compress(body, 5), "gzip"
        return Request(self._target.url, body, headers, method="POST")  # noqa: S310 - checked by `target`


def _opener(tls: ssl.SSLContext | None) -> OpenerDirector:
    return build_opener(_NoRedirects, *([HTTPSHandler(context=tls)] if tls else []))


def _accepted(data: bytes) -> Outcome:
    """An answer that is no protobuf, as of some backends, says nothing of parts."""
    try:
        partial = ExportTraceServiceResponse.FromString(data).partial_success
    except DecodeError:
        return Outcome("sent")
    return Outcome("sent", partial.error_message[:_SHOWN], rejected=max(0, partial.rejected_spans))


def _declined(error: HTTPError) -> Outcome:
    try:
        text = error.read(_ANSWER_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        text = ""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]
    message = f"{error.code} {error.reason}" + (f": {shown}" if shown else "")
    if error.code in _LATER:
        return Outcome("later", message, retry_after_seconds(error.headers.get("retry-after")))
    return Outcome("refused", message)
