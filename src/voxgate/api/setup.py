"""How this Voxgate is set up: providers and their health, routes, the settings in force, the rules of
privacy, and what a credential can be made of. Nothing here changes anything; no answer has a secret in it.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from voxgate.api.access import Admin, Control, Controlled, House, Minting, Reader, unbound
from voxgate.api.setup_shapes import CheckRequest, ProviderCheck, Providers, RulesPage, SettingPage
from voxgate.auth.credentials import CredentialRequest
from voxgate.core.errors import NotFound
from voxgate.core.projects import ProjectSettings
from voxgate.core.settings import LOCAL
from voxgate.core.settings_shown import shown_settings, without_secrets
from voxgate.core.upstreams import ProviderSettings
from voxgate.providers.adapters import facts_of
from voxgate.providers.health import Health
from voxgate.providers.routes import key_variable

router = APIRouter(prefix="/api")


@router.get("/providers", tags=["setup"], response_model=Providers)
def list_providers(key: Reader, control: Controlled) -> dict[str, Any]:
    """The providers, their routes, and how they have answered this worker's calls."""
    unbound(key)
    house = _house(control)
    health = house.health()
    items = [_provider(house, name, health.get(name, Health())) for name in house.router.providers]
    if key.role != "admin":
        for item in items:
            item["health"]["failure"] = None
    routes = [
        {**route.model_dump(), "is_default": not house.settings.routes}
        for route in house.settings.routes_in_force
    ]
    aliases = house.router.aliases()
    return {"items": items, "routes": routes, "aliases": aliases, "workers": house.settings.workers}


@router.post("/providers/{name}/check", tags=["setup"], response_model=ProviderCheck)
async def check_provider(
    name: str, key: Admin, control: Controlled, body: CheckRequest | None = None
) -> dict[str, Any]:
    """Ask the provider for its models and open a call, which is hung up at its first word."""
    # It brings an HTTP client along, which a worker that nobody asks this does without.
    from voxgate.providers import checking  # noqa: PLC0415

    unbound(key)
    house = _house(control)
    if name not in house.router.providers:
        raise NotFound(f"There is no provider {name!r}.", param="name")
    check = await checking.check_provider(house.router, name, body.model if body else None)
    return {
        "provider": check.provider,
        "model": check.model,
        "status": check.status,
        "said": check.said,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "said": step.said,
                "advice": step.advice,
                "ms": step.ms,
            }
            for step in check.steps
        ],
    }


@router.get("/settings", tags=["setup"], response_model=SettingPage)
def list_settings(key: Admin, control: Controlled) -> dict[str, Any]:
    """The settings in force and where each comes from, secrets masked."""
    unbound(key)
    house = _house(control)
    rows = shown_settings(house.settings, house.sources)
    shown = [{"key": row.key, "value": row.value, "source": row.source, "secret": row.secret} for row in rows]
    return {"items": shown}


@router.get("/privacy", tags=["setup"], response_model=RulesPage)
def list_privacy(key: Reader, control: Controlled) -> dict[str, Any]:
    """What is recorded of calls, for how long, and what is taken out: of all projects, then of each that says
    something of its own."""
    settings = _house(control).settings
    days = {"retention_days": settings.retention_days, "audio_retention_days": settings.audio_retention_days}
    of_all = _rules(None, ProjectSettings()) | days
    own = [
        _rules(name, project) for name, project in settings.projects.items() if key.project in (None, name)
    ]
    return {"items": [of_all, *own]}


@router.get("/credentials/schema", tags=["setup"])
def show_credential_schema(_: Minting) -> dict[str, Any]:
    """JSON Schema of the body of `POST /v1/credentials`: what a temporary credential can be made of."""
    return CredentialRequest.model_json_schema()


def _house(control: Control) -> House:
    if control.house is None:
        raise NotFound("This process does not know how Voxgate is set up.")
    return control.house


def _dialect(settings: ProviderSettings) -> str | None:
    """None where it has no Realtime API."""
    form = facts_of(settings).form
    return form("", settings.api_version).dialect.value if form is not None else None


def _provider(house: House, name: str, health: Health) -> dict[str, Any]:
    settings, router_ = house.router.providers[name], house.router
    models = router_.models_at(name)
    names = {asked: settings.name_of(live) for asked, live in models}
    return {
        "name": name,
        "kind": "embedded" if name == LOCAL else settings.kind.value,
        "base_url": None if name == LOCAL else without_secrets(settings.base_url),
        "dialect": settings.dialect or _dialect(settings),
        "api_version": settings.api_version,
        "has_key": router_.has_key(name),
        "key_from": None if name == LOCAL else _key_from(settings),
        "accepts_client_keys": settings.accepts_client_keys,
        "models": list(names),
        "renamed": {asked: known_as for asked, known_as in names.items() if asked != known_as},
        "connect_timeout_seconds": settings.connect_timeout_seconds,
        "rest_seconds": settings.rest_seconds,
        "health": _health(health),
    }


def _key_from(settings: ProviderSettings) -> str | None:
    return "settings" if settings.api_key is not None else key_variable(settings)


def _health(health: Health) -> dict[str, Any]:
    return {
        "state": health.state,
        "answered_at": health.answered_at,
        "failed_at": health.failed_at,
        "failure": health.failure,
        "rests_for_seconds": health.rests_for_seconds,
    }


def _rules(name: str | None, project: ProjectSettings) -> dict[str, Any]:
    return {
        "project": name,
        "audio": project.audio,
        "text": project.text,
        "retention_days": project.retention_days,
        "audio_retention_days": project.audio_retention_days,
        "redact": project.redaction,
        "allowed_origins": project.allowed_origins,
    }
