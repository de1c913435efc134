"""The embedded provider's WebSocket server: accepts a call, checks its key and model, and serves it.

It fails as the live service does: 101, an `error` event, then a close frame with the reason.
"""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection

from voxgate.core.errors import MissingModel, RequestError, VoxgateError
from voxgate.providers.door import GOING_AWAY, check_key, listening, port_of, refuse
from voxgate.providers.local.answering import Parts
from voxgate.providers.local.brain import Brain
from voxgate.providers.local.chat_brain import ChatBrain
from voxgate.providers.local.connection import Connection
from voxgate.providers.local.ears import Ear, HttpEar, NoEar, WhisperEar
from voxgate.providers.local.endpoints import Endpoint
from voxgate.providers.local.settings import (
    LocalSettings,
    require_voice_activity,
    resolve_ear,
    resolve_voice,
)
from voxgate.providers.local.small_brain import SmallBrain
from voxgate.providers.local.voices import EngineVoice, HttpVoice, Voice, load_hibari, load_program


class BetaShape(RequestError):
    code = "beta_api_shape_disabled"


async def serve_local(
    *,
    sock: sockets.socket | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    settings: LocalSettings,
    stop: asyncio.Event,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serves until `stop` is set, then closes the calls with 1001; `ready` gets the port.

    Raises SettingsError if a part is chosen that is not installed. The models load while it is listening
    already; the first call waits for them.
    """
    parts = build_parts(settings)
    handler = partial(_serve_call, api_key=api_key, parts=parts)
    try:
        async with listening(handler, sock=sock, host=host, port=port) as server:
            if ready:
                ready(port_of(server))
            await stop.wait()
            server.close(code=1001, reason=GOING_AWAY)
    finally:
        await parts.close()


def build_parts(settings: LocalSettings) -> Parts:
    """Raises SettingsError; what runs here begins to load in its own thread."""
    require_voice_activity()
    ear, voice = resolve_ear(settings), resolve_voice(settings)
    brain = _brain(settings)
    return Parts(settings, _ear(ear, settings), brain, _voice(voice, settings))


def _ear(engine: str, settings: LocalSettings) -> Ear:
    if engine == "none":
        return NoEar()
    if engine == "http":
        return HttpEar(
            Endpoint(
                settings.transcription_base_url or "",
                settings.transcription_model,
                settings.transcription_api_key_env,
            )
        )
    return WhisperEar()


def _voice(engine: str, settings: LocalSettings) -> Voice:
    if engine == "http":
        return HttpVoice(
            Endpoint(settings.speech_base_url or "", settings.speech_model, settings.speech_api_key_env)
        )
    if engine == "hibari":
        return EngineVoice(partial(load_hibari, settings.seed))
    return EngineVoice(partial(load_program, engine))


def _brain(settings: LocalSettings) -> Brain:
    if settings.chat_base_url is None:
        return SmallBrain(settings.seed)
    endpoint = Endpoint(settings.chat_base_url, settings.chat_model, settings.chat_api_key_env)
    return ChatBrain(endpoint, settings.seed)


async def _serve_call(socket: ServerConnection, *, api_key: str | None, parts: Parts) -> None:
    try:
        model = _admitted_model(socket, api_key)
    except VoxgateError as error:
        await refuse(socket, error)
        return
    await Connection(socket, model, parts).serve()


def _admitted_model(socket: ServerConnection, api_key: str | None) -> str:
    """The model's name as asked for. Raises what the live service answers to a wrong handshake."""
    request = socket.request
    if request is None:
        raise RequestError("No request was read.")
    check_key(request, api_key)
    if "realtime=v1" in request.headers.get("OpenAI-Beta", ""):
        raise BetaShape(
            "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
        )
    models = parse_qs(urlsplit(request.path).query).get("model")
    if not models:
        raise MissingModel("You must provide a model parameter, for example /v1/realtime?model=local")
    return models[0]
