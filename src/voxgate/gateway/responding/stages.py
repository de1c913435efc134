"""What the messages of a socket of `responses` pass through:

    client ⇄ the credential's rules ⇄ one model, by the provider's name ⇄ budget ⇄ provider

The rules and the budget are those of calls: what they read is shown to them as a Realtime session's.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from voxgate.auth.credentials import Grant
from voxgate.core.errors import InvalidRequest
from voxgate.gateway.policies.allowed import Allowed, EventRule, ModelRule, Rule, ToolRule
from voxgate.gateway.policies.budget import Budget
from voxgate.gateway.policies.judging import Body, decoded
from voxgate.gateway.policies.ruling import NOTHING, Ruling, Stage
from voxgate.gateway.requests.bodies import read_json, with_model
from voxgate.gateway.responding.shapes import as_responses, error_event
from voxgate.traces.usage import as_realtime

_ENDS: Final = {f"response.{status}": status for status in ("completed", "incomplete", "failed", "cancelled")}


def stages_of(grant: Grant, asked: str, upstream_model: str, budget: Budget | None) -> list[Stage]:
    """`asked` is the model that the first message named, or meant."""
    stages: list[Stage] = []
    rules: list[Rule] = [ModelRule(grant)] if grant.models is not None else []
    if grant.allowed_tools is not None:
        rules.append(_Tools(ToolRule(grant.allowed_tools)))
    events = EventRule(grant.allowed_events) if grant.allowed_events is not None else None
    if rules or events is not None:
        stages.append(_Rules(Allowed(rules, events)))
    stages.append(_OneModel(asked, upstream_model, is_bound=grant.models is not None))
    return [*stages, _Counted(budget)] if budget is not None else stages


class _Silent:
    """A stage without an opening that lets everything pass to the client."""

    sound_to_provider = None
    sound_to_client = None

    def opening(self) -> Ruling:
        return NOTHING

    def to_client(self, text: bytes) -> Ruling:
        return Ruling((text,))


class _Tools:
    """`ToolRule`, for a message that is itself the response that it asks for."""

    def __init__(self, rule: ToolRule) -> None:
        self._rule = rule

    def __call__(self, event: Body) -> None:
        response = {**event, "input": None} if isinstance(event.get("input"), str) else event
        self._rule({"type": event["type"], "response": response})


class _Rules(_Silent):
    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    def to_provider(self, text: bytes) -> Ruling:
        return _shaped(self._allowed.to_provider(text))


class _OneModel(_Silent):
    """All responses of a socket are of the model of the first: another one could have another provider, and
    has another price."""

    def __init__(self, asked: str, upstream_model: str, *, is_bound: bool) -> None:
        self._asked = asked
        self._upstream_model = upstream_model
        self._is_bound = is_bound
        """Whether a message without a model must get one, since the provider may choose another."""
        self._is_first = True

    def to_provider(self, text: bytes) -> Ruling:
        event = decoded(text)
        if event.get("type") != "response.create":
            return Ruling((text,))
        named, is_first, self._is_first = event.get("model"), self._is_first, False
        if named is None and not (is_first or self._is_bound):
            return Ruling((text,))
        if named not in (None, self._asked):
            error = InvalidRequest(
                f"This socket serves the model {self._asked!a}, which its first message named. Open another "
                "one for another model.",
                param="model",
            )
            return Ruling(back=(orjson.dumps(error_event(error)),))
        if named == self._upstream_model:
            return Ruling((text,))
        return Ruling((with_model(text, read_json(text), self._upstream_model),))


class _Counted(_Silent):
    """The budget of calls, which knows the events of a Realtime session: they end otherwise."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def to_provider(self, text: bytes) -> Ruling:
        ruling = _shaped(self._budget.to_provider(text))
        return Ruling(ruling.forward if ruling.end is None else (), ruling.back, ruling.end)

    def to_client(self, text: bytes) -> Ruling:
        ruling = self._budget.to_client(_as_session(text))
        return Ruling((text,), end=ruling.end)


def _as_session(text: bytes) -> bytes:
    event = decoded(text)
    status = _ENDS.get(str(event.get("type")))
    response = event.get("response")
    if status is None or not isinstance(response, dict):
        return text
    usage = response.get("usage")
    told: dict[str, Any] = {"id": response.get("id"), "status": status}
    if isinstance(usage, dict):
        told["usage"] = as_realtime(usage)
    return orjson.dumps({"type": "response.done", "response": told})


def _shaped(ruling: Ruling) -> Ruling:
    return Ruling(ruling.forward, tuple(map(as_responses, ruling.back)), ruling.end)
