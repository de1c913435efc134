"""The door of a Realtime endpoint of our own, behind a loopback socket: its paths, its key, how it refuses.
It fails as the live service does: 101, an `error` event, then a close frame with the reason.
"""

from __future__ import annotations

import hmac
import socket as sockets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from voxgate.core.errors import InvalidKey, Unauthenticated, VoxgateError
from voxgate.core.ids import new_id

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
PING_SECONDS: Final = 20.0
PATHS: Final = ("/v1/realtime", "/openai/v1/realtime")
GOING_AWAY: Final = "The server is stopping."
_KEY_SUBPROTOCOL: Final = "openai-insecure-api-key."


def listening(
    handler: Callable[[ServerConnection], Awaitable[None]],
    *,
    sock: sockets.socket | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AbstractAsyncContextManager[Server]:
    """A context manager that gives the server. What it has begun it closes with 1001."""
    where: dict[str, Any] = {"sock": sock} if sock else {"host": host, "port": port}
    return serve(
        handler,
        **where,
        process_request=refuse_other_paths,
        select_subprotocol=select_subprotocol,
        compression=None,
        max_size=MAX_MESSAGE_BYTES,
        ping_interval=PING_SECONDS,
        ping_timeout=None,
        server_header=None,
    )


def check_key(request: Request, api_key: str | None) -> None:
    if api_key is None:
        return
    given = given_key(request)
    if given is None:
        raise Unauthenticated("Missing bearer or basic authentication in header")
    if not hmac.compare_digest(given.encode(), api_key.encode()):
        raise InvalidKey("Incorrect API key provided.")


def given_key(request: Request) -> str | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        return key.strip()
    if "api-key" in request.headers:
        return request.headers["api-key"]
    offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
    for name in map(str.strip, offered.split(",")):
        if name.startswith(_KEY_SUBPROTOCOL):
            return name.removeprefix(_KEY_SUBPROTOCOL)
    return None


async def refuse(socket: ServerConnection, error: VoxgateError) -> None:
    try:
        await socket.send(orjson.dumps(error.event(new_id("event"))).decode())
        await socket.close(error.close_code, error.close_reason)
    except ConnectionClosed:
        pass  # the client did not wait for the reason


def refuse_other_paths(connection: ServerConnection, request: Request) -> Response | None:
    if urlsplit(request.path).path in PATHS:
        return None
    message = f"No such path: {urlsplit(request.path).path}. The endpoint is /v1/realtime.\n"
    return connection.respond(HTTPStatus.NOT_FOUND, message)


def select_subprotocol(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Browsers give up if they offer protocols and none is taken."""
    return Subprotocol("realtime") if "realtime" in offered else None


def port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
