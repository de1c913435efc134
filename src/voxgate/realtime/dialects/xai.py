"""What xAI says otherwise than GA: a session's voice and turn detection stand at its top, and a response's
usage beside the response. What it says is shown in GA's places too, and nothing is taken away from it.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from voxgate.realtime.dialects.bodies import Body, flatten, leaf, nest
from voxgate.realtime.dialects.names import find_name
from voxgate.realtime.dialects.table import Field
from voxgate.realtime.dialects.translator import Translated
from voxgate.realtime.dialects.words import MODALITIES, Words


def _detection_to_ga(value: Any) -> Any:
    return None if isinstance(value, dict) and value.get("type", "") is None else value


def _detection_to_xai(value: Any) -> Any:
    return {"type": None} if value is None else value


_TOLD: Final = (
    Field("voice", ("audio", "output", "voice")),
    Field("turn_detection", ("audio", "input", "turn_detection"), Words(_detection_to_ga, _detection_to_xai)),
)
"""xAI's field and GA's."""
_SHOWN: Final = (*_TOLD, Field("modalities", ("output_modalities",), MODALITIES))
_SESSIONS: Final = ("session.created", "session.updated")
_CHANGED: Final = frozenset({b"session.created", b"session.updated", b"response.done"})


class XaiTranslator:
    """Both directions of a call, of which xAI is the provider and GA the other side. Never raises; what needs
    no change goes on as the same bytes."""

    def to_provider(self, text: bytes) -> Translated:
        found = find_name(text)
        if found is not None and found[0] != b"session.update":
            return Translated((text,))
        event = _decoded(text)
        session = event.get("session")
        if event.get("type") != "session.update" or not isinstance(session, dict):
            return Translated((text,))
        return _written(event, text) if flatten(session, _TOLD) else Translated((text,))

    def to_client(self, text: bytes) -> Translated:
        found = find_name(text)
        if found is not None and found[0] not in _CHANGED:
            return Translated((text,))
        event = _decoded(text)
        changed = _show_session(event) if event.get("type") in _SESSIONS else _show_usage(event)
        return _written(event, text) if changed else Translated((text,))

    def name_to_provider(self, name: bytes) -> bytes | None:
        return None if name == b"session.update" else name

    def name_to_client(self, name: bytes) -> bytes | None:
        return None if name in _CHANGED else name


def _show_session(event: Body) -> bool:
    session = event.get("session")
    if not isinstance(session, dict):
        return False
    session.setdefault("type", "realtime")
    shown = [field for field in _SHOWN if field.beta in session and leaf(session, field.ga) is None]
    own = {field.beta: session[field.beta] for field in shown}
    nest(session, shown)
    session.update(own)
    return True


def _show_usage(event: Body) -> bool:
    response, usage = event.get("response"), event.get("usage")
    if event.get("type") != "response.done" or not isinstance(response, dict) or not usage:
        return False
    if response.get("usage"):
        return False
    response["usage"] = usage
    return True


def _decoded(text: bytes) -> Body:
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def _written(event: Body, text: bytes) -> Translated:
    try:
        return Translated((orjson.dumps(event),))
    except orjson.JSONEncodeError:  # nested deeper than can be written: as it came
        return Translated((text,))
