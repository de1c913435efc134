"""What a translated call must remember: the fields that the provider was not told and that the client is
shown again, and the items whose end only one of the dialects announces.
"""

from __future__ import annotations

from typing import Any, Final

from voxgate.core.ids import new_id
from voxgate.realtime.dialects.bodies import Body, Kind
from voxgate.realtime.dialects.table import (
    DEFAULT_TEMPERATURE,
    ITEM_DONE,
    NEVER_ECHOED,
    REFUSED,
    REFUSED_IN_TRANSCRIPTION,
    Dialect,
    Refused,
)

_MOST_ITEMS: Final = 512
"""Items remembered at once: one is forgotten long after its last event."""


class UntoldFields:
    """Takes what the provider refuses out of a client's sessions and responses, in the provider's dialect,
    and puts it back into what the provider answers. Beta's `temperature` is the one that every client has."""

    def __init__(
        self, client: Dialect, provider: Dialect, refused: Refused, *, is_waypoint: bool = False
    ) -> None:
        """At a waypoint nothing is refused yet."""
        general = {} if is_waypoint else {**REFUSED[provider], **refused}
        transcribing = {} if is_waypoint else REFUSED_IN_TRANSCRIPTION[provider]
        self._refused: dict[Kind, Refused] = {
            "realtime": general,
            "transcription": {**general, **transcribing},
        }
        has_temperature = client is Dialect.BETA and "temperature" in general
        self._session: dict[Kind, Body] = {
            "realtime": {"temperature": DEFAULT_TEMPERATURE} if has_temperature else {},
            "transcription": {},
        }
        self._asked: Body = {}
        self._response: Body = {}

    def take_from_session(self, session: Body, kind: Kind) -> bool:
        taken = _take(session, self._refused[kind])
        self._session[kind].update(_echoed(taken))
        return bool(taken)

    def take_from_request(self, response: Body) -> bool:
        taken = _take(response, self._refused["realtime"])
        self._asked = _echoed(taken)
        return bool(taken)

    def put_into_session(self, session: Body, kind: Kind) -> bool:
        return _put(session, self._session[kind])

    def put_into_response(self, response: Body, event_name: str) -> bool:
        """The temperature that the response was asked for with, otherwise the session's."""
        if event_name == "response.created":
            self._response, self._asked = self._asked, {}
        kept = {**self._session["realtime"], **self._response}
        return _put(response, {name: kept[name] for name in ("temperature",) if name in kept})


def _take(body: Body, refused: Refused) -> Body:
    names = [
        name
        for name, harmless in refused.items()
        if name in body and (harmless is None or body[name] in harmless)
    ]
    return {name: body.pop(name) for name in names}


def _echoed(taken: Body) -> Body:
    return {name: value for name, value in taken.items() if value is not None and name not in NEVER_ECHOED}


def _put(body: Body, kept: Body) -> bool:
    missing = {name: value for name, value in kept.items() if body.get(name) is None}
    body.update(missing)
    return bool(missing)


class ItemEnds:
    """Says `conversation.item.done` for a beta provider: at once for an item that comes complete, otherwise
    right before `response.output_item.done`, as GA does; and never twice, since Azure Voice Live says it for
    some items itself."""

    def __init__(self) -> None:
        self._previous: dict[str, Any] = {}
        """By the id of an item in progress: the id of the item before it."""
        self._ended: dict[str, None] = {}

    def after_added(self, event: Body) -> list[Body]:
        item = event.get("item")
        item_id = item.get("id") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(item_id, str):
            return []
        if item.get("status") == "in_progress":
            self._previous[item_id] = event.get("previous_item_id")
            _forget_oldest(self._previous)
            return []
        self._end(item_id)
        return [_item_done(event.get("previous_item_id"), item)]

    def before_output_done(self, event: Body) -> list[Body]:
        item = event.get("item")
        item_id = item.get("id") if isinstance(item, dict) else None
        if not isinstance(item_id, str) or item_id not in self._previous:
            return []  # not part of the conversation: a response with `conversation: "none"`
        previous = self._previous[item_id]
        self._end(item_id)
        return [_item_done(previous, item)]

    def is_news(self, event: Body) -> bool:
        """Whether the provider's own `conversation.item.done` has not been said yet."""
        item = event.get("item")
        item_id = item.get("id") if isinstance(item, dict) else None
        if not isinstance(item_id, str):
            return True
        if item_id in self._ended:
            return False
        self._end(item_id)
        return True

    def _end(self, item_id: str) -> None:
        self._previous.pop(item_id, None)
        self._ended[item_id] = None
        _forget_oldest(self._ended)


def _item_done(previous_item_id: Any, item: Any) -> Body:
    return {
        "type": ITEM_DONE,
        "event_id": new_id("event"),
        "previous_item_id": previous_item_id,
        "item": item,
    }


def _forget_oldest(items: dict[str, Any]) -> None:
    if len(items) > _MOST_ITEMS:
        del items[next(iter(items))]
