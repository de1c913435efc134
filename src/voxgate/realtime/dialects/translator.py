"""The translation of one call: messages of one side in, messages in the other side's dialect out. Audio is
recognised by its first bytes and never decoded; a message that needs no change goes on as the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import orjson

from voxgate.realtime.dialects.bodies import (
    Body,
    Kind,
    kind_of,
    name_item,
    translate_item,
    translate_response,
    translate_session,
)
from voxgate.realtime.dialects.detection import TELLING, detect_from_update
from voxgate.realtime.dialects.errors import refusal, translate_error
from voxgate.realtime.dialects.memory import ItemEnds, UntoldFields
from voxgate.realtime.dialects.names import find_name, replace_name
from voxgate.realtime.dialects.table import (
    ITEM_ADDED,
    ITEM_DONE,
    MODEL_RULES,
    OUTPUT_ITEM_DONE,
    RULES,
    TRANSCRIPTION,
    Dialect,
    Refused,
    Rule,
)


class Translated(NamedTuple):
    """What becomes of a message: what goes on to the other side, and what goes back to where it came from."""

    forward: tuple[bytes, ...] = ()
    back: tuple[bytes, ...] = ()


class MessageTranslator(Protocol):
    def to_provider(self, text: bytes) -> Translated: ...

    def to_client(self, text: bytes) -> Translated: ...

    def name_to_provider(self, name: bytes) -> bytes | None:
        """The type that a message of this type, which it says first, goes on with, if all else stays as it
        is, whatever it says, and nothing is remembered of it; None where that cannot be said. Holds until the
        next message is translated."""

    def name_to_client(self, name: bytes) -> bytes | None:
        """Likewise."""


class _Events(NamedTuple):
    forward: list[Body]
    back: list[Body]


_Handler = Callable[[Body, Rule], _Events | None]
"""Takes a decoded event; None if it goes on unchanged."""


class Translator:
    """Translates both directions of a call.

    `client` is None as long as it is not known; until the client's first session.update shows it, the client
    is taken to speak `presumed`, which is the provider's dialect if not given. `requested_model` is
    the name that the client asked for and is shown, `upstream_model` the one that the provider knows.
    `refused` adds what this provider refuses beyond its dialect (see `REFUSED_BY_VOICE_LIVE`). `is_waypoint`:
    what is called the provider here is another translator, so nothing is refused or taken out for it.

    Never raises, whatever the bytes: what cannot be read goes on unchanged.
    """

    def __init__(
        self,
        client: Dialect | None,
        provider: Dialect,
        *,
        requested_model: str | None = None,
        upstream_model: str | None = None,
        refused: Refused | None = None,
        presumed: Dialect | None = None,
        is_waypoint: bool = False,
    ) -> None:
        self.client = client
        self.provider = provider
        self._presumed = presumed or provider
        self._is_waypoint = is_waypoint
        self._requested_model = requested_model
        self._upstream_model = upstream_model
        self._refused = refused or {}
        self._settle()

    def _settle(self) -> None:
        """Chooses the tables, now that the client's dialect is known or presumed."""
        client = self._speaks
        self._translates = client is not self.provider
        self._untold = UntoldFields(client, self.provider, self._refused, is_waypoint=self._is_waypoint)
        self._ends = ItemEnds() if self._translates and client is Dialect.GA else None
        models = (self._requested_model, self._upstream_model)
        same = MODEL_RULES if None not in models and models[0] != models[1] else {}
        self._client_rules = RULES[self.provider] if self._translates else same
        self._server_rules = RULES[client] if self._translates else same

    @property
    def _speaks(self) -> Dialect:
        return self.client or self._presumed

    @property
    def transparent(self) -> bool:
        """Whether the client is known and every message of this call goes on unchanged, so that none needs to
        pass through here."""
        return self.client is not None and not self._client_rules

    def to_provider(self, text: bytes) -> Translated:
        if self.client is None and (dialect := detect_from_update(text)) is not None:
            self.client = dialect
            if dialect is not self._presumed:
                self._settle()
        return _translate(text, self._client_rules, self._client_event)

    def to_client(self, text: bytes) -> Translated:
        return _translate(text, self._server_rules, self._server_event)

    def name_to_provider(self, name: bytes) -> bytes | None:
        shows_dialect = self.client is None and name in TELLING
        return None if shows_dialect else _renamed_by(self._client_rules, name)

    def name_to_client(self, name: bytes) -> bytes | None:
        return _renamed_by(self._server_rules, name)

    def _client_event(self, event: Body, rule: Rule) -> _Events | None:
        body = event.get(rule.key or "")
        if not isinstance(body, dict):
            return _renamed(event, rule, changed=False)
        if rule.shape == "session":
            return self._client_session(event, body)
        if rule.shape == "request":
            return self._client_response(event, body)
        return _renamed(event, rule, rule.shape == "item" and translate_item(body, self.provider))

    def _client_session(self, event: Body, session: Body) -> _Events | None:
        kind = kind_of(session, event["type"])
        if kind is None:
            return None
        changed = _name_model(session, self._upstream_model)
        if self._translates:
            changed |= translate_session(session, kind, self.provider)
            if (error := self._refusal(event, "session")) is not None:
                return _Events([], [error])
            changed |= self._untold.take_from_session(session, kind)
            changed |= _name_session_event(event, kind, self.provider)
        return _Events([event], []) if changed else None

    def _client_response(self, event: Body, response: Body) -> _Events | None:
        changed = translate_response(response, "request", self.provider)
        if (error := self._refusal(event, "response")) is not None:
            return _Events([], [error])
        changed |= self._untold.take_from_request(response)
        return _Events([event], []) if changed else None

    def _refusal(self, event: Body, key: str) -> Body | None:
        """Behind a waypoint the provider may have a word that the dialect between has not."""
        return None if self._is_waypoint else refusal(event, key, self.provider)

    def _server_event(self, event: Body, rule: Rule) -> _Events | None:
        client = self._speaks
        body = event.get(rule.key or "")
        if not isinstance(body, dict):
            return _renamed(event, rule, changed=False)
        if rule.shape == "session":
            return self._server_session(event, body, client)
        if rule.shape == "item":
            return self._server_item(event, rule, body, client)
        if rule.shape == "response":
            changed = self._untold.put_into_response(body, event["type"])
            return _renamed(event, rule, translate_response(body, "response", client) or changed)
        return _renamed(event, rule, rule.shape == "error" and translate_error(body, client))

    def _server_session(self, event: Body, session: Body, client: Dialect) -> _Events | None:
        kind = kind_of(session, event["type"])
        if kind is None:
            return None
        changed = _name_model(session, self._requested_model)
        if self._translates:
            changed |= self._untold.put_into_session(session, kind)
            changed |= translate_session(session, kind, client)
            changed |= _name_session_event(event, kind, client)
        return _Events([event], []) if changed else None

    def _server_item(self, event: Body, rule: Rule, item: Body, client: Dialect) -> _Events | None:
        changed = translate_item(item, client) | name_item(item, client)
        events = _renamed(event, rule, changed)
        if self._ends is None:
            return events
        if event["type"] == ITEM_DONE:
            return events if self._ends.is_news(event) else _Events([], [])
        before = self._ends.before_output_done(event) if event["type"] == OUTPUT_ITEM_DONE else []
        after = self._ends.after_added(event) if event["type"] == ITEM_ADDED else []
        return _Events([*before, event, *after], []) if before or after else events


def _renamed_by(rules: Mapping[bytes, Rule], name: bytes) -> bytes | None:
    rule = rules.get(name)
    if rule is None:
        return name
    return None if rule.swallowed or rule.shape is not None else rule.name


def _translate(text: bytes, rules: Mapping[bytes, Rule], handler: _Handler) -> Translated:
    if not rules:
        return Translated((text,))
    found = find_name(text)
    if found is None:
        return _translate_decoded(text, rules, handler)
    name, start = found
    rule = rules.get(name)
    if rule is None:
        return Translated((text,))
    if rule.swallowed:
        return Translated()
    if rule.shape is None:
        return Translated((replace_name(text, name, start, rule.name),))
    return _translate_decoded(text, rules, handler)


def _translate_decoded(text: bytes, rules: Mapping[bytes, Rule], handler: _Handler) -> Translated:
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Translated((text,))
    name = event.get("type") if isinstance(event, dict) else None
    rule = rules.get(name.encode()) if isinstance(name, str) else None
    if rule is None:
        return Translated((text,))
    if rule.swallowed:
        return Translated()
    events = _renamed(event, rule, changed=False) if rule.shape is None else handler(event, rule)
    if events is None:
        return Translated((text,))
    try:
        return Translated(tuple(map(orjson.dumps, events.forward)), tuple(map(orjson.dumps, events.back)))
    except orjson.JSONEncodeError:  # nested deeper than can be written: as it came
        return Translated((text,))


def _renamed(event: Body, rule: Rule, changed: bool) -> _Events | None:
    name = rule.name.decode()
    if not changed and event["type"] == name:
        return None
    event["type"] = name
    return _Events([event], [])


def _name_model(session: Body, name: str | None) -> bool:
    """A session's model cannot be changed by an update, so the only name it can mean is the call's."""
    if name is None or not isinstance(session.get("model"), str) or session["model"] == name:
        return False
    session["model"] = name
    return True


def _name_session_event(event: Body, kind: Kind, to: Dialect) -> bool:
    prefix = TRANSCRIPTION if to is Dialect.BETA and kind == "transcription" else ""
    name = prefix + event["type"].removeprefix(TRANSCRIPTION)
    changed: bool = name != event["type"]
    event["type"] = name
    return changed
