"""Online scoring as a process: opens store and blobs, and scores until it is told to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from voxgate.core.settings import Settings
from voxgate.evals.registry import make_rule_scorer
from voxgate.export.outbox import Outbox
from voxgate.jobs.alerts import Alerts
from voxgate.jobs.machines import machine_id
from voxgate.jobs.rule_scores import RuleScores
from voxgate.jobs.scoring import Attempt, Scoring
from voxgate.jobs.webhooks import Webhooks, load_secret
from voxgate.store import Store, open_blobs

KEY_NAME = "webhook.key"


def run_scoring(settings: Settings, stop: threading.Event, ready: Callable[[], None]) -> None:
    secret = load_secret(settings.data_dir / KEY_NAME, os.environ.get(settings.webhook_secret_env))
    webhooks = Webhooks(
        settings.scoring_dir / "webhooks", secret, private_addresses=settings.webhook_private_addresses
    )
    with Store(settings.database_url) as store:
        attempt = Attempt(settings.scoring_dir / "work" / "attempt")
        scoring = Scoring(
            store,
            Outbox(settings.scoring_dir),
            RuleScores(store, open_blobs(settings), make_rule_scorer),
            attempt,
            on_scored=Alerts(store, webhooks).check,
            holder=machine_id(settings.data_dir) if settings.machines_share else None,
        )
        sending = threading.Thread(target=webhooks.run, args=(stop,), name="webhooks", daemon=True)
        sending.start()
        threading.Thread(target=_close_at, args=(stop, attempt), daemon=True).start()
        ready()
        scoring.run(stop)
        if stop.is_set():
            sending.join()


def _close_at(stop: threading.Event, attempt: Attempt) -> None:
    stop.wait()
    attempt.close()
