"""The endpoint of `replay:` models: accepts a call, finds the recording that its model means, and plays it.

GET /v1/realtime?model=replay:SESSION[&replay_speed=4|max][&replay_matching=strict|lenient]
"""

from __future__ import annotations

import asyncio
import logging
import socket as sockets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from voxgate.core.errors import InvalidRequest, MissingModel, RequestError, VoxgateError
from voxgate.evals.playback.connection import Connection
from voxgate.evals.playback.loading import Recordings, load
from voxgate.evals.playback.matching import Matching
from voxgate.evals.playback.player import Player
from voxgate.providers.door import GOING_AWAY, check_key, listening, port_of, refuse
from voxgate.providers.replays import MATCHING_PARAMETER, PROJECT_HEADER, SPEED_PARAMETER
from voxgate.realtime.dialects import Dialect
from voxgate.realtime.handshake import BETA_SUBPROTOCOL, BETA_VALUE

_FASTEST: Final = 1000.0
_MATCHINGS: Final[tuple[Matching, ...]] = ("strict", "lenient")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for."""

    model: str
    project: str | None
    speed: float | None
    matching: Matching
    dialect: Dialect


@dataclass(slots=True)
class Playback:
    """The endpoint. `speed` and `matching` hold for requests that say nothing of it."""

    recordings: Recordings
    api_key: str | None = None
    speed: float | None = 1.0
    matching: Matching = "strict"
    on_call: Callable[[Player], None] = field(default=lambda _: None)
    """Told of every call that begins."""

    async def serve(
        self,
        stop: asyncio.Event,
        ready: Callable[[int], None],
        *,
        sock: sockets.socket | None = None,
    ) -> None:
        """Until `stop` is set; `ready` gets the port."""
        async with listening(self._serve_call, sock=sock) as server:
            ready(port_of(server))
            await stop.wait()
            server.close(code=1001, reason=GOING_AWAY)

    async def _serve_call(self, socket: ServerConnection) -> None:
        try:
            wish = self._wish(socket)
            recording = await asyncio.to_thread(load, self.recordings, wish.model, wish.project)
        except VoxgateError as error:
            await refuse(socket, error)
            return
        try:
            player = Player(recording.script, recording.message, speed=wish.speed, matching=wish.matching)
            self.on_call(player)
            translators = recording.translators(wish.dialect)
            await Connection(socket, player, recording.script, translators, wish.matching).serve()
            if left := player.missing:
                logger.info("%s was not played to its end; it waited for %s", wish.model, left[0])
        finally:
            recording.close()

    def _wish(self, socket: ServerConnection) -> Wish:
        """What the request asks for. Raises what the live service answers to a wrong handshake."""
        request = socket.request
        if request is None:
            raise RequestError("No request was read.")
        check_key(request, self.api_key)
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        if not query.get("model"):
            raise MissingModel("You must provide a model parameter, for example /v1/realtime?model=replay:…")
        project = request.headers.get(PROJECT_HEADER)
        return Wish(
            query["model"],
            unquote(project) if project is not None else None,
            _speed(query[SPEED_PARAMETER]) if SPEED_PARAMETER in query else self.speed,
            _matching(query[MATCHING_PARAMETER]) if MATCHING_PARAMETER in query else self.matching,
            Dialect.BETA if _is_beta(request) else Dialect.GA,
        )


def _speed(text: str) -> float | None:
    """None: without any pause."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= _FASTEST:
        raise InvalidRequest(
            f"replay_speed is {text[:20]!r}; it can be a number up to {_FASTEST:g}, or max.",
            param=SPEED_PARAMETER,
        )
    return speed


def _matching(text: str) -> Matching:
    for matching in _MATCHINGS:
        if text == matching:
            return matching
    raise InvalidRequest(
        f"replay_matching is {text[:20]!r}; it can be strict or lenient.", param=MATCHING_PARAMETER
    )


def _is_beta(request: Request) -> bool:
    offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
    return BETA_VALUE in request.headers.get("OpenAI-Beta", "") or BETA_SUBPROTOCOL in offered
