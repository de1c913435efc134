"""The exporter: takes sessions out of the outbox, encodes them and sends them to an OTLP endpoint, a batch at
a time. A process of its own, so that neither an endpoint that is slow nor the encoding delays the recorder.

    outbox → store → encoder → batch → sender ─ sent ───> out of the outbox
                                              ├ later ──> stays; the pauses grow, or are as long as asked for
                                              └ refused > one by one; those that are refused again are put
                                                          aside, and taken up at the next start or in an hour
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import filterfalse, islice
from typing import Final, Protocol

from voxgate.core.errors import StoreUnavailable
from voxgate.export.otlp import OtlpEncoder, request_bytes
from voxgate.export.outbox import MOST_WAITING, Outbox
from voxgate.export.sender import Outcome
from voxgate.store import Store
from voxgate.traces.events import Json

_POLL_SECONDS: Final = 0.25
_BATCH_BYTES: Final = 1 << 20
"""Collectors take 20 MiB by default, others less."""
_BATCH_SESSIONS: Final = 64
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_TAKE_UP_SECONDS: Final = 3600.0
_SCORING_SECONDS: Final = 60.0
"""A judge may take longer: then the session goes without its score."""

logger = logging.getLogger(__name__)


class Sends(Protocol):
    def send(self, body: bytes) -> Outcome: ...


@dataclass(slots=True)
class Counts:
    """Since the start. `spans_rejected`: out of what was taken. `given_up`: the outbox was full."""

    sessions_sent: int = 0
    attempts_failed: int = 0
    spans_rejected: int = 0
    given_up: int = 0
    waiting: int = 0
    refused: int = 0


class Exporter:
    """`scoring` holds the names of the sessions that rules are still to score: they wait for that a little,
    so that their scores go with them."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        store: Store,
        encoder: OtlpEncoder,
        sender: Sends,
        projects: Collection[str] | None = None,
        most_waiting: int = MOST_WAITING,
        scoring: Outbox | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self._outbox = outbox
        self._store = store
        self._encoder = encoder
        self._sender = sender
        self._projects = projects
        self._most_waiting = most_waiting
        self._scoring = scoring
        self._held = dict[str, float]()
        """Since when."""
        self._now = now
        self._failures = 0
        self._not_before = 0.0
        self._take_up_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; what waits then is sent after the next start."""
        while not stop.is_set():
            if not self.step():
                stop.wait(_POLL_SECONDS)

    def step(self) -> bool:
        """Sends a batch if there is one and it is time; whether there may be more to do at once."""
        now = self._now()
        try:
            self._take_up_refused(now)
            waiting = self._outbox.waiting()
            waiting = self._give_up(waiting)
            self.counts.waiting, self.counts.refused = len(waiting), len(self._outbox.refused())
            if not waiting or now < self._not_before:
                return False
            return self._send_some(waiting)
        except (OSError, StoreUnavailable) as error:
            self._pause(f"the outbox or the database cannot be read: {error}")
            return False

    def _take_up_refused(self, now: float) -> None:
        if now >= self._take_up_at:
            self._take_up_at = now + _TAKE_UP_SECONDS
            if count := self._outbox.take_up_refused():
                logger.info("%d sessions that the OTLP endpoint refused are tried again", count)

    def _give_up(self, waiting: list[str]) -> list[str]:
        if len(waiting) <= self._most_waiting:
            return waiting
        too_many, rest = waiting[: -self._most_waiting], waiting[-self._most_waiting :]
        for session_id in too_many:
            self._outbox.done(session_id)
        self.counts.given_up += len(too_many)
        logger.error("%d sessions will not be sent: more than %d wait", len(too_many), self._most_waiting)
        return rest

    def _send_some(self, waiting: list[str]) -> bool:
        batch, size = dict[str, bytes](), 0
        ready = list(islice(filterfalse(self._waits_for_scores, waiting), _BATCH_SESSIONS))
        for session_id in ready:
            data = self._encoded(session_id)
            if data is None:
                self._done(session_id)
                continue
            batch[session_id] = data
            size += len(data)
            if size >= _BATCH_BYTES:
                break
        return self._send(batch) if batch else bool(ready)

    def _waits_for_scores(self, session_id: str) -> bool:
        if self._scoring is not None and self._scoring.has(session_id):
            now = self._now()
            return now - self._held.setdefault(session_id, now) < _SCORING_SECONDS
        self._held.pop(session_id, None)
        return False

    def _encoded(self, session_id: str) -> bytes | None:
        """None for a session that was deleted, runs again after a crash, or is not to be sent. One after the
        other, requests of several sessions are a request of all: protobuf joins repeated fields."""
        row = self._store.get_session(session_id)
        if row is None or row["status"] == "live" or not self._is_wanted(row):
            return None
        scores = {"scores": self._store.scores_of(session_id)}
        try:
            return request_bytes([self._encoder.encode(row | scores, self._store.get_session)])
        except Exception as error:  # a trace that cannot be mapped is put aside, and the others go on
            logger.exception("session %s cannot be written as OTLP", session_id)
            self._outbox.refuse(session_id, f"{type(error).__name__}: {error}")
            return None

    def _is_wanted(self, row: Json) -> bool:
        return self._projects is None or row["project"] in self._projects

    def _send(self, batch: dict[str, bytes]) -> bool:
        outcome = self._sender.send(b"".join(batch.values()))
        match outcome.what:
            case "sent":
                self._sent(batch, outcome)
            case "later":
                self._pause(outcome.message, outcome.wait_seconds)
                return False
            case "refused":
                self._refused(batch, outcome)
        return True

    def _sent(self, batch: Collection[str], outcome: Outcome) -> None:
        if self._failures:
            logger.info("the OTLP endpoint takes traces again")
        self._failures, self._not_before = 0, 0.0
        for session_id in batch:
            self._done(session_id)
        self.counts.sessions_sent += len(batch)
        self.counts.spans_rejected += outcome.rejected
        if outcome.rejected or outcome.message:
            logger.warning(
                "the OTLP endpoint did not take %d spans of %s: %s",
                outcome.rejected,
                ", ".join(batch),
                outcome.message,
            )

    def _done(self, session_id: str) -> None:
        self._outbox.done(session_id)
        self._held.pop(session_id, None)

    def _refused(self, batch: dict[str, bytes], outcome: Outcome) -> None:
        """One by one, so that one of them costs no other."""
        if len(batch) > 1:
            for session_id, data in batch.items():
                if not self._send({session_id: data}):
                    return
            return
        self.counts.attempts_failed += 1
        for session_id in batch:
            logger.error("the OTLP endpoint refuses session %s: %s", session_id, outcome.message)
            self._outbox.refuse(session_id, outcome.message)

    def _pause(self, message: str, wait_seconds: float | None = None) -> None:
        """As long as the endpoint asks for, else longer from time to time, and never all at once."""
        self._failures += 1
        self.counts.attempts_failed += 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10))
        pause *= random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        if wait_seconds is not None:
            pause = wait_seconds
        self._not_before = self._now() + pause
        logger.warning("traces are sent again in %.1f s: %s", pause, message)
