"""Signing in, API keys, and what a key can see at the top: projects and models."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from voxgate.api.access import Admin, Anyone, Control, Controlled, Reader, own_project
from voxgate.api.account_shapes import KeyPage, LoginRequest, Me, NewKey, NewKeyRequest, RotateRequest
from voxgate.api.shapes import ModelPage, ProjectPage, Revoked
from voxgate.auth.keys import ApiKey
from voxgate.auth.web import COOKIE, COOKIE_SECONDS
from voxgate.core.clock import iso_utc, now_utc
from voxgate.core.errors import InvalidRequest, NotFound

router = APIRouter(prefix="/api")


@router.post("/login", tags=["account"], response_model=Me)
def login(body: LoginRequest, request: Request, response: Response, control: Controlled) -> ApiKey:
    """Trade an API key for the web app's cookie."""
    key = control.keys.authenticate(body.api_key)
    response.set_cookie(
        COOKIE, control.sign_in.make_cookie(key), max_age=COOKIE_SECONDS, **_cookie_rules(request)
    )
    response.headers["cache-control"] = "no-store"
    return key


@router.post("/logout", tags=["account"], status_code=204)
def logout(request: Request, response: Response) -> None:
    """Forget the web app's cookie."""
    response.delete_cookie(COOKIE, **_cookie_rules(request))


@router.get("/me", tags=["account"], response_model=Me)
def me(key: Anyone) -> ApiKey:
    """Whose key or cookie this is."""
    return key


@router.get("/models", tags=["account"], response_model=ModelPage)
def list_models(_: Anyone, control: Controlled) -> dict[str, Any]:
    """The models that calls can name."""
    return {"items": control.models()}


@router.get("/projects", tags=["projects"], response_model=ProjectPage)
def list_projects(key: Reader, control: Controlled) -> dict[str, Any]:
    """Projects that have sessions, with how many and the newest."""
    projects = control.store.list_projects()
    return {"items": [row for row in projects if key.project in (None, row["name"])]}


@router.get("/keys", tags=["keys"], response_model=KeyPage)
def list_keys(key: Admin, control: Controlled) -> dict[str, Any]:
    """The API keys that were made and not revoked. The admin key of the settings is not among them."""
    return {"items": [row for row in control.store.list_api_keys() if _may_manage(key, row)]}


@router.post("/keys", tags=["keys"], status_code=201, response_model=NewKey)
def create_key(body: NewKeyRequest, key: Admin, control: Controlled, response: Response) -> dict[str, Any]:
    """Make an API key. Its text is in this answer and nowhere else."""
    if body.expires_at is not None and body.expires_at <= now_utc():
        raise InvalidRequest("'expires_at' is in the past.", param="expires_at")
    expires_at = None if body.expires_at is None else iso_utc(body.expires_at)
    project = own_project(key, body.project)
    limits = body.max_requests_per_minute, body.max_tokens_per_minute
    made, raw = control.keys.create(body.name, body.role, project, expires_at, *limits)
    response.headers["cache-control"] = "no-store"
    return {**_find_key(control, key, made.id), "key": raw}


@router.post("/keys/{key_id}/rotate", tags=["keys"], response_model=NewKey)
def rotate_key(
    key_id: str, key: Admin, control: Controlled, response: Response, body: RotateRequest | None = None
) -> dict[str, Any]:
    """Give the key a new text, which is in this answer and nowhere else. The text before stays good for
    `grace_seconds`."""
    _find_key(control, key, key_id)
    raw = control.keys.rotate(key_id, (body or RotateRequest()).grace_seconds)
    response.headers["cache-control"] = "no-store"
    return {**_find_key(control, key, key_id), "key": raw}


@router.delete("/keys/{key_id}", tags=["keys"], response_model=Revoked)
def revoke_key(
    key_id: str,
    key: Admin,
    control: Controlled,
    credentials: Annotated[bool, Query(description="Also what it has made.")] = False,
    end_sessions: Annotated[bool, Query(description="Also end the calls of what is revoked.")] = False,
) -> dict[str, Any]:
    """The key stops working at once, and so do cookies that were made with it."""
    _find_key(control, key, key_id)
    control.keys.revoke(key_id, credentials=credentials, end_sessions=end_sessions)
    return {"id": key_id}


def _find_key(control: Control, asking: ApiKey, key_id: str) -> dict[str, Any]:
    row = control.store.get_api_key(key_id)
    if row is None or not _may_manage(asking, row):
        raise NotFound(f"There is no API key {key_id!r}.", param="key_id")
    return row


def _may_manage(asking: ApiKey, row: dict[str, Any]) -> bool:
    return asking.project in (None, row["project"])


def _cookie_rules(request: Request) -> dict[str, Any]:
    # No script reads it, no other site sends it, and over TLS it never travels in clear.
    secure = request.url.scheme == "https"
    return {"path": "/", "httponly": True, "samesite": "strict", "secure": secure}
