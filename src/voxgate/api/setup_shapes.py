"""The shapes of what `setup` answers, as the OpenAPI document shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CheckStatus = Literal["passed", "failed", "skipped"]


class ProviderHealth(BaseModel):
    state: Literal["untried", "answering", "failing", "resting"] = Field(
        description="`failing`: the last try failed; `resting`: it is tried after the others of its routes."
    )
    answered_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = Field(None, description="Why the last failed try did; for the role `admin`.")
    rests_for_seconds: float | None = None


class Provider(BaseModel):
    name: str
    kind: str
    base_url: str | None = Field(description="Null for the embedded provider, which is in the box.")
    dialect: str | None = Field(description="Of its Realtime API; null where it has none.")
    api_version: str | None
    has_key: bool = Field(description="Also where it needs none.")
    key_from: str | None = Field(
        description="The variable with its key; `settings` where it stands there; null: no key is sent."
    )
    accepts_client_keys: bool
    models: list[str] = Field(description="What callers can ask for and routes lead here.")
    renamed: dict[str, str] = Field(description="What it calls a model, where that differs.")
    connect_timeout_seconds: float
    rest_seconds: float
    health: ProviderHealth


class RouteShape(BaseModel):
    model: str
    providers: list[str]
    upstream_model: str | None
    is_default: bool = Field(description="Whether it is there because none was written.")


class Providers(BaseModel):
    items: list[Provider]
    routes: list[RouteShape]
    aliases: dict[str, str] = Field(description="Names that clients ask for, and the model that serves each.")
    workers: int = Field(description="Each knows its own health of a provider; this is the answering one's.")


class CheckRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class CheckStep(BaseModel):
    name: Literal["key", "models", "call"]
    status: CheckStatus
    said: str
    advice: str
    ms: float | None


class ProviderCheck(BaseModel):
    provider: str
    model: str | None
    status: CheckStatus
    said: str
    steps: list[CheckStep]


class Setting(BaseModel):
    key: str = Field(description="As in `voxgate.toml`, with dots.")
    value: Any = Field(description="`(set)` for a secret.")
    source: str = Field(description="A flag, a variable, a file and its line, or `default`.")
    secret: bool


class SettingPage(BaseModel):
    items: list[Setting]
    next_cursor: str | None = None


class Rules(BaseModel):
    project: str | None = Field(description="Null: what holds for every project.")
    audio: bool
    text: bool
    retention_days: int | None
    audio_retention_days: int | None
    redact: dict[str, str] = Field(description="Patterns by their names.")
    allowed_origins: list[str] | None


class RulesPage(BaseModel):
    items: list[Rules]
    next_cursor: str | None = None
