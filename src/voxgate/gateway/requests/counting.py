"""What a request used, by what passes of its answer: the usage that the provider says, or else what was seen
of it. For those whose tokens or dollars are limited.
"""

from __future__ import annotations

from typing import Final

import orjson

from voxgate.gateway.requests.estimate import BYTES_PER_TOKEN, Estimate
from voxgate.realtime.frames import TEXT
from voxgate.traces.answers import answer_of
from voxgate.traces.events import Json, number
from voxgate.traces.usage import as_realtime, flat_usage

_PROMPTED: Final = ("chat", "completions", "responses", "messages")
"""Whose output can be told by its length, where nobody says how much it was."""


class Counting:
    """Takes the messages of an answer, as they are logged."""

    def __init__(self, endpoint: str, estimate: Estimate) -> None:
        self._answer = answer_of(endpoint)
        self._is_prompted = endpoint.partition("/")[0] in _PROMPTED
        self._estimate = estimate
        self._seen_letters = 0

    def take(self, opcode: int, message: bytes) -> None:
        if opcode != TEXT:
            return
        try:
            body = orjson.loads(message)
        except orjson.JSONDecodeError:
            return
        if isinstance(body, dict):
            self.add(body)

    def add(self, body: Json) -> None:
        self._seen_letters += len(self._answer.take(body).text)

    @property
    def usage(self) -> Json | None:
        """In the form of a Realtime response's. Where the provider does not say it, because it was asked not
        to or somebody hung up, it is what was seen; None where not even that can be told."""
        if self._answer.usage:
            told = self._answer.usage
            if self._answer.finish is None and self._is_prompted:  # Anthropic says it at the beginning, too
                told = {**told, "output_tokens": max(number(told, "output_tokens") or 0, self._seen)}
            return as_realtime(told)
        if self._estimate.is_speech:
            return self._estimate.usage()
        if not self._is_prompted:
            return None if self._estimate.output_tokens is None else self._estimate.usage()
        return self._estimate.usage(self._seen)

    @property
    def _seen(self) -> int:
        """Tokens of the output, by its length."""
        arguments = sum(len(call.arguments) for call in self._answer.calls)
        return -(-(self._seen_letters + arguments) // BYTES_PER_TOKEN)

    @property
    def tokens(self) -> float:
        found: float = (flat_usage(self.usage or {}) or {}).get("total_tokens", 0)
        return found
