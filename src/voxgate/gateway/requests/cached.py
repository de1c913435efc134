"""One request as the cache has to know it, what is planned for it, and an answer in the form in which it is
kept: its head as a line of JSON, then its body as it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from voxgate.auth.caching import CacheKeys
from voxgate.auth.credentials import Grant
from voxgate.gateway.requests.bodies import Wanted
from voxgate.gateway.requests.cacheable import parts_of
from voxgate.gateway.requests.endpoints import Endpoint
from voxgate.providers.targets import Target

_OF_THEN: Final = ("x-ratelimit-", "anthropic-ratelimit-", "x-voxgate-")
_ONCE: Final = frozenset({"age", "retry-after"})
"""Headers that were true of the first answer only."""

Outcome = Literal["hit", "miss", "bypass"]


@dataclass(frozen=True, slots=True)
class Asked:
    endpoint: Endpoint
    grant: Grant
    key: str | None = field(repr=False)
    """As it was presented."""
    model: str | None
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    wanted: Wanted | None = field(repr=False)
    targets: Sequence[Target]
    records_words: bool


@dataclass(slots=True)
class Plan:
    """`outcome` is what the client is told, `reason` why of a bypass."""

    asked: Asked
    outcome: Outcome = "bypass"
    reason: str | None = None
    secret: bytes = field(default=b"", repr=False)
    ttl_seconds: int = 0
    is_read: bool = False
    """Whether an answer of before will do."""
    largest_bytes: int = 0
    age_seconds: int | None = None
    """Of a hit; likewise the next one."""
    session_id: str | None = None
    """Of the request that a provider answered."""
    _keys: CacheKeys | None = None
    _name: str | None = None
    _pieces: list[bytes] | None = None
    """What of the answer has come; None: it is not to be kept."""
    _left_bytes: int = 0

    def sign(self) -> tuple[CacheKeys, str]:
        """The keys and the name of the answer. Reads the whole body: not for the event loop."""
        if self._keys is None or self._name is None:
            asked, self._keys = self.asked, CacheKeys(self.secret)
            parts = parts_of(asked.endpoint, asked.model or "", asked.targets, asked.headers, asked.body)
            self._name = self._keys.name(parts)
        return self._keys, self._name

    @property
    def name(self) -> str | None:
        """None before `sign`."""
        return self._name

    def begin(self) -> None:
        self._pieces, self._left_bytes = [], self.largest_bytes

    def feed(self, piece: bytes) -> None:
        if self._pieces is None:
            return
        self._left_bytes -= len(piece)
        self._pieces.append(piece)
        if self._left_bytes < 0:
            self._pieces = None

    def take(self) -> bytes | None:
        """The whole answer; None if it was too large."""
        pieces, self._pieces = self._pieces, None
        return None if pieces is None else b"".join(pieces)

    def fact(self) -> dict[str, Any]:
        details = {"reason": self.reason, "age_seconds": self.age_seconds, "answer_of": self.session_id}
        told = {name: value for name, value in details.items() if value is not None}
        return {"type": "gateway.cache", "result": self.outcome, **told}

    def headers(self) -> dict[str, str]:
        """What the client's answer says of it."""
        age = {"age": str(self.age_seconds)} if self.age_seconds is not None else {}
        return {"x-voxgate-cache": self.outcome, **age}


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    headers: list[tuple[str, str]]
    body: bytes
    created_at: float
    """In unix seconds."""
    session_id: str | None
    """Of the request that a provider answered so, where it is recorded."""

    @property
    def content_type(self) -> str:
        return next((value for name, value in self.headers if name == "content-type"), "")


def pack(answer: CachedAnswer) -> bytes:
    head = {"created_at": answer.created_at, "session_id": answer.session_id, "headers": answer.headers}
    return orjson.dumps(head) + b"\n" + answer.body


def unpack(packed: bytes) -> CachedAnswer:
    """Of what `pack` has made."""
    head, _, body = packed.partition(b"\n")
    told = orjson.loads(head)
    headers = [(name, value) for name, value in told["headers"]]
    return CachedAnswer(headers, body, told["created_at"], told["session_id"])


def kept_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Of an answer's head as it went to the client, what will be true of it again."""
    named = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
    return [(name, value) for name, value in named if name not in _ONCE and not name.startswith(_OF_THEN)]
