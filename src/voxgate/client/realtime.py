"""A call of the Realtime API through a running Voxgate, in today's dialect (GA): events out, events in. What
the server refuses comes as an exception with its own words. Each call is made with a temporary credential of
its own, which carries the tags and the metadata that the recorded session is found by.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson

from voxgate.client.http import ApiError, Client
from voxgate.core.errors import VoxgateError

Json = dict[str, Any]

SESSION_HEADER: Final = "x-voxgate-session-id"
_PATH: Final = "/openai/v1/realtime"
"""By which clients come that speak GA: by `/v1/realtime` the gateway has to find out."""
_TTL_SECONDS: Final = 120
_FINAL_TYPES: Final = frozenset({"invalid_request_error", "insufficient_quota", "authentication_error"})
_FINAL_CLOSES: Final = frozenset({1000, 1008, 1009, 3000, 4000, 4001, 4003})
"""Close codes after which the SDKs do not connect again either (realtime-protocol 2.4), and ours."""
_FINAL_STATUSES: Final = range(400, 500)
_TOO_MANY: Final = 429
_CLOSED: Final = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED})


class RealtimeError(VoxgateError):
    """An `error` event; the call goes on. `retryable`: the same may go well another time."""

    def __init__(self, error: Mapping[str, Any], *, retryable: bool | None = None) -> None:
        super().__init__(str(error.get("message") or error.get("code") or error.get("type") or "error"))
        self.error_type: str | None = error.get("type")
        self.error_code: str | None = error.get("code")
        self.param: str | None = error.get("param")
        self.event_id: str | None = error.get("event_id")
        self.retryable = self.error_type not in _FINAL_TYPES if retryable is None else retryable


class RealtimeClosed(RealtimeError):
    """The call is over, or never came to be. `close_code_seen` is None where the connection broke."""

    def __init__(
        self, error: Mapping[str, Any], *, close_code: int | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(error, retryable=retryable)
        self.close_code_seen = close_code


class RealtimeSession:
    """`id` is the recorded session's; None where nothing is recorded. One task may receive at a time."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session_id: str | None) -> None:
        self.id = session_id
        self._socket = socket
        self._last_error: Json | None = None

    async def send(self, event: Mapping[str, Any]) -> None:
        """Waits while the server does not read. RealtimeClosed if the call is over."""
        try:
            await self._socket.send_str(orjson.dumps(event).decode())
        except (OSError, aiohttp.ClientError) as error:
            raise self._broken(f"The connection to Voxgate broke: {error}") from error

    async def receive(self) -> Json:
        """The next event. RealtimeError for an `error` event, after which one may go on receiving;
        RealtimeClosed once the call is over."""
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return self._event(message.data)
        if message.type in _CLOSED:
            raise self._closed(message)
        if message.type is aiohttp.WSMsgType.ERROR:
            raise self._broken(f"The connection to Voxgate broke: {message.data}")
        raise RealtimeError({"type": "invalid_event", "message": "The server sent a binary message."})

    async def close(self) -> None:
        await self._socket.close()

    def _event(self, text: str) -> Json:
        try:
            event: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            raise RealtimeError({"type": "invalid_event", "message": f"The server sent {text[:100]!r}."})
        if event.get("type") == "error":
            said = event.get("error")
            self._last_error = said if isinstance(said, dict) else {"message": str(said)}
            raise RealtimeError(self._last_error)
        return event

    def _closed(self, message: aiohttp.WSMessage) -> RealtimeClosed:
        code = message.data if isinstance(message.data, int) else self._socket.close_code
        reason = message.extra or f"The call was closed with {code}."
        error = self._last_error or {"type": "closed", "message": reason}
        final = code in _FINAL_CLOSES or error.get("type") in _FINAL_TYPES
        return RealtimeClosed(error, close_code=code, retryable=not final)

    def _broken(self, words: str) -> RealtimeClosed:
        return RealtimeClosed(self._last_error or {"type": "connection_error", "message": words})


@asynccontextmanager
async def realtime_session(
    client: Client,
    model: str,
    *,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    project: str | None = None,
    connect_seconds: float = 30,
) -> AsyncIterator[RealtimeSession]:
    """An open call with this model, closed at the end whatever happens. RealtimeClosed if it is refused.
    Without a `project` it is not recorded."""
    key = await _credential(client, tags, metadata or {}, project)
    url = f"{client.url.replace('http', 'ws', 1)}{_PATH}?{urlencode({'model': model})}"
    head = _Head()
    async with aiohttp.ClientSession(trace_configs=[head.config]) as http:
        socket = await _connected(http, url, key, connect_seconds)
        try:
            yield RealtimeSession(socket, head.session_id)
        finally:
            await socket.close()


class _Head:
    """Of the answer to the upgrade, which aiohttp shows nowhere else."""

    def __init__(self) -> None:
        self.session_id: str | None = None
        self.config = aiohttp.TraceConfig()
        self.config.on_request_end.append(self._see)

    async def _see(
        self, _http: aiohttp.ClientSession, _context: object, found: aiohttp.TraceRequestEndParams
    ) -> None:
        self.session_id = found.response.headers.get(SESSION_HEADER)


async def _credential(
    client: Client, tags: Sequence[str], metadata: Mapping[str, Any], project: str | None
) -> str:
    """Without a model and other scopes, so that the call is relayed without being looked into."""
    body: Json = {"ttl_seconds": _TTL_SECONDS, "metadata": {**metadata, "tags": list(tags)}}
    if project is not None:
        body["logging"] = {"project_name": project}
    try:
        answer = await asyncio.to_thread(client.call, "POST", "/v1/credentials", body)
    except ApiError as error:
        raise _refused(error.message, error.http_status) from error
    return str(answer["key"])


async def _connected(
    http: aiohttp.ClientSession, url: str, key: str, seconds: float
) -> aiohttp.ClientWebSocketResponse:
    headers = {"authorization": f"Bearer {key}"}
    try:
        async with asyncio.timeout(seconds):
            return await http.ws_connect(url, headers=headers, max_msg_size=0, autoping=True)
    except aiohttp.WSServerHandshakeError as error:
        raise _refused(f"Voxgate refused the call: {error.status} {error.message}", error.status) from error
    except (OSError, aiohttp.ClientError) as error:  # a TimeoutError is an OSError
        said = str(error) or f"no answer within {seconds:g} s"
        raise RealtimeClosed({"type": "connection_error", "message": f"No call: {said}"}) from error


def _refused(message: str, status: int | None) -> RealtimeClosed:
    final = status in _FINAL_STATUSES and status != _TOO_MANY
    return RealtimeClosed({"type": "refused", "message": message}, retryable=not final)
