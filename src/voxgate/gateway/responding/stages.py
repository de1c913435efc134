"""What the messages of a socket of `responses` pass through:

    client ⇄ the credential's rules ⇄ one model, by the provider's name ⇄ limits a minute ⇄ budget ⇄ provider

The rules and the budget are those of calls: what they read is shown to them as a Realtime session's.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from voxgate.auth.credentials import Grant
from voxgate.core.errors import InvalidRequest, RateLimited
from voxgate.gateway.policies.allowed import Allowed, EventRule, ModelRule, Rule
from voxgate.gateway.policies.budget import Budget
from voxgate.gateway.policies.judging import Body, decoded
from voxgate.gateway.policies.ruling import NOTHING, Ruling, Stage
from voxgate.gateway.requests.bodies import read_json, with_model
from voxgate.gateway.requests.restrictions import Restrictions
from voxgate.gateway.responding.metering import Metering
from voxgate.gateway.responding.shapes import as_responses, error_event, limited_event
from voxgate.traces.dialogue import ENDS
from voxgate.traces.usage import as_realtime

_CREATE: Final = "response.create"


def stages_of(
    grant: Grant, asked: str, upstream_model: str, budget: Budget | None, metering: Metering | None
) -> list[Stage]:
    """`asked` is the model that the first message named, or meant."""
    stages: list[Stage] = []
    rules: list[Rule] = [ModelRule(grant)] if grant.models is not None else []
    restrictions = Restrictions(grant)
    if restrictions.any:
        rules.append(_Bodies(restrictions))
    events = EventRule(grant.allowed_events) if grant.allowed_events is not None else None
    if rules or events is not None:
        stages.append(_Rules(Allowed(rules, events)))
    stages.append(_OneModel(asked, upstream_model, is_bound=grant.models is not None))
    if metering is not None:
        stages.append(_Limited(metering))
    return [*stages, _Counted(budget)] if budget is not None else stages


class _Silent:
    """A stage without an opening that lets everything pass to the client."""

    sound_to_provider = foresee_to_provider = None
    sound_to_client = foresee_to_client = None

    def opening(self) -> Ruling:
        return NOTHING

    def to_client(self, text: bytes) -> Ruling:
        return Ruling((text,))


class _Bodies:
    """Those of requests, for a message that is itself the response that it asks for."""

    def __init__(self, restrictions: Restrictions) -> None:
        self._restrictions = restrictions

    def __call__(self, event: Body) -> None:
        if event["type"] == _CREATE:
            self._restrictions.check("responses", event)


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
        if event.get("type") != _CREATE:
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


class _Limited(_Silent):
    """Each response is a request of its own. One too many is refused, and the socket goes on."""

    def __init__(self, metering: Metering) -> None:
        self._metering = metering

    def to_provider(self, text: bytes) -> Ruling:
        event = decoded(text)
        if event.get("type") != _CREATE or self._metering.has_taken():
            return Ruling((text,))
        return Ruling(later=self._take(text, event))

    async def _take(self, text: bytes, event: Body) -> Ruling:
        try:
            await self._metering.take(text, event)
        except RateLimited as error:
            return Ruling(back=(orjson.dumps(limited_event(error, self._metering.states)),))
        return Ruling((text,))

    def to_client(self, text: bytes) -> Ruling:
        if self._metering.counts_tokens:
            self._metering.follow(decoded(text))
        return Ruling((text,))


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
    status = ENDS.get(str(event.get("type")))
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
