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
from urllib.parse import parse_qsl, quote, urlsplit

Headers = Sequence[tuple[str, str]]

KEY_SUBPROTOCOL: Final = "openai-insecure-api-key."
_XAI_SUBPROTOCOL: Final = "xai-client-secret."
"""xAI's browser clients offer this one alone, key and all."""
_KEY_SUBPROTOCOLS: Final = (KEY_SUBPROTOCOL, _XAI_SUBPROTOCOL)
REALTIME_SUBPROTOCOL: Final = "realtime"
BETA_SUBPROTOCOL: Final = "openai-beta.realtime-v1"
BETA_VALUE: Final = "realtime=v1"
PUBLIC_QUERY: Final = frozenset(
    {"model", "deployment", "api-version", "intent", "call_id", "conversation_id", "temperature", "voice"}
)
"""What the Realtime APIs know: their values are no secrets. Any other parameter may be one."""
_PUBLIC_HEADER: Final = re.compile(
    r"accept(?:-encoding|-language)?|cache-control|connection|forwarded|host|origin|pragma|traceparent|tracestate|upgrade"
    r"|user-agent|via|x-request-id|x-forwarded-(?:for|proto)|sec-(?:fetch|ch-ua)[a-z-]*"
    r"|sec-websocket-(?:extensions|version)|openai-(?:beta|organization|project|safety-identifier)"
    r"|x-openai-agents-sdk|x-stainless-[a-z-]+|x-voxgate-parent"
)
"""Whose values help to understand a call; any other header may hold a secret."""
_PUBLIC_SUBPROTOCOL: Final = re.compile(
    r"realtime|openai-(?:beta\.realtime-v1|(?:agents-sdk|organization|project)\..*)"
)
_PLAIN_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,31}", re.ASCII | re.IGNORECASE)
_HIDDEN: Final = "…"
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
        """The caller's key, from whichever place carries it. Of several the first counts: `Authorization`,
        `api-key`, `x-api-key`, subprotocol, query."""
        scheme, _, bearer = (self.header("authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and bearer.strip():
            return bearer.strip()
        if plain := self.header("api-key") or self.header("x-api-key"):
            return plain
        for prefix in _KEY_SUBPROTOCOLS:
            for token in self.subprotocols:
                if token.startswith(prefix) and token != prefix:
                    return token.removeprefix(prefix)
        return self.parameter("api-key") or None

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
        """What our 101 selects, because a browser that offered subprotocols fails when none comes back."""
        offered = self.subprotocols
        if REALTIME_SUBPROTOCOL in offered:
            return REALTIME_SUBPROTOCOL
        return next((token for token in offered if token.startswith(_XAI_SUBPROTOCOL)), None)

    def public_headers(self) -> list[list[str]]:
        """For the record of the call: values only of headers that are known to hold no secret."""
        return [[_public_name(name), self._public_value(name, value)] for name, value in self.headers]

    def _public_value(self, name: str, value: str) -> str:
        if name == "sec-websocket-protocol":
            return ", ".join(_public_subprotocol(token.strip()) for token in value.split(","))
        return value if _PUBLIC_HEADER.fullmatch(name) else _HIDDEN

    def public_query(self) -> str:
        """The query likewise."""
        return "&".join(
            f"{_public_name(name)}={quote(value) if name.lower() in PUBLIC_QUERY else _HIDDEN}"
            for name, value in self.query
        )


def _public_name(name: str) -> str:
    """A name that is none may itself be the secret: `?ek_…`."""
    return name if _PLAIN_NAME.fullmatch(name) else _HIDDEN


def _public_subprotocol(token: str) -> str:
    for prefix in _KEY_SUBPROTOCOLS:
        if token.startswith(prefix):
            return prefix + _HIDDEN
    return token if _PUBLIC_SUBPROTOCOL.fullmatch(token) else _HIDDEN


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
