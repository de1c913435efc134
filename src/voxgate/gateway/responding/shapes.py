"""The gateway's own words on a socket of `responses`: its `error` event has a status, and its error no
`event_id`, by OpenAI's guide on the WebSocket mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from voxgate.core.errors import RateLimited, SessionExpired, VoxgateError
from voxgate.gateway.rates import RateState
from voxgate.gateway.requests.shapes import limit_headers, retry_headers

_CODES: Final[dict[type[VoxgateError], str]] = {SessionExpired: "websocket_connection_limit_reached"}
"""What its clients know under another name: they connect again."""


def error_event(error: VoxgateError) -> dict[str, Any]:
    body = error.body()["error"]
    return {
        "type": "error",
        "status": error.status,
        "error": {**body, "code": _CODES.get(type(error), body["code"])},
    }


def limited_event(error: RateLimited, states: Sequence[RateState]) -> dict[str, Any]:
    """With what an answer over HTTP says in its headers: when to ask again, and how much is left."""
    return {**error_event(error), "headers": {**retry_headers(error), **limit_headers(states, "openai")}}


def as_responses(text: bytes) -> bytes:
    """The same of an `error` event that a stage has written for a Realtime session."""
    error = orjson.loads(text)["error"]
    status = 429 if error["code"] in ("budget_spent", "budget_reserved") else 403
    status = 400 if error["code"] in ("invalid_event", "invalid_value") else status
    kept = {name: error.get(name) for name in ("message", "type", "code", "param")}
    return orjson.dumps({"type": "error", "status": status, "error": kept})
