"""What an HTTP endpoint of the gateway reads and answers: JSON bodies, and errors in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from voxgate.core.errors import BodyTooLarge, InvalidRequest, VoxgateError

SESSION_HEADER: Final = "x-voxgate-session-id"
"""Says under which id a call or a request is recorded."""
_LARGEST_BODY: Final = 64 << 10

Endpoint = Callable[[Request], Awaitable[Response]]


class Json(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def error_response(error: VoxgateError) -> Response:
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
    return Json(error.body(), status_code=error.status, headers=headers)


def guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose VoxgateErrors become answers."""

    async def run(request: Request) -> Response:
        try:
            return await endpoint(request)
        except VoxgateError as error:
            return error_response(error)

    return run


async def json_body(request: Request) -> Any:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_BODY:
            raise BodyTooLarge(f"The body is larger than {_LARGEST_BODY:,} bytes.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
