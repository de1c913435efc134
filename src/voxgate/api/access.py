"""Who asks, and what they may do: a request's key or cookie in, a Caller out.

A Caller is an API key and how it came. Endpoints ask for one of the three at the end: Anyone, Reader, Admin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from anyio import CapacityLimiter
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from voxgate.api.archive import Archive
from voxgate.api.watches import Watches
from voxgate.auth.keys import ApiKey, KeyRing
from voxgate.auth.web import COOKIE, CSRF_HEADER, WebSignIn, check_own_page
from voxgate.core.errors import Forbidden, Unauthenticated
from voxgate.core.prices import PriceSettings
from voxgate.core.projects import TranscriptionSettings
from voxgate.core.settings import Settings
from voxgate.providers.health import Health
from voxgate.providers.routes import Router
from voxgate.store import Blobs, Kept, Store


@dataclass(frozen=True)
class Imports:
    """What an import works with: where uploads are kept meanwhile, and what its process needs to know."""

    upload_dir: Path
    wire_dir: Path
    database_url: str
    prices: Mapping[str, PriceSettings]


@dataclass(frozen=True)
class Transcribing:
    """Who writes down what nobody has: what each project wants, and whether a model can be asked (an error if
    not)."""

    wanted: Mapping[str, TranscriptionSettings] = field(default_factory=dict)
    check: Callable[[str], object] = lambda _: None


@dataclass(frozen=True)
class House:
    """How this Voxgate is set up: its settings, where they come from, and its providers. `health` is what
    this worker's calls have seen of them, by name."""

    settings: Settings
    sources: Mapping[str, str]
    router: Router
    health: Callable[[], Mapping[str, Health]]


@dataclass(frozen=True)
class Control:
    """What the endpoints work with; one for the application."""

    store: Store
    blobs: Blobs
    keys: KeyRing
    sign_in: WebSignIn
    models: Callable[[], list[dict[str, Any]]]
    archive: Archive
    kept: Kept = field(default_factory=Kept)
    imports: Imports | None = None
    transcribing: Transcribing = field(default_factory=Transcribing)
    house: House | None = None
    # One encoding at a time in a worker: the others wait without taking a thread, and find it done.
    encoding: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    importing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    watches: Watches = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "watches", Watches(self.store))  # as it is done in frozen classes


def control_of(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


Controlled = Annotated[Control, Depends(control_of)]

_BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="A Voxgate API key.")
_X_API_KEY = APIKeyHeader(name="x-api-key", auto_error=False, scheme_name="x-api-key")
_API_KEY = APIKeyHeader(name="api-key", auto_error=False, scheme_name="api-key")
_COOKIE = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="cookie")


def authenticated(
    request: Request,
    control: Controlled,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    x_api_key: Annotated[str | None, Depends(_X_API_KEY)],
    api_key: Annotated[str | None, Depends(_API_KEY)],
    cookie: Annotated[str | None, Depends(_COOKIE)],
) -> ApiKey:
    """A key in a header counts before the cookie."""
    raw = (bearer.credentials.strip() if bearer else None) or x_api_key or api_key
    if raw:
        return control.keys.authenticate(raw)
    if cookie:
        headers = request.headers
        check_own_page(request.method, headers.get("host"), headers.get("origin"), headers.get(CSRF_HEADER))
        return control.sign_in.open_cookie(cookie)
    raise Unauthenticated("You did not provide an API key. Send it as 'Authorization: Bearer <key>'.")


def reader(key: Annotated[ApiKey, Depends(authenticated)]) -> ApiKey:
    key.require("read")
    return key


def admin(key: Annotated[ApiKey, Depends(authenticated)]) -> ApiKey:
    key.require("admin")
    return key


Anyone = Annotated[ApiKey, Depends(authenticated)]
Reader = Annotated[ApiKey, Depends(reader)]
Admin = Annotated[ApiKey, Depends(admin)]


def unbound(key: ApiKey) -> None:
    """Forbidden for a key that is bound to a project: what follows is about all of them."""
    if key.project is not None:
        raise Forbidden(
            f"The API key {key.name!r} belongs to the project {key.project!r}; this is about all projects."
        )


def minting(key: Annotated[ApiKey, Depends(authenticated)]) -> ApiKey:
    key.require("mint")
    return key


Minting = Annotated[ApiKey, Depends(minting)]


def own_project(key: ApiKey, wanted: str | None) -> str | None:
    """The project to narrow to; Forbidden where the key is bound to another one."""
    if key.project is None or wanted in (None, key.project):
        return key.project or wanted
    raise Forbidden(f"The API key {key.name!r} belongs to the project {key.project!r} only.", param="project")
