"""The settings of providers and of the routes to them: `[providers.NAME]` and `[[routes]]`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from voxgate.core.kinds import HOMES, Kind, check_options, kind_of_url

HTTP_URL: Final = r"^https?://[^\s/?#]+[^\s?#]*$"


def _no_pattern(name: str) -> str:
    if any(sign in name for sign in "*?["):
        raise ValueError(f"{name!r} is a pattern; write the name of one model")
    return name


OneModel = Annotated[str, AfterValidator(_no_pattern)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProviderSettings(_Section):
    """One upstream: where it is and where its key comes from."""

    base_url: Annotated[str, Field(pattern=HTTP_URL)]
    """May be left out where the kind has one place for everybody."""
    kind: Kind = Kind.COMPATIBLE
    """Whose it is; if it is not written, the one that the URL means."""
    api_version: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None
    """Azure's; sent in the URL."""
    dialect: Literal["ga", "beta"] | None = None
    """What it speaks; None: what its kind speaks."""
    models: dict[Annotated[str, Field(min_length=1)], OneModel] = Field(default_factory=dict)
    """Names or patterns of models, and what this provider calls each: Azure's deployments."""
    api_key_env: str | None = None
    api_key: SecretStr | None = None
    api_keys_env: list[str] = Field(default_factory=list)
    """More variables with keys: requests go to them in turn."""
    accepts_client_keys: bool = False
    """Whether a caller's own `sk-…` key may be sent to this provider."""
    connect_timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    rest_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """How long it is tried after the others of a route when it could not be dialled; 0 never rests it."""
    answer_seconds: Annotated[float, Field(gt=0, le=3600)] = 600.0
    """How long a request may wait for the beginning of its answer."""
    silence_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """How long an answer may stop in its middle."""
    pass_through: bool = False
    """Whether `/v1/providers/NAME/…` goes on to it, whatever it is, with the configured key."""
    query_parameters: list[str] = Field(default_factory=list)
    """Parameters of the client's URL that go on to it beside those of the Realtime API."""

    @model_validator(mode="before")
    @classmethod
    def _find_kind(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        home = next((url for kind, url in HOMES.items() if kind == values.get("kind")), None)
        if "base_url" not in values and home is not None:
            return {**values, "base_url": home}
        if "kind" in values or not isinstance(values.get("base_url"), str):
            return values
        kind = kind_of_url(values["base_url"])
        if kind is None:
            raise ValueError('kind: is missing; this host can mean "azure" and "azure_voice_live"')
        return {**values, "kind": kind}

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        check_options(self.kind, self.base_url, self.api_version)
        return self

    def name_of(self, model: str) -> str:
        """What this provider calls a model: by its own name first, then by the first pattern that fits."""
        known = (name for pattern, name in self.models.items() if fnmatchcase(model, pattern))
        return self.models.get(model) or next(known, model)


class RouteSettings(_Section):
    """Which providers serve the models that match a pattern, in the order of trying."""

    model: Annotated[str, Field(min_length=1)]
    providers: Annotated[list[str], Field(min_length=1)]
    upstream_model: str | None = None
    weights: list[Annotated[float, Field(ge=0)]] | None = None
    """Of requests, not of calls: how many of them each provider gets in relation to the others. None: the
    first one gets all that it takes."""
    max_requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Of all callers together, over all workers; calls count when they open."""
    max_tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """The same; of requests that are no calls."""

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if self.weights is not None and (len(self.weights) != len(self.providers) or not sum(self.weights)):
            raise ValueError("weights: one for each provider of the route, not all of them 0")
        return self
