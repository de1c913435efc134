"""The first fact of a log, `gateway.opened`: what is known of a call or request when it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxgate.auth.credentials import Grant
from voxgate.core import clock


def opened(
    session_id: str,
    grant: Grant,
    recorded: Mapping[str, bool],
    *,
    kind: Mapping[str, Any],
    client: Mapping[str, str | None],
    request: Mapping[str, Any],
) -> dict[str, Any]:
    """`kind` says how it came and what was wanted: `model`, `transport`, `endpoint`, `dialect`. `client` has
    its `address`, `user_agent` and `origin`, `request` what may be kept of its head."""
    return {
        "type": "gateway.opened",
        "version": 1,
        "session_id": session_id,
        "started_at": clock.iso_utc(clock.now_utc()),
        "project": grant.project,
        **kind,
        "credential": {"id": grant.id, "kind": grant.kind},
        "recorded": dict(recorded),
        "retention_days": grant.retention_days,
        "audio_retention_days": grant.audio_retention_days,
        "metadata": {key: value for key, value in grant.metadata.items() if key != "tags"},
        "tags": grant.metadata.get("tags", []),
        "client": dict(client),
        "request": dict(request),
    }
