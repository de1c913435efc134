"""The bodies of the endpoints that make client secrets (realtime-protocol 3.1 and 3.2): OpenAI's requests, GA
and beta, in; what the secret has to carry, and the session as OpenAI's answers show it, out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxgate.auth.credentials import ModelName
from voxgate.auth.scopes import FIELDS, InputSettings, SessionSettings
from voxgate.core.errors import InvalidRequest
from voxgate.gateway.parameters import refusal
from voxgate.realtime.dialects.bodies import Kind, translate_session
from voxgate.realtime.dialects.table import DEFAULT_TEMPERATURE, Dialect

Body = dict[str, Any]
_Form = TypeVar("_Form", bound=BaseModel)
_DEFAULT_SECONDS: Final = 600


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Expiry(_Part):
    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Field(ge=10, le=7200)] = _DEFAULT_SECONDS


class _RealtimeSession(SessionSettings):
    type: Literal["realtime"]
    model: ModelName | None = None


class _TranscriptionAudio(_Part):
    input: InputSettings = Field(default_factory=InputSettings)


class _TranscriptionSession(_Part):
    type: Literal["transcription"]
    audio: _TranscriptionAudio = Field(default_factory=_TranscriptionAudio)
    include: list[str] | None = None


class _GaRequest(_Part):
    """Of `/client_secrets`."""

    expires_after: _Expiry | None = None
    session: Annotated[_RealtimeSession | _TranscriptionSession, Field(discriminator="type")] | None = None


class _BetaSecret(_Part):
    expires_after: _Expiry | None = None
    expires_at: _Expiry | None = None
    """What `/transcription_sessions` calls the same."""


_BetaFormat = Literal["pcm16", "g711_ulaw", "g711_alaw"]


class _BetaInput(_Part):
    """Of `/transcription_sessions`, and a part of `/sessions`."""

    client_secret: _BetaSecret | None = None
    include: list[str] | None = None
    input_audio_format: _BetaFormat = "pcm16"
    input_audio_noise_reduction: Body | None = None
    input_audio_transcription: Body | None = None
    modalities: list[Literal["audio", "text"]] | None = None
    turn_detection: Body | None = None


class _BetaSession(_BetaInput):
    """Of `/sessions`."""

    instructions: str | None = None
    max_response_output_tokens: int | Literal["inf"] | None = None
    model: ModelName | None = None
    output_audio_format: _BetaFormat = "pcm16"
    prompt: Body | None = None
    speed: Annotated[float, Field(strict=False, ge=0.25, le=1.5)] | None = None
    temperature: Annotated[float, Field(strict=False)] | None = None
    tool_choice: str | Body | None = None
    tools: list[Body] | None = None
    tracing: str | Body | None = None
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for. `settings` are those that were given, in GA's names."""

    kind: Kind
    ttl_seconds: int
    settings: Body
    model: str | None = None
    model_param: str = "model"
    """Where the request names the model."""
    only_shown: Body | None = None
    """What the beta client said and GA has no word for."""


def read_ga(body: Any) -> Wanted:
    request = _validated(_GaRequest, body)
    ttl = request.expires_after.seconds if request.expires_after else _DEFAULT_SECONDS
    if request.session is None:
        return Wanted("realtime", ttl, {"type": "realtime"}, model_param="session.model")
    settings = request.session.model_dump(exclude_unset=True)
    return Wanted(request.session.type, ttl, settings, settings.pop("model", None), "session.model")


def read_beta(body: Any, kind: Kind) -> Wanted:
    request = _validated(_BetaSession if kind == "realtime" else _BetaInput, body)
    secret = request.client_secret
    expiry = (secret.expires_after or secret.expires_at) if secret else None
    settings = request.model_dump(exclude_unset=True, exclude={"client_secret"})
    model = settings.pop("model", None)
    only_shown = {name: settings.pop(name) for name in ("temperature",) if name in settings}
    if kind == "transcription" and "modalities" in settings:
        only_shown["modalities"] = settings.pop("modalities")
    translate_session(settings, kind, Dialect.GA)
    ttl = expiry.seconds if expiry else _DEFAULT_SECONDS
    return Wanted(kind, ttl, settings, model, only_shown=only_shown)


def ga_session(wanted: Wanted, session_id: str) -> Body:
    """The whole session that the answer shows: what was given, and the service's defaults (as recorded of
    `client_secrets`) for the rest."""
    given = dict(wanted.settings)
    audio = given.pop("audio", {})
    session: Body = {"type": wanted.kind, "object": _OBJECTS[wanted.kind], "id": session_id, "expires_at": 0}
    shown_audio = {"input": _input(audio.get("input", {}), wanted.kind)}
    if wanted.kind == "realtime":
        session |= _DEFAULTS
        session |= {"model": wanted.model} if wanted.model else {}
        shown_audio["output"] = _output(audio.get("output", {}))
    return {**session, "include": None, **given, "audio": shown_audio}


def beta_session(wanted: Wanted, session_id: str) -> Body:
    """The same, flat."""
    session = ga_session(wanted, session_id)
    translate_session(session, wanted.kind, Dialect.BETA)
    for name in ("truncation", "include"):
        if name not in wanted.settings:
            session.pop(name, None)
    said = {"temperature": DEFAULT_TEMPERATURE} if wanted.kind == "realtime" else {"modalities": _MODALITIES}
    return {**session, **said, **(wanted.only_shown or {})}


_OBJECTS: Final[dict[Kind, str]] = {
    "realtime": "realtime.session",
    "transcription": "realtime.transcription_session",
}
_MODALITIES: Final = ["audio", "text"]
_DEFAULTS: Final[Body] = {
    "output_modalities": ["audio"],
    "instructions": "",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
}
_PCM: Final[Body] = {"type": "audio/pcm", "rate": 24_000}
_SERVER_VAD: Final[Body] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
}
_ANSWERS: Final[Body] = {"create_response": True, "interrupt_response": True}
_TURN_DETECTION: Final[dict[tuple[str, Kind], Body]] = {
    ("server_vad", "realtime"): {**_SERVER_VAD, "idle_timeout_ms": None, **_ANSWERS},
    ("semantic_vad", "realtime"): {"type": "semantic_vad", "eagerness": "auto", **_ANSWERS},
    ("server_vad", "transcription"): _SERVER_VAD,
    ("semantic_vad", "transcription"): {"type": "semantic_vad", "eagerness": "auto"},
}


def _input(given: Body, kind: Kind) -> Body:
    detection = given.get("turn_detection", {})
    if detection is not None:
        name = detection.get("type", "server_vad")
        detection = {**_TURN_DETECTION.get((str(name), kind), {}), **detection}
    transcription = given.get("transcription")
    if transcription is not None:
        transcription = {"language": None, "prompt": None, **transcription}
    return {
        "noise_reduction": None,
        **given,
        "format": _format(given.get("format")),
        "transcription": transcription,
        "turn_detection": detection,
    }


def _output(given: Body) -> Body:
    return {"voice": "alloy", "speed": 1.0, **given, "format": _format(given.get("format"))}


def _format(given: Body | None) -> Body:
    if given is None:
        return _PCM
    return {**_PCM, **given} if given.get("type") == _PCM["type"] else given


def _validated(form: type[_Form], body: Any) -> _Form:
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    try:
        return form.model_validate(body)
    except ValidationError as error:
        raise refusal(error, _FIELDS) from error


_FIELDS: Final = FIELDS.union(
    *(form.model_fields for form in (_GaRequest, _Expiry, _RealtimeSession, _BetaSecret, _BetaSession))
)
