"""Who asks, and what they may do: a request's key or cookie in, a Caller out.

A Caller is an API key and how it came. Endpoints ask for one of the three at the end: Anyone, Reader, Admin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from anyio import CapacityLimiter
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from voxgate.auth.keys import ApiKey, KeyRing
from voxgate.auth.tokens import TokenBox
from voxgate.core import clock
from voxgate.core.errors import Forbidden, InvalidKey, Unauthenticated
from voxgate.store import Blobs, Store

COOKIE: Final = "voxgate_session"
COOKIE_PURPOSE: Final = "web"
COOKIE_SECONDS: Final = 30 * 24 * 3600
CSRF_HEADER: Final = "x-voxgate-csrf"
_SAFE_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
_ADMIN_ID: Final = "key_admin"


@dataclass(frozen=True)
class Control:
    """What the endpoints work with; one for the application."""

    store: Store
    blobs: Blobs
    keys: KeyRing
    cookies: TokenBox
    models: Callable[[], list[dict[str, Any]]]
    # One encoding at a time in a worker: the others wait without taking a thread, and find it done.
    encoding: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))


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
        _check_origin(request)
        return open_cookie(control, cookie)
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


def make_cookie(control: Control, key: ApiKey) -> str:
    claims = {"key_id": key.id, "name": key.name, "role": key.role, "project": key.project}
    return control.cookies.seal(
        {**claims, "exp": clock.unix_seconds() + COOKIE_SECONDS}, purpose=COOKIE_PURPOSE
    )


def open_cookie(control: Control, cookie: str) -> ApiKey:
    """The key that the cookie stands for, if that key is still good."""
    claims = control.cookies.open(cookie, purpose=COOKIE_PURPOSE)
    key = ApiKey(claims["key_id"], claims.get("name", "web app"), claims["role"], claims.get("project"))
    if key.id != _ADMIN_ID and not _is_good(control.store.get_api_key(key.id)):
        raise InvalidKey("The API key that signed in was revoked or has expired. Sign in again.")
    return key


def own_project(key: ApiKey, wanted: str | None) -> str | None:
    """The project to narrow to; Forbidden where the key is bound to another one."""
    if key.project is None or wanted in (None, key.project):
        return key.project or wanted
    raise Forbidden(f"The API key {key.name!r} belongs to the project {key.project!r} only.", param="project")


def _is_good(row: dict[str, Any] | None) -> bool:
    if row is None:
        return False
    return not row["expires_at"] or datetime.fromisoformat(row["expires_at"]) > clock.now_utc()


def _check_origin(request: Request) -> None:
    """A browser sends the cookie by itself, so a change needs proof that one of our own pages asks for it:
    a header that a foreign page cannot set without CORS, or the browser's word on the page's origin."""
    if request.method in _SAFE_METHODS or request.headers.get(CSRF_HEADER) == "1":
        return
    origin = request.headers.get("origin", "").partition("://")[2]
    if not origin or origin != request.headers.get("host"):
        raise Forbidden(f"A change with the web app's cookie needs the header '{CSRF_HEADER}: 1'.")
