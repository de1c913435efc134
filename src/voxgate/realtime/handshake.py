"""The opening handshake of a WebSocket (RFC 6455 section 4) as bytes, for both sides of the relay: the
client's request is read, the provider's is written, and what carries a key is found and taken out.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

Headers = Sequence[tuple[str, str]]

KEY_SUBPROTOCOL: Final = "openai-insecure-api-key."
REALTIME_SUBPROTOCOL: Final = "realtime"
BETA_SUBPROTOCOL: Final = "openai-beta.realtime-v1"
BETA_VALUE: Final = "realtime=v1"
SECRET_HEADERS: Final = frozenset(
    {"authorization", "api-key", "x-api-key", "cookie", "proxy-authorization", "sec-websocket-key"}
)
SECRET_QUERY: Final = frozenset(
    {"api-key", "api_key", "apikey", "key", "access_token", "token", "secret", "password", "authorization"}
)
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class BadHandshake(Exception):
    """The bytes are no acceptable handshake; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """A client's upgrade request. Header names are lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def parameter(self, name: str) -> str | None:
        return next((value for key, value in self.query if key == name), None)

    @property
    def subprotocols(self) -> list[str]:
        offered = ",".join(value for key, value in self.headers if key == "sec-websocket-protocol")
        return [token.strip() for token in offered.split(",") if token.strip()]

    @property
    def key(self) -> str | None:
        """The caller's key, from whichever place carries it: header first, then subprotocol, then query."""
        scheme, _, bearer = (self.header("authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and bearer.strip():
            return bearer.strip()
        if plain := self.header("api-key") or self.header("x-api-key"):
            return plain
        for token in self.subprotocols:
            if token.startswith(KEY_SUBPROTOCOL):
                return token.removeprefix(KEY_SUBPROTOCOL)
        return self.parameter("api-key")

    @property
    def is_beta(self) -> bool:
        """Whether the client asks for the beta protocol (realtime-protocol 2.6): by the header's value, since
        other beta headers exist, or by the subprotocol."""
        return BETA_VALUE in (self.header("openai-beta") or "") or BETA_SUBPROTOCOL in self.subprotocols

    @property
    def models(self) -> list[str]:
        """All models that the query names, in the spellings of OpenAI and Azure; normally one or none."""
        named = [value for key, value in self.query if key.lower() in {"model", "deployment"} and value]
        return list(dict.fromkeys(named))

    @property
    def chosen_subprotocol(self) -> str | None:
        """What our 101 selects: a browser that offered subprotocols fails when none comes back."""
        offered = self.subprotocols
        return REALTIME_SUBPROTOCOL if REALTIME_SUBPROTOCOL in offered else None

    def public_headers(self) -> list[list[str]]:
        """The headers without secrets, for the record of the call."""
        return [[name, self._public_value(name, value)] for name, value in self.headers]

    def _public_value(self, name: str, value: str) -> str:
        if name in SECRET_HEADERS:
            return "[redacted]"
        if name != "sec-websocket-protocol":
            return value
        return ", ".join(
            f"{KEY_SUBPROTOCOL}[redacted]" if token.startswith(KEY_SUBPROTOCOL) else token
            for token in self.subprotocols
        )

    def public_query(self) -> str:
        return urlencode([(key, value) for key, value in self.query if key.lower() not in SECRET_QUERY])


def parse_request(head: bytes) -> Request:
    """The request of an upgrade, head only (up to and with the empty line). BadHandshake if it is wrong."""
    first, headers = _parse_head(head)
    method, _, rest = first.partition(" ")
    target, _, version = rest.rpartition(" ")
    if method != "GET" or version != "HTTP/1.1":
        raise BadHandshake("A WebSocket opens with GET and HTTP/1.1.")
    try:
        split = urlsplit(target)
    except ValueError as error:
        raise BadHandshake(f"The request's target is malformed: {error}.") from error
    query = tuple(parse_qsl(split.query, keep_blank_values=True))
    request = Request(method, split.path, query, tuple(headers))
    if not request.header("sec-websocket-key"):
        raise BadHandshake("The header Sec-WebSocket-Key is missing.")
    if request.header("sec-websocket-version") != "13":
        raise BadHandshake("Only version 13 of the WebSocket protocol is supported.")
    return request


def accept_answer(request: Request, extra: Headers = ()) -> bytes:
    """Our 101. Extensions are never accepted, so that both legs carry plain frames."""
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(request.header("sec-websocket-key") or "")),
    ]
    if request.chosen_subprotocol:
        headers.append(("Sec-WebSocket-Protocol", request.chosen_subprotocol))
    return _write_head("HTTP/1.1 101 Switching Protocols", [*headers, *extra])


def accept_key(key: str) -> str:
    digest = hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def new_key() -> str:
    return base64.b64encode(os.urandom(16)).decode()


def upgrade_request(host: str, target: str, key: str, headers: Headers) -> bytes:
    """The request that we send to a provider; it offers no extension and no subprotocol."""
    own = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
    ]
    return _write_head(f"GET {target} HTTP/1.1", [*own, *headers])


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer to our upgrade request."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def check(self, key: str) -> None:
        """BadHandshake unless this is a proper 101 for `key` without extensions."""
        if self.status != 101:
            raise BadHandshake(f"The answer was {self.status} {self.reason}".rstrip() + ".")
        if self.header("sec-websocket-accept") != accept_key(key):
            raise BadHandshake("The answer's Sec-WebSocket-Accept is wrong.")
        if self.header("sec-websocket-extensions"):
            raise BadHandshake("The answer selects an extension that was not offered.")


def parse_answer(head: bytes) -> Answer:
    first, headers = _parse_head(head)
    status = re.match(r"HTTP/1\.[01] ([0-9]{3})(?: (.*))?$", first)
    if status is None:
        raise BadHandshake(f"The answer is not HTTP/1.1: {first[:80]!r}")
    return Answer(int(status[1]), status[2] or "", tuple(headers))


def _parse_head(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    lines = head.decode("latin-1").split("\r\n")
    headers = []
    for line in lines[1:]:
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or not name:
            raise BadHandshake(f"A header line is malformed: {line[:80]!r}")
        headers.append((name.lower(), value.strip()))
    return lines[0], headers


def _write_head(first: str, headers: Headers) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    if any(sign in line for line in lines for sign in "\r\n\0"):
        raise BadHandshake("A header may not contain a line break.")
    try:
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadHandshake("A header may only contain latin letters and signs (ISO 8859-1).") from error
