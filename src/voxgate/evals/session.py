"""A recorded call as a scorer sees it: its trace, its words, its tool calls, and its sound when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from voxgate.evals.model import Json

Track = Literal["user", "assistant", "heard", "mix"]


class Source(Protocol):
    """Where what is too large for the trace comes from: the API, or the store of the recorder."""

    def audio(self, session_id: str, track: Track) -> bytes:
        """The whole track as a WAV file; empty where there is no sound."""
        ...

    def events(self, session_id: str) -> Iterator[Json]:
        """The event log, line by line: `{"t", "dir", "msg"}`."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """`trace` is what `GET /api/sessions/{id}` answers: the summary, `metrics` and `spans`."""

    trace: Mapping[str, Any]
    source: Source

    @property
    def id(self) -> str:
        return str(self.trace["id"])

    @property
    def metrics(self) -> Mapping[str, Any]:
        return dict(self.trace.get("metrics") or {})

    @property
    def spans(self) -> list[Json]:
        return list(self.trace.get("spans") or ())
