"""Routes: from the model that a client asks for to the upstreams to try, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from voxgate.core.errors import Forbidden, InvalidModel, UpstreamRefused
from voxgate.core.settings import LOCAL, ProviderSettings, RouteSettings, Settings
from voxgate.providers.openai import REALTIME_MODELS
from voxgate.realtime.handshake import PUBLIC_QUERY

_FORWARDED_HEADERS: Final = ("user-agent", "openai-safety-identifier", "x-openai-agents-sdk")
_NEVER_FORWARDED: Final = frozenset({"model", "deployment", "call_id", "api-key"})
"""What the gateway decides itself, and where a client's key may stand."""
_ACCOUNT_HEADERS: Final = ("openai-organization", "openai-project")


@dataclass(frozen=True, slots=True)
class Upstream:
    """One place to dial: where it is and how the request has to look."""

    provider: str
    host: str
    port: int
    tls: bool
    target: str
    headers: tuple[tuple[str, str], ...]
    model: str
    connect_timeout_seconds: float
    rest_seconds: float
    callers_key: bool = False
    """Whether it is dialled with the caller's own key: then being out of quota is the caller's fault."""

    @property
    def authority(self) -> str:
        default = 443 if self.tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        """The URL without its query."""
        return self.url.partition("?")[0]

    @property
    def url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://{self.authority}{self.target}"


class Router:
    """Knows all providers. `local` is the embedded provider, where it runs."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], local: ProviderSettings | None = None
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._providers = {**settings.providers, **({LOCAL: local} if local else {})}

    def upstreams(
        self,
        model: str,
        query: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        provider_key: str | None = None,
    ) -> list[Upstream]:
        """The upstreams of a model's route, in order. InvalidModel when no route serves it, Forbidden when a
        provider's own key was given and no provider of the route takes such keys, UpstreamRefused when no
        provider of the route has a key."""
        route = self._settings.route_for(model)
        if route is None:
            known = ", ".join(entry["id"] for entry in self.models()) or "none; no provider has a key"
            raise InvalidModel(
                f'Model "{model}" is not supported in realtime mode: it has no route on this gateway. Models '
                f"that have one: {known}."
            )
        upstream_model = route.upstream_model or model
        found: list[Upstream] = []
        missing: list[str] = []
        for name in route.providers:
            provider = self._providers.get(name)
            if provider is None:
                missing.append(f"{name} is not running (install voxgate[local])")
                continue
            if provider_key is not None and not provider.accepts_client_keys:
                continue
            key = provider_key or self._key_of(provider)
            if key is None:
                missing.append(f"{name} has no key (set {provider.api_key_env or 'api_key_env'})")
                continue
            sent = self._headers(headers, key, own=provider_key is None)
            upstream = self._upstream(name, provider, upstream_model, query, sent)
            found.append(replace(upstream, callers_key=provider_key is not None))
        if not found and provider_key is not None:
            raise Forbidden(
                f"The model {model!r} is not served by a provider that takes its own keys from callers. "
                "Use a Voxgate key."
            )
        if not found:
            raise UpstreamRefused(f"No provider can serve the model {model!r}: {'; '.join(missing)}.")
        return found

    def check_client_key(self, models: Iterable[str], key: str) -> None:
        """Forbidden or InvalidModel when a caller's own key could not be used for one of the models."""
        for model in models:
            self.upstreams(model, provider_key=key)

    def models(self) -> list[dict[str, Any]]:
        """What a caller can ask for now, for `GET /v1/models` (OpenAI's list items): the embedded provider's
        model, the routes' names, and for a route's pattern the known models that match it. Routes whose
        providers have no key are left out."""
        names = [(LOCAL, LOCAL)] if LOCAL in self._providers else []
        for route in self._settings.routes_in_force:
            usable = [name for name in route.providers if self._is_usable(name)]
            if usable:
                names += [(model, usable[0]) for model in _names(route)]
        listed: dict[str, str] = {}
        for model, provider in names:
            listed.setdefault(model, provider)
        return [
            {"id": model, "object": "model", "created": 0, "owned_by": provider, "provider": provider}
            for model, provider in listed.items()
        ]

    def _is_usable(self, name: str) -> bool:
        provider = self._providers.get(name)
        return provider is not None and self._key_of(provider) is not None

    def _key_of(self, provider: ProviderSettings) -> str | None:
        if provider.api_key is not None:
            return provider.api_key.get_secret_value()
        if provider.api_key_env is None:
            return ""  # a provider that wants none
        return self._environ.get(provider.api_key_env) or None

    @staticmethod
    def _headers(
        client_headers: Iterable[tuple[str, str]], key: str, *, own: bool
    ) -> tuple[tuple[str, str], ...]:
        """What the provider sees of the client: nothing that names or authenticates it. An account header
        goes along only with the caller's own key."""
        allowed = _FORWARDED_HEADERS if own else (*_FORWARDED_HEADERS, *_ACCOUNT_HEADERS)
        kept = [(name, value) for name, value in client_headers if name in allowed]
        return (*([("Authorization", f"Bearer {key}")] if key else []), *kept)

    @staticmethod
    def _upstream(
        name: str,
        provider: ProviderSettings,
        model: str,
        query: Iterable[tuple[str, str]],
        headers: tuple[tuple[str, str], ...],
    ) -> Upstream:
        base = urlsplit(provider.base_url)
        tls = base.scheme == "https"
        known = PUBLIC_QUERY | {name.lower() for name in provider.query_parameters}
        rest = [(key, value) for key, value in query if key.lower() in known - _NEVER_FORWARDED]
        parameters = urlencode([("model", model), *rest], quote_via=quote)
        return Upstream(
            provider=name,
            host=base.hostname or "",
            port=base.port or (443 if tls else 80),
            tls=tls,
            target=f"{base.path.rstrip('/')}/realtime?{parameters}",
            headers=headers,
            model=model,
            connect_timeout_seconds=provider.connect_timeout_seconds,
            rest_seconds=provider.rest_seconds,
        )


def _names(route: RouteSettings) -> list[str]:
    if not any(sign in route.model for sign in "*?["):
        return [route.model]
    return [model for model in REALTIME_MODELS if fnmatchcase(model, route.model)]
