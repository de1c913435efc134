"""The gateway's errors in the shape of the API that was called, so that its SDK raises what it knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from voxgate.core import clock
from voxgate.core.errors import BudgetSpent, RateLimited, VoxgateError
from voxgate.gateway.rates import RateState, duration

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


def retry_headers(error: VoxgateError) -> dict[str, str]:
    """When the SDKs may try again: in seconds, and exactly; or that it is no use."""
    wait = error.wait_seconds if isinstance(error, RateLimited) else None
    if wait is not None:
        return {"retry-after": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))}
    return {"x-should-retry": "false"} if isinstance(error, RateLimited | BudgetSpent) else {}


def limit_headers(states: Sequence[RateState], shape: Literal["openai", "anthropic"]) -> dict[str, str]:
    """How much of the limits per minute is left, by the names that the services have for it."""
    headers: dict[str, str] = {}
    for state in states:
        if shape == "openai":
            headers |= {
                f"x-ratelimit-limit-{state.kind}": str(state.per_minute),
                f"x-ratelimit-remaining-{state.kind}": str(state.remaining),
                f"x-ratelimit-reset-{state.kind}": duration(state.reset_seconds),
            }
        else:
            full = clock.now_utc() + timedelta(seconds=state.reset_seconds)
            headers |= {
                f"anthropic-ratelimit-{state.kind}-limit": str(state.per_minute),
                f"anthropic-ratelimit-{state.kind}-remaining": str(state.remaining),
                f"anthropic-ratelimit-{state.kind}-reset": clock.iso_utc(full),
            }
    return headers
