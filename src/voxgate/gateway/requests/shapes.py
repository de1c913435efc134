"""The gateway's errors in the shape of the API that was called, so that its SDK raises what it knows."""

from __future__ import annotations

from typing import Any, Final, Literal

from voxgate.core.errors import VoxgateError

_ANTHROPIC: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    503: "overloaded_error",
}


def error_body(error: VoxgateError, shape: Literal["openai", "anthropic"]) -> dict[str, Any]:
    if shape == "openai":
        return error.body()
    kind = _ANTHROPIC.get(error.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}}
