"""What of a recorded message is of the live call: ids that its client has made, what is echoed to it, and
what must be new each time.
"""

from __future__ import annotations

import time
from typing import Any, Final

from voxgate.core.ids import new_id
from voxgate.evals.playback.matching import client_item_id
from voxgate.evals.playback.script import CREATE_RESPONSE, TRUNCATE, Json, Sent
from voxgate.traces.events import name_of, obj

_ID_MEMBERS: Final = frozenset({"id", "item_id", "previous_item_id"})
_SESSION_SECONDS: Final = 3600


class Rewriter:
    def __init__(self) -> None:
        self._live_ids: dict[str, str] = {}
        """Of items, by the recorded ids; the other way around below."""
        self._recorded_ids: dict[str, str] = {}
        self._event_ids: dict[str, str | None] = {}
        self._metadata: dict[str, Any] = {}
        self._ends_ms: dict[str, Any] = {}

    def recorded_item_id(self, msg: Json) -> str | None:
        """The item that a live message is about."""
        item_id = client_item_id(msg)
        return self._recorded_ids.get(item_id, item_id) if item_id is not None else None

    def learn(self, recorded: Sent, msg: Json) -> None:
        """A live message stands for that recorded one."""
        live_id = client_item_id(msg)
        if live_id is not None and recorded.item_id not in (None, live_id):
            known = recorded.item_id or ""
            self._live_ids.setdefault(known, live_id)
            self._recorded_ids.setdefault(live_id, known)
        if (event_id := name_of(recorded.msg, "event_id")) is not None:
            self._event_ids[event_id] = name_of(msg, "event_id")
        if recorded.name == CREATE_RESPONSE and recorded.response_id is not None:
            self._metadata[recorded.response_id] = obj(msg, "response").get("metadata")
        if recorded.name == TRUNCATE and recorded.item_id is not None:
            self._ends_ms[recorded.item_id] = msg.get("audio_end_ms")

    def live(self, msg: Json) -> Json:
        """The message as it goes out. Changes the one that it is given."""
        self._echo(msg)
        if self._live_ids:
            self._rename(msg)
        if "event_id" in msg:
            msg["event_id"] = new_id("event")
        return msg

    def _echo(self, msg: Json) -> None:
        """Clients know their own answers again by these."""
        response, error, session = obj(msg, "response"), obj(msg, "error"), obj(msg, "session")
        if response.get("id") in self._metadata:
            response["metadata"] = self._metadata[response["id"]]
        if error.get("event_id") in self._event_ids:
            error["event_id"] = self._event_ids[error["event_id"]]
        if msg.get("item_id") in self._ends_ms and "audio_end_ms" in msg:
            msg["audio_end_ms"] = self._ends_ms[msg["item_id"]]
        if session.get("expires_at"):  # the recorded session has long expired
            session["expires_at"] = int(time.time()) + _SESSION_SECONDS

    def _rename(self, value: Any) -> None:
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(one, dict | list):
                self._rename(one)
            elif name in _ID_MEMBERS and one in self._live_ids:
                value[name] = self._live_ids[one]
