"""The rules of credentials that are enforced on messages, one file each."""

from __future__ import annotations

from voxgate.auth.credentials import Grant
from voxgate.gateway.policies.allowed import Allowed, EventRule, ModelRule, ToolRule
from voxgate.gateway.policies.ruling import Stage
from voxgate.gateway.policies.session_lock import SessionLock


def stages_for(grant: Grant, budget: Stage | None = None) -> list[Stage]:
    """What this credential's calls have to pass through, from the client's side to the provider's; nothing
    if it restricts nothing. The budget is the last, so that it counts what the provider takes and says."""
    stages: list[Stage] = []
    if grant.allowed_events is not None:
        stages.append(Allowed([], EventRule(grant.allowed_events)))
    if grant.allowed_tools is not None:
        stages.append(Allowed([ToolRule(grant.allowed_tools, grant.session.get("tools") or ())]))
    if grant.session or grant.locked:
        stages.append(SessionLock(grant.session, grant.locked))
    if budget is not None:
        stages.append(budget)
    return stages


def stages_before_translation(grant: Grant, *, transcribes: bool = False) -> list[Stage]:
    """Those that judge names as the client writes them, before a translation replaces them. `transcribes`:
    the call was opened for a session that only transcribes."""
    rule = ModelRule(grant, transcribes=transcribes)
    return [Allowed([rule], word=b"model")] if grant.models is not None else []
