"""Alerts of rules: one when the mean of a score over the last sessions crosses its threshold, one when it is
back. Scores in, messages into the box of webhooks out.
"""

from __future__ import annotations

import logging
from statistics import fmean
from typing import Any, Final

from voxgate.core.clock import iso_utc, now_utc
from voxgate.jobs.rule_scores import Row, author_of
from voxgate.jobs.webhooks import Webhooks
from voxgate.store import Store

FIRING: Final = "voxgate.alert.firing"
RECOVERED: Final = "voxgate.alert.recovered"
_SCORES_OF_A_SESSION: Final = 8
"""So many are read for each session of the window: a scorer may score spans."""

logger = logging.getLogger(__name__)


class Alerts:
    def __init__(self, store: Store, webhooks: Webhooks) -> None:
        self._store = store
        self._webhooks = webhooks

    def check(self, rule: Row, session_id: str) -> None:
        """After a session has new scores."""
        alert = rule["alert"]
        if alert is None:
            return
        mean = self._mean(rule, alert)
        if mean is None:
            return
        is_bad = mean < alert["threshold"] if alert["direction"] == "max" else mean > alert["threshold"]

        def change(state: Row) -> Row:
            before = state.get("alert") or {}
            if bool(before.get("firing")) == is_bad:
                return {**state, "alert": {**before, "firing": is_bad, "value": mean}}
            now = iso_utc(now_utc())
            self._webhooks.add(alert["webhook"], _message(rule, alert, mean, session_id, is_bad, now))
            logger.warning("rule %s: %s is %g: %s", rule["name"], alert["score"], mean, _word(is_bad))
            return {**state, "alert": {"firing": is_bad, "value": mean, "since": now}}

        self._store.change_rule_state(rule["id"], change)

    def _mean(self, rule: Row, alert: Row) -> float | None:
        """Of the sessions' own means; None as long as there are fewer than the window has."""
        most = alert["window"] * _SCORES_OF_A_SESSION
        sessions: dict[str, list[float]] = {}
        for session_id, value in self._store.last_values(author_of(rule), alert["score"], most):
            sessions.setdefault(session_id, []).append(value)
        last = list(sessions.values())[: alert["window"]]
        return fmean(map(fmean, last)) if len(last) == alert["window"] else None


def _word(is_bad: bool) -> str:
    return "the alert is sent" if is_bad else "it has recovered"


def _message(rule: Row, alert: Row, mean: float, session_id: str, is_bad: bool, now: str) -> dict[str, Any]:
    said = {name: alert[name] for name in ("score", "window", "threshold", "direction")}
    return {
        "type": FIRING if is_bad else RECOVERED,
        "timestamp": now,
        "data": {
            "rule": {name: rule[name] for name in ("id", "name", "project")},
            **said,
            "value": mean,
            "session_id": session_id,
        },
    }
