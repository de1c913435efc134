"""Where a request goes that is no Realtime call: from its model and endpoint to the targets to try, in order.
The same routes, aliases, keys and names of models as for calls (`routes`).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode, urlsplit

from voxgate.core.errors import Forbidden, InvalidModel, NotFound, UpstreamRefused
from voxgate.core.settings import LOCAL
from voxgate.core.upstreams import ProviderSettings, RouteSettings
from voxgate.providers.adapters import facts_of
from voxgate.providers.facts import bearer
from voxgate.providers.routes import Router, Upstream, client_headers, key_variable


@dataclass(frozen=True, slots=True)
class Target:
    """One place to send a request to."""

    provider: str
    url: str
    headers: Mapping[str, str]
    """What it is sent unless the client says otherwise, such as a version."""
    key_header: Mapping[str, str] = field(repr=False)
    """What it is sent whatever the client says; empty where it needs no key."""
    model: str
    """By the provider's own name for it."""
    live_model: str
    priced_as: tuple[str, ...]
    settings: ProviderSettings = field(repr=False)
    secret: str = field(default="", repr=False)
    callers_key: bool = False
    """Whether it is the caller's own: then being out of quota is the caller's fault."""
    keyed_as: str = ""
    """The provider, and which of its keys where it has several: what may rest while others of them work."""


class Targets:
    def __init__(self, router: Router, chance: random.Random | None = None) -> None:
        self._router = router
        self._chance = chance or random.Random()  # noqa: S311 - a share of the load, and no secret
        self._turns: dict[str, Iterator[int]] = {}
        """Of each provider's keys."""

    def of(self, model: str, endpoint: str, provider_key: str | None = None) -> list[Target]:
        """In the order of trying. InvalidModel when no route serves the model, Forbidden when a provider's
        own key was given and none of the route takes such keys, UpstreamRefused when nobody is left."""
        route, live = self._router.resolve(model)
        if route is None and not self._router.has_routes:
            route = RouteSettings(model="*", providers=["openai"])
        if route is None:
            raise InvalidModel(
                f"The model {model[:200]!r} has no route on this gateway. Add one to voxgate.toml: [[routes]]"
                " with its name; GET /v1/models says what there is.",
                param="model",
            )
        found, missing = list[Target](), list[str]()
        for name in self._order(route):
            made = self._at(name, live, endpoint, provider_key)
            if isinstance(made, str):
                missing.append(made)
            else:
                found += made
        if not found and provider_key is not None:
            raise Forbidden(
                f"No provider of the model {model!r} takes its own keys from callers. Use a Voxgate key."
            )
        if not found:
            raise UpstreamRefused(
                f"No provider can serve {endpoint} for the model {model!r}: {'; '.join(missing)}."
            )
        return found

    def sockets(
        self, model: str, endpoint: str, headers: Sequence[tuple[str, str]], provider_key: str | None = None
    ) -> list[Upstream]:
        """The same places, for an endpoint that speaks WebSocket too. `headers` are the client's."""
        kept = client_headers(headers, own=provider_key is None)
        kept += [(name, value) for name, value in headers if name == "openai-beta"]
        return [_upstream(each, kept) for each in self.of(model, endpoint, provider_key)]

    def listing(self, name: str, model: str) -> Upstream:
        """One provider's list of models, whatever the routes say, for a try of it. `model` is a live name.
        UpstreamRefused when it has no key."""
        found = self._at(name, model, "models", None)
        if isinstance(found, str):
            raise UpstreamRefused(f"{found}.")
        return _upstream(found[0], ())

    def route_of(self, model: str) -> RouteSettings | None:
        """Whose limits hold for it."""
        return self._router.resolve(model)[0]

    def at(self, name: str, path: str, provider_key: str | None = None) -> Target:
        """Whatever a provider has, for one that lets everything pass: NotFound for the others.
        UpstreamRefused when it has no key."""
        provider = self._router.providers.get(name)
        if provider is None or not provider.pass_through:
            raise NotFound(
                f"The provider {name[:100]!r} is not passed through to. Set pass_through = true in its "
                "section of voxgate.toml."
            )
        if provider_key is not None and not provider.accepts_client_keys:
            raise Forbidden(f"The provider {name!r} takes no keys of callers. Use a Voxgate key.")
        key = provider_key if provider_key is not None else next(iter(self._keys(name)), None)
        if key is None:
            raise UpstreamRefused(f"{name} has no key: set {key_variable(provider)}.")
        url = f"{provider.base_url.rstrip('/')}/{path}"
        return _target(name, provider, "", url, key, provider_key is not None, path.partition("?")[0])

    def _at(self, name: str, live: str, endpoint: str, provider_key: str | None) -> list[Target] | str:
        """One for each key; or why there is none."""
        provider = self._router.providers.get(name)
        if provider is None or name == LOCAL:
            return f"{name} speaks Realtime only"
        if provider_key is not None and not provider.accepts_client_keys:
            return f"{name} takes no keys of callers"
        rest = facts_of(provider).rest
        if rest is None:
            return f"{name} speaks Realtime only"
        keys = [provider_key] if provider_key is not None else self._keys(name)
        if not keys:
            return f"{name} has no key (set {key_variable(provider)})"
        known_as, base = provider.name_of(live), urlsplit(provider.base_url)
        form = rest(base.path.rstrip("/"), provider.api_version, known_as, endpoint)
        query = f"?{urlencode(form.parameters, quote_via=quote)}" if form.parameters else ""
        url = f"{base.scheme}://{base.netloc}{form.path}{query}"
        numbers = {key: number for number, key in enumerate(self._router.keys_of(name), 1)}
        return [
            replace(
                _target(name, provider, live, url, key, provider_key is not None, endpoint),
                keyed_as=f"{name}, key {numbers[key]}" if len(keys) > 1 else name,
            )
            for key in keys
        ]

    def _keys(self, name: str) -> Sequence[str]:
        """Beginning with another one each time."""
        keys = self._router.keys_of(name)
        if len(keys) < 2:
            return keys
        first = next(self._turns.setdefault(name, itertools.count())) % len(keys)
        return [*keys[first:], *keys[:first]]

    def _order(self, route: RouteSettings) -> list[str]:
        """By weight where the route has some: each one is first as often as its weight says. (Efraimidis and
        Spirakis, Weighted random sampling with a reservoir, 2006.)"""
        if route.weights is None:
            return route.providers
        drawn = [
            (self._chance.random() ** (1 / weight) if weight else -1.0, name)
            for name, weight in zip(route.providers, route.weights, strict=True)
        ]
        return [name for _, name in sorted(drawn, key=lambda each: -each[0])]


def _upstream(target: Target, headers: Sequence[tuple[str, str]]) -> Upstream:
    url = urlsplit(target.url)
    tls = url.scheme == "https"
    own = {**target.headers, **dict(headers), **target.key_header}
    return Upstream(
        provider=target.provider,
        host=url.hostname or "",
        port=url.port or (443 if tls else 80),
        tls=tls,
        target=f"{url.path}?{url.query}" if url.query else url.path,
        headers=tuple(own.items()),
        model=target.model,
        live_model=target.live_model,
        priced_as=target.priced_as,
        connect_timeout_seconds=target.settings.connect_timeout_seconds,
        rest_seconds=target.settings.rest_seconds,
        callers_key=target.callers_key,
        secret=target.secret,
    )


def _target(
    name: str, provider: ProviderSettings, live: str, url: str, key: str, callers: bool, endpoint: str
) -> Target:
    facts, known_as = facts_of(provider), provider.name_of(live) if live else ""
    headers = {each.lower(): said for each, said in facts.headers}
    key_in = bearer if endpoint in facts.bearer_for else facts.key
    header, value = key_in(key)
    key_header = {header.lower(): value} if key else {}
    priced = (f"{provider.kind}/{known_as}",) if facts.own_prices else tuple(dict.fromkeys((known_as, live)))
    return Target(name, url, headers, key_header, known_as, live, priced, provider, key, callers, name)
