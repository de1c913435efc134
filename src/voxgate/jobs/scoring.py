"""Online scoring: sessions that are over are scored by the rules that want them, in a process of its own,
which nothing waits for and which is started again when it dies.

    recorder ─ over ──> box of names ──> rules ─ filter, sample ─> scorers ──> store ──> alerts
    POST /api/rules/{id}/run ─────────> a run: the same for what was recorded before

What is being done stands in a file: if it ends the process twice, it is given up, and the others go on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from voxgate.core.clock import iso_utc, now_utc
from voxgate.core.errors import NotFound, StoreUnavailable
from voxgate.export.outbox import Outbox
from voxgate.jobs.rule_scores import Found, Row, RuleScores, failed, is_sampled, version_of
from voxgate.store import Store
from voxgate.store.filter import And
from voxgate.store.filter_parser import parse

RUN_PREFIX: Final = "run_"
"""Of the names in the box that are no sessions."""
_POLL_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 10.0
_LEASE_SECONDS: Final = 60
_MOST_TRIES: Final = 2
_LIVE: Final = "not status:live"
_KILLED: Final = "the scorer ended the process that it ran in, or never came back"
_STRIKES: Final = 3
_RESTS: Final = (
    f"the rule rests: {_STRIKES} sessions in a row its scorers took too long, or ended the process"
)
"""Until its scorers are others. A rule that always hangs would leave no time for the others."""

logger = logging.getLogger(__name__)


class Attempt:
    """What is being scored just now, on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_closed = False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def begin(self, session_id: str, rule_id: str) -> int:
        """How often it was begun, with this time."""
        left = self.left()
        tries = left[2] + 1 if left is not None and left[:2] == (session_id, rule_id) else 1
        if not self._is_closed:
            self._path.write_bytes(orjson.dumps([session_id, rule_id, tries]))
        return tries

    def left(self) -> tuple[str, str, int] | None:
        """What an earlier process did not come to the end of."""
        try:
            session_id, rule_id, tries = orjson.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return session_id, rule_id, tries

    def end(self) -> None:
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """The process is told to stop: what it is in the middle of is not to blame."""
        self._is_closed = True
        self.end()


class Scoring:
    """`step` scores one session. `on_scored` is told of each rule that has; `holder` says who we are where
    several machines have the same store."""

    def __init__(
        self,
        store: Store,
        box: Outbox,
        scores: RuleScores,
        attempt: Attempt,
        *,
        on_scored: Callable[[Row, str], None] = lambda rule, session_id: None,
        holder: str | None = None,
    ) -> None:
        self._store = store
        self._box = box
        self._scores = scores
        self._attempt = attempt
        self._on_scored = on_scored
        self._holder = holder
        self._runs: dict[str, Iterator[None]] = {}
        self._not_before: dict[str, float] = {}
        self.overran = False
        """Whether something goes on in a thread that cannot be stopped: the process has to end."""

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, or until the process has to be another one."""
        while not stop.is_set() and not self.overran:
            try:
                busy = self.step()
            except (OSError, StoreUnavailable) as error:
                logger.warning("scoring waits: %s", error)
                stop.wait(_PAUSE_SECONDS)
                continue
            if not busy:
                stop.wait(_POLL_SECONDS)

    def step(self) -> bool:
        """Whether there was anything to do."""
        if (left := self._attempt.left()) is not None:
            self._take_up(left[0], left[1])
            return True
        waiting = self._box.waiting()
        session_id = next((name for name in waiting if not name.startswith(RUN_PREFIX)), None)
        if session_id is not None:
            self._score_new(session_id)
            self._box.done(session_id)
            return True
        return any(self._advance(name) for name in waiting)

    def _take_up(self, session_id: str, rule_id: str) -> None:
        rule = self._store.get_rule(rule_id)
        if rule is None:
            self._attempt.end()
        else:
            self._score(rule, session_id)

    # New sessions

    def _score_new(self, session_id: str) -> None:
        row = self._store.get_session(session_id, with_spans=False)
        if row is None or row["status"] == "live":  # it comes again when it is over
            return
        for rule in self._store.list_rules(project=row["project"], of_all=True, enabled=True):
            if is_sampled(session_id, rule["sampling_rate"]) and self._fits(rule, session_id):
                self._score(rule, session_id)

    def _fits(self, rule: Row, session_id: str) -> bool:
        return self._store.session_fits(session_id, project=rule["project"], q=rule["filter"])

    def _score(self, rule: Row, session_id: str) -> bool:
        """Whether it has scores now, even if only with reasons why they are missing."""
        if self._scores.is_done(rule, session_id):
            self._attempt.end()
            return True
        tries = self._attempt.begin(session_id, rule["id"])
        try:
            found = self._found(rule, session_id, tries)
            is_saved = self._scores.save(rule, session_id, found.scores)
        finally:  # a store that is away is not the scorer's doing; what ends the process comes to no end here
            self._attempt.end()
        if is_saved:
            self._note(rule, session_id, found)
            self._on_scored(rule, session_id)
        return is_saved

    def _found(self, rule: Row, session_id: str, tries: int) -> Found:
        if _strikes(self._store.get_rule(rule["id"]) or rule) >= _STRIKES:
            return Found(failed(rule, _RESTS))
        if tries > _MOST_TRIES:
            return Found(failed(rule, _KILLED), overran=True)
        try:
            found = self._scores.score(rule, session_id)
        except NotFound:  # deleted just now
            return Found([])
        except (OSError, StoreUnavailable):
            raise  # neither the rule nor the session is to blame
        except Exception as error:  # whatever it is, this rule has no score here and the others go on
            logger.exception("session %s cannot be scored by rule %s", session_id, rule["id"])
            return Found(failed(rule, f"{type(error).__name__}: {error}"))
        self.overran = self.overran or found.overran
        return found

    def _note(self, rule: Row, session_id: str, found: Found) -> None:
        """What became of it, on the rule."""
        wrong = [score for score in found.scores if score.value is None and score.n == 0]
        now = iso_utc(now_utc())

        def change(state: Row) -> Row:
            counted = {"scored": state.get("scored", 0) + 1, "scored_at": now}
            strikes = _strikes({**rule, "state": state})
            if found.overran or strikes < _STRIKES:
                counted["strikes"] = [version_of(rule), strikes + 1 if found.overran else 0]
            if wrong:
                error = {"session_id": session_id, "score": wrong[0].name, "message": wrong[0].reason_missing}
                counted |= {"missing": state.get("missing", 0) + 1, "last_missing": {**error, "at": now}}
            return {**state, **counted}

        self._store.change_rule_state(rule["id"], change)

    # Runs over the past

    def _advance(self, run_id: str) -> bool:
        """One session further, if it is ours to do."""
        if time.monotonic() < self._not_before.get(run_id, 0.0):
            return False
        if run_id not in self._runs:
            if not self._lease(run_id):
                self._not_before[run_id] = time.monotonic() + _PAUSE_SECONDS
                return False
            self._runs[run_id] = self._steps(run_id)
        if next(self._runs[run_id], self) is self:
            del self._runs[run_id]
            self._box.done(run_id)
        return True

    def _lease(self, run_id: str) -> bool:
        lease = f"scoring of {run_id}", self._holder or ""
        return self._holder is None or self._store.take_lease(lease, 1, _LEASE_SECONDS)

    def _steps(self, run_id: str) -> Iterator[None]:
        run = self._store.get_rule_run(run_id)
        rule = self._store.get_rule(run["rule_id"]) if run is not None else None
        if run is None or rule is None or run["status"] != "running":
            return
        parts = tuple(map(parse, filter(None, (rule["filter"], run["q"], _LIVE))))
        wanted = {"project": rule["project"], "q": str(And(parts))}
        counts = {name: run[name] for name in ("done", "scored", "failed")}
        if not run["total"]:
            self._store.edit_rule_run(run_id, {"total": self._store.count_sessions(**wanted)[0]})
        cursor = run["cursor"]
        while True:  # one by one, so that after a kill none is counted twice
            page, cursor = self._store.list_sessions(**wanted, limit=1, cursor=cursor, order="asc")
            for row in page:
                self._count(counts, rule, row["id"])
            if self._is_cancelled(run_id):
                return
            status = "running" if cursor is not None else "complete"
            self._store.edit_rule_run(run_id, {**counts, "cursor": cursor, "status": status})
            if cursor is None:
                return
            self._lease(run_id)
            yield

    def _count(self, counts: dict[str, int], rule: Row, session_id: str) -> None:
        counts["done"] += 1
        if is_sampled(session_id, rule["sampling_rate"]):
            counts["scored" if self._score(rule, session_id) else "failed"] += 1

    def _is_cancelled(self, run_id: str) -> bool:
        run: dict[str, Any] | None = self._store.get_rule_run(run_id)
        return run is None or run["status"] != "running"


def _strikes(rule: Row) -> int:
    """Of its scorers as they are now."""
    version, count = (rule["state"] or {}).get("strikes") or ("", 0)
    return int(count) if version == version_of(rule) else 0
