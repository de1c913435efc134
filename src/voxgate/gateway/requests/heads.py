"""The heads of a request and of its answer: which of the client's headers the provider gets, which of the
provider's come back, and what of them is told the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from voxgate.auth.credentials import Grant
from voxgate.gateway.answers import SESSION_HEADER
from voxgate.gateway.opened import opened
from voxgate.gateway.requests.joining import joining
from voxgate.gateway.requests.secrecy import is_told
from voxgate.gateway.requests.sending import Answer
from voxgate.gateway.requests.shapes import limit_headers
from voxgate.gateway.requests.work import Work

_FORWARDED: Final = frozenset((
    b"content-type", b"content-encoding", b"accept", b"user-agent", b"openai-beta",
    b"openai-safety-identifier", b"idempotency-key", b"anthropic-version", b"anthropic-beta",
    b"http-referer", b"x-title", b"x-stainless-retry-count",
))  # fmt: skip
"""Of the client's headers, what says how to answer and nothing of who asks."""
_ACCOUNT: Final = frozenset({b"openai-organization", b"openai-project"})
_OURS: Final = frozenset((
    "connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade",
    "set-cookie", "server", "date", "alt-svc", "strict-transport-security", "openai-organization",
    "openai-project",
))  # fmt: skip
"""Of the provider's headers, what is between it and us, and whose account it is."""


def sent_headers(work: Work, grant: Grant) -> dict[str, str]:
    """To the provider."""
    allowed = _FORWARDED | _ACCOUNT if grant.provider_key is not None else _FORWARDED
    raw: Iterable[tuple[bytes, bytes]] = work.request.scope["headers"]
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw if name in allowed}


def answer_head(work: Work, answer: Answer) -> dict[str, Any]:
    """To the client, as an ASGI message."""
    ours = [(b"x-voxgate-provider", answer.target.provider.encode()), *own_headers(work)]
    replaced = {name.decode() for name, _ in ours} | _OURS
    kept = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in answer.response.headers.items()
        if name.lower() not in replaced and not is_told(value, answer.target)
    ]
    return {"type": "http.response.start", "status": answer.response.status, "headers": kept + ours}


def own_headers(work: Work) -> list[tuple[bytes, bytes]]:
    """What every answer says of itself, and of the limits that held for it."""
    told = {} if work.plan is None else work.plan.headers()
    if work.metering is not None:
        told |= limit_headers(work.metering.states, work.endpoint.errors)
    if work.recorded_as is not None:
        told[SESSION_HEADER] = work.session_id
    return [(name.encode(), value.encode()) for name, value in told.items()]


def request_id(headers: Mapping[str, str]) -> str | None:
    """By which the provider knows the request."""
    return headers.get("x-request-id") or headers.get("request-id")


def opened_by(work: Work, grant: Grant, recorded: Mapping[str, bool]) -> dict[str, Any]:
    """The log's first fact."""
    request = work.request
    return opened(
        work.session_id,
        grant,
        recorded,
        kind={"model": work.model, "transport": "http", "endpoint": work.endpoint.name},
        client={
            "address": str(work.address) if work.address else None,
            "user_agent": request.headers.get("user-agent"),
            "origin": request.headers.get("origin"),
        },
        request={"path": request.url.path, "headers": joining(request.scope["headers"])},
    )
