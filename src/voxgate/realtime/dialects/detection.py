"""Which dialect a client speaks: from its handshake, otherwise from what it first says about its session."""

from __future__ import annotations

from typing import Any, Final

import orjson

from voxgate.realtime.dialects.names import find_name
from voxgate.realtime.dialects.table import FIELDS, TRANSCRIPTION, Dialect, Shape
from voxgate.realtime.handshake import Request

AZURE_PATH: Final = "/openai/realtime"
"""Azure's older one, of clients of both dialects that do not always say which."""
_AZURE_GA_PATH: Final = "/openai/v1/"
_VOICE_LIVE_PATH: Final = "/voice-live/"
_SHAPES: Final[dict[bytes, tuple[str, Shape]]] = {
    b"session.update": ("session", "session"),
    b"response.create": ("response", "request"),
}
TELLING: Final = frozenset({*_SHAPES, b"transcription_session.update"})
"""Types of events that may show their client's dialect."""


def detect(request: Request) -> Dialect | None:
    """None: the handshake does not say. `/openai/realtime` of Azure is used by clients of both dialects, and
    so is an ordinary path without the beta header."""
    if request.is_beta or request.path.startswith(_VOICE_LIVE_PATH):
        return Dialect.BETA
    return Dialect.GA if request.path.startswith(_AZURE_GA_PATH) else None


def detect_from_update(text: bytes) -> Dialect | None:
    """From the first `session.update`, or another client event that has words of one dialect only."""
    found = find_name(text)
    if found is not None and found[0] not in TELLING:
        return None  # audio for the most part: not decoded
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return _detect_from_event(event) if isinstance(event, dict) else None


def _detect_from_event(event: dict[str, Any]) -> Dialect | None:
    name = event.get("type")
    if not isinstance(name, str):
        return None
    if name.startswith(TRANSCRIPTION):
        return Dialect.BETA
    key, shape = _SHAPES.get(name.encode(), ("", "session"))
    body = event.get(key)
    if not isinstance(body, dict):
        return None
    if "type" in body or any(field.ga[0] in body for field in FIELDS[shape]):
        return Dialect.GA
    if any(field.beta in body for field in FIELDS[shape]) or "temperature" in body:
        return Dialect.BETA
    # GA refuses a session without its type, so even plain instructions tell; a response has none.
    return Dialect.BETA if body and shape == "session" else None
