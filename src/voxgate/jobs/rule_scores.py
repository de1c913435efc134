"""What a rule says of one session: a rule and a stored call in, rows of scores out."""

from __future__ import annotations

import asyncio
import faulthandler
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from voxgate.core.clock import iso_utc, now_utc
from voxgate.core.errors import InvalidRequest
from voxgate.evals.casework import completed
from voxgate.evals.model import Case, Input, Output, Score, missing
from voxgate.evals.protocols import Scorer, Subject
from voxgate.evals.scoring import TIMEOUT_SECONDS, score_subject
from voxgate.evals.session import Session
from voxgate.evals.stored import stored_session
from voxgate.store import Blobs, Store

Row = dict[str, Any]
MakeScorer = Callable[[str, Mapping[str, Any] | None], Scorer]
_GRACE_SECONDS: Final = 30.0
"""Beyond the time that a scorer has: then it holds the whole process up, and that is ended."""
_SAMPLES: Final = 1 << 64


def author_of(rule: Row) -> str:
    """Whose the scores of a rule are."""
    return f"rule:{rule['id']}"


def version_of(rule: Row) -> str:
    """Another one where its scorers are others: then sessions are scored again."""
    return hashlib.blake2b(
        orjson.dumps(rule["scorers"], option=orjson.OPT_SORT_KEYS), digest_size=6
    ).hexdigest()


def is_sampled(session_id: str, rate: float) -> bool:
    """The same sessions every time, and those of a smaller rate among those of a larger one."""
    digest = hashlib.blake2b(session_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < rate * _SAMPLES


@dataclass(frozen=True, slots=True)
class Found:
    scores: list[Score]
    overran: bool = False
    """Whether a scorer goes on in a thread of its own although its time is up."""


class RuleScores:
    def __init__(
        self, store: Store, blobs: Blobs, make: MakeScorer, scorer_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._make = make
        self._seconds = scorer_seconds

    def is_done(self, rule: Row, session_id: str) -> bool:
        """Whether the rule as it is now has scored the session."""
        author, version = author_of(rule), version_of(rule)
        scores = self._store.scores_of(session_id)
        return any(
            one["author"] == author and one["details"].get("rule_version") == version for one in scores
        )

    def score(self, rule: Row, session_id: str) -> Found:
        """NotFound if there is no such session."""
        session = stored_session(self._store, self._blobs, session_id)
        scorers, failures = self._scorers(rule["scorers"])
        limit = max([self._seconds, *(getattr(one, "timeout_seconds", None) or 0.0 for one in scorers)])
        # What never lets go of the interpreter can only be ended from outside of it.
        faulthandler.dump_traceback_later(limit + _GRACE_SECONDS, exit=True)
        try:
            found = asyncio.run(score_subject(scorers, _subject(session), timeout_seconds=self._seconds))
        finally:
            faulthandler.cancel_dump_traceback_later()
        overran = any("took longer than" in (score.reason_missing or "") for score in found)
        return Found([*found, *failures], overran)

    def save(self, rule: Row, session_id: str, scores: Sequence[Score]) -> bool:
        """False if the session is gone."""
        row = self._store.get_session(session_id, with_spans=False)
        if row is None:
            return False
        rows = [_row(rule, score, _ended_at(row)) for score in scores]
        return self._store.replace_scores(session_id, author_of(rule), rows)

    def _scorers(self, written: Sequence[Row]) -> tuple[list[Scorer], list[Score]]:
        """Those that can be made, and what is to be said of the others."""
        made, failures = list[Scorer](), list[Score]()
        for one in written:
            try:
                made.append(self._make(one["name"], one.get("params") or {}))
            except InvalidRequest as error:
                failures.append(missing(one["name"], error.message, params=one.get("params") or {}))
        return made, failures


def failed(rule: Row, reason: str) -> list[Score]:
    """Of all that the rule wants."""
    return [missing(one["name"], reason, params=one.get("params") or {}) for one in rule["scorers"]]


def _subject(session: Session) -> Subject:
    output = completed(Output(session_id=session.id), session)
    return Subject(Case(session.id, Input("session"), session_id=session.id), output, session)


def _ended_at(row: Row) -> datetime:
    """The order of scores is that of the calls, also where they were scored later."""
    started = row["started_at"]
    start = started if isinstance(started, datetime) else datetime.fromisoformat(started)
    return start + timedelta(milliseconds=row["duration_ms"] or 0.0)


def _row(rule: Row, score: Score, at: datetime) -> Row:
    said = score.to_json()
    details = {name: said[name] for name in ("n", "unit", "direction", "params", "scorer_version")}
    details |= {"reason_missing": score.reason_missing, "scored_at": iso_utc(now_utc())}
    details |= {"rule": rule["id"], "rule_name": rule["name"], "rule_version": version_of(rule)}
    return {
        "name": score.name,
        "span_id": score.span_id,
        "value": score.value,
        "label": score.label,
        "comment": score.explanation or score.reason_missing,
        "evidence": said["evidence"],
        "details": details,
        "source": score.source,
        "created_at": at,
    }
