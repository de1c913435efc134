"""Words where the provider gave none: the utterances of calls that are over go to whoever transcribes, and
what comes back into their event logs, from which their traces are built again.

    mark → utterances without words → threads that ask → facts in the mark → later.jsonl → rebuilt → mark gone

The recorder's own thread only hands out and collects. What is answered stands in the mark at once, so what a
crash cut off goes on where it was.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from voxgate.core import clock
from voxgate.core.errors import InvalidModel, StoreUnavailable, UpstreamRefused
from voxgate.core.prices import PriceTable
from voxgate.core.projects import TranscriptionSettings
from voxgate.jobs.rebuilding import Rebuilder
from voxgate.jobs.redaction import PENDING, Redactions
from voxgate.jobs.scribes import Answer, Question, Scribes
from voxgate.jobs.transcription_marks import Mark, Marks
from voxgate.providers.routes import Router, Transcriber
from voxgate.recording.later import LATER, add_later
from voxgate.recording.unwritten import Utterance, unwritten
from voxgate.store import NOT_TRANSCRIBED, TRANSCRIBE, TRANSCRIBED, Blobs, Store

_LOOK_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 10.0
_MOST_SESSIONS: Final = 16
"""At once; what they say is not in memory, only where it is."""
_MOST_ATTEMPTS: Final = 10
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 120.0
"""With ten attempts a provider may be away for six minutes."""
_LEASE_SECONDS: Final = 60
_NO_USAGE: Final = {"input_tokens": 0, "output_tokens": 0}
"""Of what was not asked for."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Task:
    """One utterance. `whom` are those who may still be asked, the next one first."""

    utterance: Utterance
    whom: list[Transcriber]
    reason: str = ""
    """Why there is nobody from the beginning."""
    attempts: int = 0
    not_before: float = 0.0


@dataclass(slots=True, eq=False)
class _Work:
    session_id: str
    project: str
    mark: Mark
    wanted: TranscriptionSettings
    tasks: list[_Task]
    order: list[str]
    """Of the items, as they were said."""
    asked: int = 0
    """How many answers are awaited."""
    ending: Iterator[None] | None = None
    rebuilt: bool | None = None
    """None until that is known."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What `Transcriptions` works with. `wanted` is by projects; `holder` says who we are where several
    machines have the same store."""

    store: Store
    blobs: Blobs
    marks: Marks
    scribes: Scribes
    rebuilder: Rebuilder
    router: Router
    prices: PriceTable
    wanted: Mapping[str, TranscriptionSettings] = field(default_factory=dict)
    redactions: Redactions | None = None
    is_ours: Callable[[str], bool] = lambda _: True
    on_done: Callable[[Sequence[str]], None] = lambda _: None
    """Told the ids of sessions that the recorder has finished, when they have all the words they will get."""
    holder: str | None = None


class Transcriptions:
    """`step` does a bounded piece and never waits."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._works: dict[str, _Work] = {}
        self._wished: set[str] = set()
        """Those for which somebody waits."""
        self._rests: dict[str, float] = {}
        """Providers that want to be left alone, and until when."""
        self._last_signal: int | None = None
        self._next_look = 0.0
        self._next_refresh = 0.0

    def add(self, session_ids: Sequence[str]) -> None:
        """Their traces are saved. Where no project wants their words they have all that they will get."""
        if self._parts.wanted:
            session_ids = [session_id for session_id in session_ids if not self._is_marked(session_id)]
        if session_ids:
            self._parts.on_done(session_ids)

    def _is_marked(self, session_id: str) -> bool:
        try:
            self._parts.marks.add(session_id)
        except OSError as error:
            logger.error("session %s will not be transcribed: %s", session_id, error)
            return False
        self._next_look = 0.0
        return True

    def forget(self, session_id: str) -> None:
        """It is begun again from its wire log."""
        if (work := self._works.pop(session_id, None)) is not None:
            work.mark.close()
        self._parts.marks.remove(session_id)

    def step(self) -> bool:
        """Whether there was anything to do."""
        try:
            busy = self._collect()
            self._look()
            self._ask()
            return self._end_some() or busy
        except (OSError, StoreUnavailable) as error:
            logger.warning("transcribing waits: %s", error)
            self._next_look = time.monotonic() + _PAUSE_SECONDS
            return False

    def close(self) -> None:
        """What is begun goes on with the next one."""
        self._parts.scribes.close()
        for work in self._works.values():
            work.mark.close()
        self._works.clear()

    # Which sessions

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        self._hear_wishes()
        self._keep_leases(now)
        for session_id in self._parts.marks.waiting():
            if len(self._works) >= _MOST_SESSIONS:
                return
            if session_id not in self._works and self._parts.is_ours(session_id):
                self._begin(session_id)

    def _hear_wishes(self) -> None:
        store = self._parts.store
        if self._last_signal is None:
            self._last_signal = store.last_signal_id()
        for signal_id, kind, target in store.signals_after(self._last_signal):
            self._last_signal = signal_id
            if kind == TRANSCRIBE:
                wish = orjson.loads(target)
                session_id, wanted = wish["session_id"], TranscriptionSettings.model_validate(wish["wanted"])
                if self._parts.is_ours(session_id) and self._is_here(session_id):
                    self._parts.marks.add(session_id, wanted)
                    self._wished.add(session_id)

    def _is_here(self, session_id: str) -> bool:
        """Other machines are asked too; whoever has the sound and is the first does it."""
        files = (f"sessions/{session_id}/user.{kind}" for kind in ("pcm", "flac"))
        return any(self._parts.blobs.size(file) is not None for file in files) and self._lease(session_id)

    def _begin(self, session_id: str) -> None:
        row = self._parts.store.get_session(session_id)
        if row is not None and not self._lease(session_id):
            return
        mark = self._parts.marks.take(session_id)
        if mark is None:
            return
        wanted = mark.wanted or (self._parts.wanted.get(row["project"]) if row is not None else None)
        if row is None or row["status"] == "live" or wanted is None:
            self._finish(session_id, mark, "nothing")
            return
        known = {fact["item_id"] for fact in mark.facts}
        said, order = unwritten(row), [one.item_id for one in unwritten(row)]
        whom, reason = self._whom(wanted) if said else ([], "")
        tasks = [_Task(one, list(whom), reason) for one in said if one.item_id not in known]
        self._works[session_id] = _Work(session_id, row["project"], mark, wanted, tasks, order)

    def _whom(self, wanted: TranscriptionSettings) -> tuple[list[Transcriber], str]:
        """And why there is nobody, if so."""
        try:
            return self._parts.router.transcribers(wanted.model), ""
        except (InvalidModel, UpstreamRefused) as error:
            logger.error("nothing is transcribed: %s", error)
            return [], str(error)

    # Several machines

    def _lease(self, session_id: str) -> bool:
        """Not given back: the same wish must not be heard by another machine when it is fulfilled."""
        holder = self._parts.holder
        return holder is None or self._parts.store.take_lease(
            (f"transcription of {session_id}", holder), 1, _LEASE_SECONDS
        )

    def _keep_leases(self, now: float) -> None:
        holder = self._parts.holder
        if holder is not None and self._works and now >= self._next_refresh:
            held = [(f"transcription of {session_id}", holder) for session_id in self._works]
            self._parts.store.refresh_leases(held, _LEASE_SECONDS)
            self._next_refresh = now + _LEASE_SECONDS / 4

    # Asking

    def _ask(self) -> None:
        now = time.monotonic()
        for work in self._works.values():
            for task in list(work.tasks):
                if not self._parts.scribes.has_room:
                    return
                if not task.whom:
                    work.tasks.remove(task)
                    self._note(work, task.utterance, {"error": {"type": "nobody", "message": task.reason}})
                elif now >= max(task.not_before, self._rests.get(task.whom[0].provider, 0.0)):
                    work.tasks.remove(task)
                    work.asked += 1
                    self._parts.scribes.ask(self._question(work, task))

    @staticmethod
    def _question(work: _Work, task: _Task) -> Question:
        return Question(work.session_id, task.utterance, task.whom[0], work.wanted, (work, task))

    def _collect(self) -> bool:
        answers = self._parts.scribes.answers()
        for answer in answers:
            work, task = answer.question.origin
            if work in self._works.values():  # else it is begun again, or was deleted
                work.asked -= 1
                self._take(work, task, answer)
        return bool(answers)

    def _take(self, work: _Work, task: _Task, answer: Answer) -> None:
        if answer.what == "said":
            self._note(work, task.utterance, self._said(task.whom[0], answer))
            return
        whom = task.whom.pop(0)
        message = f"{whom.provider}: {answer.message}"
        if answer.what == "later":
            task.attempts += 1
            task.whom.append(whom)
            self._rest(task, whom, answer.wait_seconds)
        if not task.whom or task.attempts >= _MOST_ATTEMPTS:
            logger.warning("an utterance of session %s has no words: %s", work.session_id, message)
            self._note(work, task.utterance, {"error": {"type": answer.what, "message": message}})
            return
        logger.info("session %s is transcribed later: %s", work.session_id, message)
        work.tasks.append(task)

    def _rest(self, task: _Task, whom: Transcriber, wait_seconds: float | None) -> None:
        """As long as it asks for, for all that goes there; else longer from time to time."""
        now = time.monotonic()
        if wait_seconds is not None:
            self._rests[whom.provider] = now + wait_seconds
            return
        rounds = (task.attempts - 1) // len(task.whom)
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**rounds)
        task.not_before = now + pause * random.uniform(0.8, 1.2)  # noqa: S311 - no secret

    def _said(self, whom: Transcriber, answer: Answer) -> dict[str, Any]:
        if answer.skipped is not None:
            return {"text": "", "usage": _NO_USAGE, "skipped": answer.skipped}
        price = self._parts.prices.of(self._parts.prices.listed(whom.priced_as))
        counted = answer.usage or {"type": "duration", "seconds": answer.seconds, "counted_by": "voxgate"}
        return {
            "text": answer.text,
            "provider": whom.provider,
            "usage": counted,
            "price": price.rates() if price is not None else None,
            "ms": answer.ms,
        }

    def _note(self, work: _Work, utterance: Utterance, found: dict[str, Any]) -> None:
        work.mark.add(
            {
                "type": "gateway.transcribed",
                "item_id": utterance.item_id,
                "model": work.wanted.model,
                "language": work.wanted.language,
                "created_at": clock.unix_seconds(),
                **found,
            }
        )

    # When all is answered

    def _end_some(self) -> bool:
        busy = False
        for work in list(self._works.values()):
            if work.tasks or work.asked:
                continue
            if work.ending is None:
                work.ending, work.rebuilt = self._ending(work), None
            try:
                is_over = next(work.ending, work) is work
            except (OSError, StoreUnavailable):
                work.ending = None  # from its beginning, later
                raise
            if is_over:
                del self._works[work.session_id]
                busy = True
        return busy

    def _ending(self, work: _Work) -> Iterator[None]:
        row = self._parts.store.get_session(work.session_id, with_spans=False)
        if row is None or not work.mark.facts:
            self._finish(work.session_id, work.mark, "nothing")
            return
        prefix = f"sessions/{work.session_id}"
        has_rules = self._parts.redactions is not None and self._parts.redactions.of(work.project) is not None
        if has_rules:
            self._save_redaction(row, {**(row["data"].get("redaction") or {}), "state": PENDING})
        places = {item_id: place for place, item_id in enumerate(work.order)}
        facts = sorted(work.mark.facts, key=lambda fact: places.get(fact["item_id"], -1))
        add_later(self._parts.blobs, prefix, row["duration_ms"] or 0.0, facts)
        while not self._parts.blobs.sync(f"{prefix}/{LATER}"):
            yield
        self._parts.rebuilder.ask(work.session_id, lambda is_done: setattr(work, "rebuilt", is_done))
        while work.rebuilt is None:
            yield
        if not work.rebuilt:
            self._parts.blobs.delete_prefix(f"{prefix}/{LATER}")
            if has_rules:
                self._save_redaction(row, row["data"].get("redaction"))
        self._finish(work.session_id, work.mark, "words" if work.rebuilt else "failed")

    def _save_redaction(self, row: Mapping[str, Any], redaction: dict[str, Any] | None) -> None:
        """While the words are in the log and what the rules find is not yet out of it, nobody is shown it."""
        data = {**row["data"], "redaction": redaction}
        self._parts.store.save_session({"id": row["id"], "project": row["project"], "data": data})

    def _finish(self, session_id: str, mark: Mark, how: str) -> None:
        """The mark goes last: what a crash cuts off here is done again, and not left undone."""
        if session_id in self._wished:
            self._parts.store.add_signal(NOT_TRANSCRIBED if how == "failed" else TRANSCRIBED, session_id)
            self._wished.discard(session_id)
        if mark.wanted is None:
            self._parts.on_done([session_id])
        if how == "failed":
            mark.fail("The trace could not be built again; the recorder's log says why.")
        else:
            mark.done()
