"""Routes: from the model that a client asks for to the upstreams to try, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from voxgate.core.errors import Forbidden, InvalidModel, UpstreamRefused
from voxgate.core.settings import LOCAL, REPLAY, Settings
from voxgate.core.upstreams import ProviderSettings, RouteSettings
from voxgate.providers.adapters import facts_of
from voxgate.providers.facts import Form
from voxgate.providers.openai import ALIASES, RETIRED_MODELS, TRANSCRIPTION
from voxgate.providers.replays import project_header
from voxgate.realtime.dialects import Dialect, MessageTranslator, Refused
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
    """By the provider's own name for it, such as that of an Azure deployment."""
    live_model: str
    """By its own name."""
    priced_as: tuple[str, ...]
    """Names that its price may have; the first that is listed counts."""
    connect_timeout_seconds: float
    rest_seconds: float
    callers_key: bool = False
    """Whether it is dialled with the caller's own key: then being out of quota is the caller's fault."""
    dialect: Dialect = Dialect.GA
    """What it speaks."""
    refused: Refused = field(default_factory=dict)
    """What it refuses beyond its dialect."""
    translator: Callable[[], MessageTranslator] | None = None
    """What it says otherwise than its dialect."""
    secret: str = field(default="", repr=False)
    """The key that it is dialled with."""

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


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Where files of sound become words: `POST …/audio/transcriptions`."""

    provider: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    model: str
    """By the provider's own name for it."""
    priced_as: tuple[str, ...]


class Router:
    """Knows all providers. `local` is the embedded provider, where it runs, and `replays` plays recorded
    sessions."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        local: ProviderSettings | None = None,
        replays: ProviderSettings | None = None,
    ) -> None:
        self._settings = settings
        self._environ = environ
        own = {LOCAL: local, REPLAY: replays}
        self._providers = {**settings.providers, **{name: one for name, one in own.items() if one}}
        shipped = {name: live for name, live in ALIASES.items() if name not in settings.aliases}
        self._aliases = {**settings.aliases, **shipped}

    @property
    def providers(self) -> Mapping[str, ProviderSettings]:
        """All that calls can go to, by name; `local` where it runs."""
        return {name: one for name, one in self._providers.items() if name != REPLAY}

    @property
    def has_routes(self) -> bool:
        """Whether the settings have any."""
        return bool(self._settings.routes)

    def aliases(self) -> dict[str, str]:
        """Names or patterns that clients ask for, and the live model of each."""
        return {name: live for name, live in self._aliases.items() if live}

    def upstream(self, name: str, model: str) -> Upstream:
        """One provider, whatever the routes say, for a try of it. UpstreamRefused when it has no key."""
        provider = self._providers[name]
        key = self._key_of(provider)
        if key is None:
            raise UpstreamRefused(f"{name} has no key: set {key_variable(provider)}.")
        return _upstream(name, provider, model, (), key, ())

    def models_at(self, name: str) -> list[tuple[str, str]]:
        """What a caller can ask for and this provider may be dialled for, whether it has a key or not; each
        with its live name. Patterns stand for the models that are known."""
        asked = [model for route in self._settings.routes_in_force for model in self._names(route)]
        asked = [LOCAL] if name == LOCAL else asked
        found = [(model, self.resolve(model)) for model in dict.fromkeys(asked)]
        return [(model, live) for model, (route, live) in found if route and name in route.providers]

    def upstreams(
        self,
        model: str,
        query: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        provider_key: str | None = None,
        home: str | None = None,
    ) -> list[Upstream]:
        """The upstreams of a model's route, in order. `home` is the only project whose sessions the caller
        may replay; None: all. InvalidModel when no route serves it, Forbidden when a
        provider's own key was given and no provider of the route takes such keys, UpstreamRefused when no
        provider of the route has a key."""
        route, upstream_model = self.resolve(model)
        if route is None:
            raise self._no_route(model)
        query, found = list(query), list[Upstream]()
        missing: list[str] = []
        for name in route.providers:
            provider = self._providers.get(name)
            if provider is None:
                missing.append(f"{name} is not running (install voxgate[local]; is local_enabled false?)")
                continue
            if provider_key is not None and not provider.accepts_client_keys:
                continue
            if facts_of(provider).form is None:
                missing.append(f"{name} has no Realtime API")
                continue
            if _intends_transcription(query) and not facts_of(provider).transcribes:
                missing.append(f"{name} has no transcription sessions")
                continue
            key = provider_key or next(iter(self.keys_of(name)), None)
            if key is None:
                missing.append(f"{name} has no key (set {key_variable(provider)})")
                continue
            kept = client_headers(headers, own=provider_key is None)
            kept += project_header(home) if name == REPLAY else []
            known_as = model if _is_transcription(query) and name != LOCAL else upstream_model
            upstream = _upstream(name, provider, known_as, query, key, kept)
            found.append(replace(upstream, callers_key=provider_key is not None))
        if not found and provider_key is not None:
            raise Forbidden(
                f"The model {model!r} is not served by a provider that takes its own keys from callers. "
                "Use a Voxgate key."
            )
        if not found:
            raise UpstreamRefused(f"No provider can serve the model {model!r}: {'; '.join(missing)}.")
        return found

    def check_model(self, model: str, param: str) -> None:
        """InvalidModel, with the field that named it, unless this is one model that a route serves."""
        if _is_pattern(model) or self.resolve(model)[0] is None:
            raise self._no_route(model, param)

    def transcribers(self, model: str) -> list[Transcriber]:
        """Who is asked to transcribe files of sound, in order; with those of whom no key is known left out.
        InvalidModel when nobody could be asked, UpstreamRefused when nobody has a key."""
        names = self._settings.transcribers(model)
        if not names or _is_pattern(model):
            raise InvalidModel(f"Nothing can be transcribed: {self._settings.no_transcriber(model)}.")
        route = self._settings.route_for(model)
        live, keys = (route and route.upstream_model) or model, {}
        for name in names:
            if (key := self._key_of(self._providers[name])) is not None:
                keys[name] = key
        if not keys:
            missing = "; ".join(f"{name}: set {key_variable(self._providers[name])}" for name in names)
            raise UpstreamRefused(f"No provider that could transcribe with {model!r} has a key ({missing}).")
        return [_transcriber(name, self._providers[name], live, key) for name, key in keys.items()]

    def _no_route(self, model: str, param: str | None = None) -> InvalidModel:
        listed = ", ".join(entry["id"] for entry in self.models(aliases=False))
        return InvalidModel(
            f'Model "{model[:200]}" is not supported in realtime mode: it has no route on this gateway. '
            f"Models that have one: {listed or 'none; no provider has a key'}.",
            param=param,
        )

    def check_client_key(self, models: Iterable[str], key: str) -> None:
        """Forbidden or InvalidModel when a caller's own key could not be used for one of the models."""
        for model in models:
            self.upstreams(model, provider_key=key)

    def served_by(self, models: Iterable[str]) -> list[str]:
        """The names by which providers know these models; patterns are left out."""
        return [self.resolve(model)[1] for model in models if not _is_pattern(model)]

    def models(self, *, aliases: bool = True) -> list[dict[str, Any]]:
        """What a caller can ask for now, for `GET /v1/models` (OpenAI's list items): the embedded provider's
        model, the routes' names, for a route's pattern the known models that match it, and the names that an
        alias leads to a route. Routes whose providers have no key are left out. `served_by` is the name by
        which the provider knows the model."""
        names = [LOCAL] if LOCAL in self._providers else []
        names += [name for route in self._settings.routes_in_force for name in self._names(route)]
        if aliases:
            exact = [name for name in self._aliases if not _is_pattern(name) and name != TRANSCRIPTION]
            names += [name for name in (*exact, *RETIRED_MODELS) if self._alias_of(name)]
        return [entry for name in dict.fromkeys(names) if (entry := self._entry(name))]

    def model(self, name: str) -> dict[str, Any] | None:
        """The same of one, listed or not; None where nobody serves it."""
        return None if _is_pattern(name) else self._entry(name)

    def _entry(self, name: str) -> dict[str, Any] | None:
        route, live = self.resolve(name)
        provider = next((each for each in route.providers if self._is_usable(each)), None) if route else None
        if provider is None:
            return None
        served_by = self._providers[provider].name_of(live)
        owner = {"owned_by": provider, "provider": provider}
        return {"id": name, "object": "model", "created": 0, **owner, "served_by": served_by}

    def _names(self, route: RouteSettings) -> list[str]:
        """Those of a route: for a pattern what its providers are known or told to serve."""
        if not _is_pattern(route.model):
            return [route.model]
        providers = [self._providers[name] for name in route.providers if name in self._providers]
        known = [name for each in providers for name in (*each.models, *facts_of(each).models)]
        return [name for name in known if not _is_pattern(name) and fnmatchcase(name, route.model)]

    def resolve(self, model: str) -> tuple[RouteSettings | None, str]:
        """The route of a model, and the name by which the route's providers know it. An alias counts unless
        the model's own route says otherwise: by `upstream_model`, or by naming no more than the alias."""
        route, alias = self._settings.route_for(model), self._alias_of(model)
        if alias and (route is None or not (route.upstream_model or fnmatchcase(route.model, alias[0]))):
            model = alias[1]
            route = self._settings.route_for(model) or route
        return route, (route.upstream_model if route else None) or model

    def _alias_of(self, model: str) -> tuple[str, str] | None:
        """The first alias that fits, with its pattern."""
        found = next((each for each in self._aliases.items() if fnmatchcase(model, each[0])), None)
        return found if found and found[1] else None

    def has_key(self, name: str) -> bool:
        """Also where none is needed."""
        return bool(self.keys_of(name))

    def _is_usable(self, name: str) -> bool:
        return name in self._providers and self.has_key(name)

    def keys_of(self, name: str) -> list[str]:
        """All of them, `[""]` where none is needed; none where one is missing."""
        provider = self._providers[name]
        more = [found for each in provider.api_keys_env if (found := self._environ.get(each))]
        first = self._key_of(provider)
        return [*([first] if first is not None and (first or not more) else []), *more]

    def _key_of(self, provider: ProviderSettings) -> str | None:
        if provider.api_key is not None:
            return provider.api_key.get_secret_value()
        variable = key_variable(provider)
        if variable is None:
            return ""  # a provider that wants none
        return self._environ.get(variable) or None


def key_variable(provider: ProviderSettings) -> str | None:
    """Where its key is looked for if the settings do not hold it; None where it needs none."""
    return provider.api_key_env or facts_of(provider).key_variable


def client_headers(headers: Iterable[tuple[str, str]], *, own: bool) -> list[tuple[str, str]]:
    """What the provider sees of the client: nothing that names or authenticates it. An account header goes
    along only with the caller's own key."""
    allowed = _FORWARDED_HEADERS if own else (*_FORWARDED_HEADERS, *_ACCOUNT_HEADERS)
    return [(name, value) for name, value in headers if name in allowed]


def _upstream(
    name: str,
    provider: ProviderSettings,
    model: str,
    query: Sequence[tuple[str, str]],
    key: str,
    headers: Sequence[tuple[str, str]],
) -> Upstream:
    facts, base = facts_of(provider), urlsplit(provider.base_url)
    assert facts.form is not None  # see `Router.upstreams`
    form = facts.form(base.path.rstrip("/"), provider.api_version)
    dialect = Dialect(provider.dialect) if provider.dialect else form.dialect
    unnamed = _is_transcription(query) and name != LOCAL
    known_as = model if unnamed else provider.name_of(model)
    own = facts.beta_headers if dialect is Dialect.BETA else ()
    tls = base.scheme == "https"
    return Upstream(
        provider=name,
        host=base.hostname or "",
        port=base.port or (443 if tls else 80),
        tls=tls,
        target=f"{form.path}?{_parameters(provider, form, None if unnamed else known_as, query)}",
        headers=(*([facts.key(key)] if key else []), *own, *headers),
        model=known_as,
        live_model=model,
        priced_as=(f"{provider.kind}/{known_as}",) if facts.own_prices else (known_as, model),
        connect_timeout_seconds=provider.connect_timeout_seconds,
        rest_seconds=provider.rest_seconds,
        dialect=dialect,
        refused=facts.refused,
        translator=facts.translator,
        secret=key,
    )


def _transcriber(name: str, provider: ProviderSettings, model: str, key: str) -> Transcriber:
    facts, base, known_as = facts_of(provider), urlsplit(provider.base_url), provider.name_of(model)
    if facts.files is None:
        raise InvalidModel(f"{name} transcribes no files.")
    form = facts.files(base.path.rstrip("/"), provider.api_version, known_as)
    query = f"?{urlencode(form.parameters, quote_via=quote)}" if form.parameters else ""
    return Transcriber(
        provider=name,
        url=f"{base.scheme}://{base.netloc}{form.path}{query}",
        headers=dict([facts.key(key)] if key else []),
        model=known_as,
        priced_as=(f"{provider.kind}/{known_as}",) if facts.own_prices else (known_as, model),
    )


def _parameters(
    provider: ProviderSettings, form: Form, model: str | None, query: Iterable[tuple[str, str]]
) -> str:
    """The form's, then the client's that the provider may see."""
    ours = [*form.parameters, *([(form.model_parameter, model)] if model else [])]
    decided = _NEVER_FORWARDED | facts_of(provider).not_forwarded | {name for name, _ in ours}
    known = PUBLIC_QUERY | {name.lower() for name in provider.query_parameters}
    rest = [(name, value) for name, value in query if name.lower() in known - decided]
    return urlencode([*ours, *rest], quote_via=quote)


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _is_transcription(query: Iterable[tuple[str, str]]) -> bool:
    """A transcription session without a model in its URL: what transcribes is named in the session, and the
    live service refuses both together."""
    named = {key.lower() for key, value in query if value}
    return _intends_transcription(query) and not named & {"model", "deployment"}


def _intends_transcription(query: Iterable[tuple[str, str]]) -> bool:
    return any(key.lower() == "intent" and value == TRANSCRIPTION for key, value in query)
