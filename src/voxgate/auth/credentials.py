"""Temporary credentials: minted by a backend, carried by a browser, checked by any worker from their bytes.

    Minter.mint(request, …)     CredentialRequest -> Minted (the `ek_…` key and what it allows)
    Gatekeeper.admit(key)       a key of any kind  -> Grant (what the call that presents it may do)

The time to live governs the start of a call; a call that has started goes on.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from voxgate.auth import scopes
from voxgate.auth.caching import scope_secret
from voxgate.auth.keys import ApiKey, KeyRing, masked
from voxgate.auth.tokens import ExpiredToken, TokenBox
from voxgate.core import clock
from voxgate.core.errors import (
    ExpiredKey,
    Forbidden,
    InvalidKey,
    InvalidRequest,
    ModelNotAllowed,
    Unauthenticated,
)
from voxgate.core.ids import new_id
from voxgate.core.projects import OriginPattern
from voxgate.core.settings import REPLAY_PREFIX, NetworkText
from voxgate.store import Store

CREDENTIAL_PREFIX: Final = "ek_"
"""OpenAI's own prefix: the browser SDKs insist on it."""
DEFAULT_PROJECT: Final = "default"
_PURPOSE: Final = "call"
_LARGEST_KEY: Final = 56 << 10
_SCOPES: Final = (
    "allowed_origins",
    "allowed_ips",
    "max_concurrent",
    "max_session_seconds",
    "allowed_events",
    "allowed_tools",
    "max_uses",
    "max_tokens",
    "max_audio_seconds",
    "max_cost_usd",
    "max_requests_per_minute",
    "max_tokens_per_minute",
)
"""What goes into the key as it was given."""

ProjectName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w .:/@-]+$")]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=512)]


class LoggingRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    project_name: ProjectName
    audio: bool = True
    """Whether the call's sound is recorded."""
    text: bool = True
    """Whether its words are."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """After so many days the recording is deleted; sooner where the settings say so."""
    audio_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    """The same for its sound alone."""

    @property
    def restrictions(self) -> dict[str, Any]:
        """What goes into the key beside the project."""
        return self.model_dump(exclude={"project_name"}, exclude_defaults=True)


class CredentialRequest(BaseModel):
    """The body of `POST /v1/credentials`. Unknown fields are refused: no typing error opens a door."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: ModelName | Annotated[list[ModelName], Field(min_length=1, max_length=100)] | None = None
    ttl_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    logging: LoggingRequest | None = None
    allowed_origins: Annotated[list[OriginPattern], Field(min_length=1, max_length=32)] | None = None
    """The pages that may call with it; who sends no Origin may not. None allows everybody."""
    allowed_ips: Annotated[list[NetworkText], Field(min_length=1, max_length=32)] | None = None
    """Addresses and networks from which it may be used."""
    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Calls at once, over all workers."""
    max_session_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """For each call; the time to live is for its start."""
    expires_hard: bool = False
    """Whether the time to live ends running calls too."""
    max_uses: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Calls that may be opened with it, one after the other or at once."""
    max_tokens: Annotated[int, Field(ge=1, le=10**12)] | None = None
    """Of all its calls together; likewise the next two."""
    max_audio_seconds: Annotated[float, Field(gt=0, le=10**9)] | None = None
    max_cost_usd: Annotated[float, Field(gt=0, le=10**6)] | None = None
    max_requests_per_minute: Annotated[int, Field(ge=1, le=10**6)] | None = None
    """Over all workers; a call counts when it opens."""
    max_tokens_per_minute: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """Of requests that are no calls."""
    session: scopes.SessionScope | None = None
    """Settings that every call begins with, and what of them its client may change."""
    allowed_events: Annotated[list[scopes.EventPattern], Field(max_length=64)] | None = None
    """What its client may send, by the type of the event; none with an empty list."""
    allowed_tools: Annotated[list[scopes.ToolPattern], Field(max_length=128)] | None = None
    """The tools that its client may bring along; none with an empty list."""

    @property
    def models(self) -> list[str]:
        """The allowed models; none means all."""
        return [self.model] if isinstance(self.model, str) else self.model or []

    metadata: Annotated[dict[str, Text | int | float | bool | list[Text]], Field(max_length=32)] = Field(
        default_factory=dict
    )

    def shown(self) -> dict[str, Any]:
        """What is kept and shown of it."""
        body = self.model_dump(exclude={"session", "logging"})
        body["logging"] = self.logging.model_dump(exclude_unset=True) if self.logging else None
        return {**body, "session": self.session.shown() if self.session else None}


@dataclass(frozen=True, slots=True)
class Grant:
    """What one call may do, whoever presented which kind of key."""

    kind: Literal["api_key", "temporary", "provider_key"]
    id: str
    models: tuple[str, ...] | None = None
    """Names or patterns; None allows every model that has a route."""
    project: str | None = None
    """Where the call is recorded; None records nothing."""
    metadata: dict[str, Any] = field(default_factory=dict)
    provider_key: str | None = None
    """A provider's own key, which goes on to the provider in place of the configured one."""
    home: str | None = None
    """The project that the API key, or the one that made the credential, is bound to: its rules hold where
    nothing is recorded, and only its sessions can be replayed."""
    minted_by: str | None = None
    """The id of that API key."""
    allowed_origins: tuple[str, ...] | None = None
    allowed_ips: tuple[str, ...] | None = None
    max_concurrent: int | None = None
    max_session_seconds: float | None = None
    session: dict[str, Any] = field(default_factory=dict)
    """Settings that the gateway opens the session with."""
    locked: tuple[str, ...] = ()
    """Fields of a session that the client may not change, as `audio.output.voice`."""
    allowed_events: tuple[str, ...] | None = None
    allowed_tools: tuple[str, ...] | None = None
    record_audio: bool = True
    record_text: bool = True
    retention_days: int | None = None
    """How long the recording is kept; None: as the settings say."""
    audio_retention_days: int | None = None
    """How long its sound is."""
    ends_at: int | None = None
    """When its running calls end, in unix seconds."""
    max_uses: int | None = None
    max_tokens: int | None = None
    max_audio_seconds: float | None = None
    max_cost_usd: float | None = None
    cache_secret: bytes | None = field(default=None, repr=False)
    """Of a temporary credential: what its answers are cached under (`auth.caching`)."""
    max_requests_per_minute: int | None = None
    """Its own limits, of an API key or a credential; those of the settings hold too."""
    max_tokens_per_minute: int | None = None

    @property
    def has_budget(self) -> bool:
        """Whether what its calls use has to be counted."""
        return (self.max_tokens, self.max_audio_seconds, self.max_cost_usd) != (None, None, None)

    def choose_model(self, requested: str | None) -> str | None:
        """The model of the call: the requested one if it is allowed, else the credential's only one.
        ModelNotAllowed when another is asked for: it is refused, never silently replaced."""
        if requested is None:
            only = self.models[0] if self.models and len(self.models) == 1 else None
            return None if only is None or any(sign in only for sign in "*?[") else only
        self.check_model(requested, "model")
        return requested

    def names(self, model: str) -> bool:
        return self.models is None or any(fnmatchcase(model, pattern) for pattern in self.models)

    def check_model(self, name: str, param: str) -> None:
        """ModelNotAllowed, with the field that named it."""
        self._check_replay(name, param)
        if not self.names(name):
            raise ModelNotAllowed(
                f"This temporary credential does not allow the model {name[:200]!a}; it allows "
                f"{', '.join(self.models or ())}.",
                param=param,
            )

    def _check_replay(self, name: str, param: str) -> None:
        """What is in a browser must not play recordings because somebody left the model out."""
        named = any(pattern.startswith(REPLAY_PREFIX) for pattern in self.models or ())
        if name.startswith(REPLAY_PREFIX) and self.kind == "temporary" and not named:
            raise ModelNotAllowed(
                "A temporary credential can only replay sessions if its model says so, as "
                f"{REPLAY_PREFIX}<session id> or {REPLAY_PREFIX}*.",
                param=param,
            )


@dataclass(frozen=True, slots=True)
class Minted:
    id: str
    key: str
    created_at: int
    expires_at: int
    request: CredentialRequest

    def body(self) -> dict[str, Any]:
        """The answer of `POST /v1/credentials`; times in unix seconds."""
        return {
            "object": "credential",
            "id": self.id,
            "key": self.key,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            **self.request.shown(),
        }


def parse_request(body: Any) -> CredentialRequest:
    """InvalidRequest, naming the field, for anything that is wrong."""
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    try:
        return CredentialRequest.model_validate(body)
    except ValidationError as error:
        raise _named(error) from error


def _named(error: ValidationError) -> InvalidRequest:
    """The first wrong field, by its path in the body."""
    found = [(_path(each["loc"], each["type"]), each) for each in error.errors(include_url=False)]
    root = found[0][0][0]
    path, deepest = max((entry for entry in found if entry[0][0] == root), key=lambda entry: len(entry[0]))
    name = ".".join(path)
    if deepest["type"] == "extra_forbidden":
        return InvalidRequest(f"Unknown field: {name!r}.", param=name)
    said = _of_its_forms([each for at, each in found if at == path])
    return InvalidRequest(f"Invalid field {name!r}: {said}.", param=name)


def _of_its_forms(errors: list[ErrorDetails]) -> str:
    """A union gives an error for each of its forms: the one that the value has says most, and if it has none
    of them, all say which there are."""
    fitting = [each for each in errors if not each["type"].endswith("_type")]
    if fitting:
        return fitting[0]["msg"].removeprefix("Value error, ").replace(" after validation", "")
    first, *others = dict.fromkeys(each["msg"] for each in errors)
    return " or ".join([first, *(other.removeprefix("Input should be ") for other in others)])


def _path(location: tuple[int | str, ...], kind: str) -> list[str]:
    """The location without pydantic's names of a union's forms."""
    if kind == "extra_forbidden":
        return [str(part) for part in location]
    return [str(part) for part in location if isinstance(part, int) or part in _FIELDS] or [str(location[0])]


_FIELDS: Final = {*CredentialRequest.model_fields, *LoggingRequest.model_fields, *scopes.FIELDS}


class Minter:
    def __init__(self, store: Store, tokens: TokenBox) -> None:
        self._store = store
        self._tokens = tokens

    def mint(self, request: CredentialRequest, by: Grant | ApiKey, raw_key: str | None = None) -> Minted:
        """By a Voxgate API key that may mint, or by a provider's own key, which then travels inside the
        encrypted token and is used for the call. Forbidden for anything else. Without `raw_key`, the API
        key's text, nothing of the credential is cached."""
        if isinstance(by, ApiKey):
            by.require("mint")
            self._check_project(request, by)
        elif by.kind != "provider_key":
            raise Forbidden(
                "A temporary credential cannot make another one. This needs a Voxgate API key with the role "
                "'mint' or 'admin'."
            )
        elif request.logging is not None:
            raise Forbidden(
                "Calls with a provider's own key are not recorded; make the credential with a Voxgate API "
                "key, or leave 'logging' out.",
                param="logging",
            )
        now = clock.unix_seconds()
        credential_id, expires_at = new_id("cred"), now + request.ttl_seconds
        claims = self._claims(credential_id, expires_at, request, by)
        if raw_key is not None and isinstance(by, ApiKey):
            secret = scope_secret(raw_key, claims.get("project"))
            claims["cache"] = base64.urlsafe_b64encode(secret).decode()
        key = CREDENTIAL_PREFIX + self._tokens.seal(claims, purpose=_PURPOSE)
        if len(key) > _LARGEST_KEY:
            raise InvalidRequest(
                f"The key would be {len(key):,} letters long; the head of a request has room for "
                f"{_LARGEST_KEY:,}. Shorten the session's instructions or the lists."
            )
        if isinstance(by, ApiKey):  # nobody could list those of a provider's key, and anybody could make them
            self._remember(credential_id, now, expires_at, request, by)
        return Minted(credential_id, key, now, expires_at, request)

    @staticmethod
    def _check_project(request: CredentialRequest, by: ApiKey) -> None:
        if by.project and request.logging and request.logging.project_name != by.project:
            raise Forbidden(
                f"The API key {by.name!r} belongs to the project {by.project!r} only.",
                param="logging.project_name",
            )

    @staticmethod
    def _claims(
        credential_id: str, expires_at: int, request: CredentialRequest, by: Grant | ApiKey
    ) -> dict[str, Any]:
        claims: dict[str, Any] = {"id": credential_id, "exp": expires_at}
        if request.model is not None:
            claims["models"] = request.models
        if request.logging is not None:
            claims["project"] = request.logging.project_name
            claims |= {"logging": request.logging.restrictions} if request.logging.restrictions else {}
        if request.metadata:
            claims["metadata"] = request.metadata
        claims |= {scope: value for scope in _SCOPES if (value := getattr(request, scope)) is not None}
        if request.session is not None:
            claims |= {"session": request.session.settings, "locked": request.session.locked}
        if request.expires_hard:
            claims["ends_at"] = expires_at
        if isinstance(by, Grant):
            return {**claims, "provider_key": by.provider_key}
        claims["by"] = by.id
        if by.project:
            claims["home"] = by.project
        return claims

    def _remember(
        self, credential_id: str, now: int, expires_at: int, request: CredentialRequest, by: ApiKey
    ) -> None:
        self._store.add_credential(
            {
                "id": credential_id,
                "model": request.model,
                "created_at": now,
                "expires_at": expires_at,
                "project": request.logging.project_name if request.logging else None,
                "logging": request.logging.model_dump(exclude_unset=True) if request.logging else None,
                "metadata": request.metadata,
                "minted_by": by.id,
                "allowed_origins": request.allowed_origins,
                "allowed_ips": request.allowed_ips,
                "max_concurrent": request.max_concurrent,
                "max_session_seconds": request.max_session_seconds,
                "session": request.session.shown() if request.session else None,
                "allowed_events": request.allowed_events,
                "allowed_tools": request.allowed_tools,
                "expires_hard": request.expires_hard,
                "max_uses": request.max_uses,
                "max_tokens": request.max_tokens,
                "max_audio_seconds": request.max_audio_seconds,
                "max_cost_usd": request.max_cost_usd,
                "max_requests_per_minute": request.max_requests_per_minute,
                "max_tokens_per_minute": request.max_tokens_per_minute,
            }
        )


class Gatekeeper:
    """Decides who may call. `revoked` is what this worker knows of revoked credentials, and of API keys that
    were revoked while it runs."""

    def __init__(self, keys: KeyRing, tokens: TokenBox, revoked: set[str]) -> None:
        self._keys = keys
        self._tokens = tokens
        self._revoked = revoked

    def needs_store(self, key: str | None) -> bool:
        """Whether this key has to be looked up: a credential brings its own proof."""
        return key is not None and not key.startswith(CREDENTIAL_PREFIX) and not self._keys.is_admin(key)

    def admit(self, key: str | None) -> Grant:
        """The grant of a key of any kind; Unauthenticated, InvalidKey, ExpiredKey or Forbidden."""
        if not key:
            raise NoKey("Missing bearer or basic authentication in header")
        if key.startswith(CREDENTIAL_PREFIX):
            return self._open_credential(key)
        owner = self._owner(key)
        if isinstance(owner, Grant):
            return owner
        owner.require("connect", "mint")
        return Grant(
            "api_key",
            owner.id,
            project=owner.project or DEFAULT_PROJECT,
            home=owner.project,
            max_requests_per_minute=owner.max_requests_per_minute,
            max_tokens_per_minute=owner.max_tokens_per_minute,
        )

    def check_not_revoked(self, grant: Grant) -> None:
        """InvalidKey when what presented it was revoked since, in the time that it takes to open a call."""
        if grant.id in self._revoked:
            raise InvalidKey("The key of this call was revoked while the call was being opened.")

    def caller(self, key: str | None) -> Grant | ApiKey:
        """Who makes a management request such as minting: an API key, or the grant of another key."""
        if not key:
            raise NoKey("You did not provide an API key. Send it as 'Authorization: Bearer <key>'.")
        return self._open_credential(key) if key.startswith(CREDENTIAL_PREFIX) else self._owner(key)

    def _owner(self, key: str) -> Grant | ApiKey:
        """One of our own keys, whatever it looks like; else, if it looks like one, a provider's."""
        try:
            return self._keys.authenticate(key)
        except InvalidKey:
            if not is_provider_key(key):
                raise
            return Grant("provider_key", "provider_key", provider_key=key)

    def _open_credential(self, key: str) -> Grant:
        try:
            claims = self._tokens.open(key.removeprefix(CREDENTIAL_PREFIX), purpose=_PURPOSE)
        except ExpiredToken as error:
            if error.claims["id"] in self._revoked:
                raise InvalidKey(f"The temporary credential {masked(key)} was revoked.") from error
            raise ExpiredCredential(error.message, self._grant(error.claims)) from error
        if claims["id"] in self._revoked:
            raise InvalidKey(f"The temporary credential {masked(key)} was revoked.")
        return self._grant(claims)

    @staticmethod
    def _grant(claims: dict[str, Any]) -> Grant:
        logging = claims.get("logging", {})
        return Grant(
            "temporary",
            claims["id"],
            models=_tuple(claims.get("models")),
            project=claims.get("project"),
            metadata=claims.get("metadata", {}),
            provider_key=claims.get("provider_key"),
            home=claims.get("home"),
            minted_by=claims.get("by"),
            allowed_origins=_tuple(claims.get("allowed_origins")),
            allowed_ips=_tuple(claims.get("allowed_ips")),
            max_concurrent=claims.get("max_concurrent"),
            max_session_seconds=claims.get("max_session_seconds"),
            session=claims.get("session", {}),
            locked=tuple(claims.get("locked", ())),
            allowed_events=_tuple(claims.get("allowed_events")),
            allowed_tools=_tuple(claims.get("allowed_tools")),
            record_audio=logging.get("audio", True),
            record_text=logging.get("text", True),
            retention_days=logging.get("retention_days"),
            audio_retention_days=logging.get("audio_retention_days"),
            ends_at=claims.get("ends_at"),
            max_uses=claims.get("max_uses"),
            max_tokens=claims.get("max_tokens"),
            max_audio_seconds=claims.get("max_audio_seconds"),
            max_cost_usd=claims.get("max_cost_usd"),
            cache_secret=base64.urlsafe_b64decode(claims["cache"]) if "cache" in claims else None,
            max_requests_per_minute=claims.get("max_requests_per_minute"),
            max_tokens_per_minute=claims.get("max_tokens_per_minute"),
        )


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


class ExpiredCredential(ExpiredKey):
    """Genuine but too late; `grant` says whose call it would have been, so that its failure is recorded."""

    def __init__(self, message: str, grant: Grant) -> None:
        super().__init__(message)
        self.grant = grant


class NoKey(Unauthenticated):
    """The live service answers this with a type and no code (realtime-protocol 2.4)."""

    code = None


def is_provider_key(key: str) -> bool:
    """A key in the form that providers give out."""
    return key.startswith("sk-")
