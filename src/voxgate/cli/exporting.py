"""The exporter's process: wires the exporter to its outbox, its store and its endpoint, and tells what it has
counted on the scoreboard of the workers, so that their `/metrics` show it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Final

from voxgate.core.settings import Settings
from voxgate.export.otlp import OtlpEncoder, conventions
from voxgate.export.outbox import Outbox
from voxgate.export.sender import OtlpSender
from voxgate.export.target import resolve_target
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.scoreboard import Place, Scoreboard
from voxgate.jobs.exporter import Counts, Exporter
from voxgate.store import Store

_PUBLISH_SECONDS: Final = 1.0


def run_exporter(orders: dict[str, Any], stop: threading.Event, ready: Callable[[], None]) -> None:
    """Until `stop`. `ready` is called once the store is open."""
    settings = Settings.model_validate(orders["settings"])
    otlp = settings.export.otlp
    target = resolve_target(otlp, os.environ)
    if target is None:
        raise ValueError("there is no endpoint to export to")
    kinds = {name: provider.kind for name, provider in settings.providers.items()}
    encoder = OtlpEncoder(
        conventions(otlp.conventions, content=otlp.content, kinds=kinds),
        public_url=orders["public_url"].rstrip("/"),
        resource=target.resource,
        content=otlp.content,
    )
    with Store(settings.database_url) as store:
        exporter = Exporter(
            outbox=Outbox(settings.outbox_dir),
            store=store,
            encoder=encoder,
            sender=OtlpSender(target),
            projects=otlp.projects,
            scoring=Outbox(settings.scoring_dir),
        )
        place = Place(Scoreboard(orders["board"]), orders["number"], _metrics(exporter.counts))
        threading.Thread(target=_publish, args=(place, stop), daemon=True).start()
        ready()
        exporter.run(stop)
        place.publish()


def _publish(place: Place, stop: threading.Event) -> None:
    while not stop.wait(_PUBLISH_SECONDS):
        place.publish()


def _metrics(counts: Counts) -> Metrics:
    metrics = Metrics()
    metrics.counted(
        "voxgate_export_sessions_sent_total",
        "Sessions that the OTLP endpoint has taken.",
        lambda: counts.sessions_sent,
    )
    metrics.counted(
        "voxgate_export_failed_attempts_total",
        "Requests to the OTLP endpoint that were not taken.",
        lambda: counts.attempts_failed,
    )
    metrics.counted(
        "voxgate_export_rejected_spans_total",
        "Spans that the OTLP endpoint left out of requests that it took.",
        lambda: counts.spans_rejected,
    )
    metrics.counted(
        "voxgate_export_given_up_sessions_total",
        "Sessions that will not be sent, because too many waited.",
        lambda: counts.given_up,
    )
    metrics.shared_gauge(
        "voxgate_export_waiting_sessions", "Sessions that wait to be sent.", lambda: counts.waiting
    )
    metrics.shared_gauge(
        "voxgate_export_refused_sessions",
        "Sessions that the OTLP endpoint refused; they are tried again at the next start or in an hour.",
        lambda: counts.refused,
    )
    return metrics
