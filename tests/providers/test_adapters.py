"""What settings and the facts of a kind make of a provider: its address, its key, its name for a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voxgate.core.errors import InvalidModel, SettingsError, UpstreamRefused
from voxgate.core.kinds import Kind, kind_of_url
from voxgate.core.settings import Settings, load_settings
from voxgate.core.upstreams import ProviderSettings
from voxgate.providers.adapters import ADAPTERS, facts_of
from voxgate.providers.routes import Router, Upstream
from voxgate.realtime.dialects import Dialect

KEY = "provider-key-of-32-letters-000000"
VOICE_LIVE_OPTIONS = {"kind": "azure_voice_live", "api_version": "2025-10-01"}
QUERY = [("deployment", "asked"), ("api-version", "2024-10-01-preview"), ("voice", "ash")]


def upstream(options: dict[str, Any], path: str = "", query: Any = QUERY, **route: Any) -> Upstream:
    live = {"base_url": f"http://live:9{path}", "api_key": KEY, **options}
    routes = [{"model": "asked", "providers": ["live"], "upstream_model": "theirs", **route}]
    settings = Settings.model_validate({"providers": {"live": live}, "routes": routes})
    (found,) = Router(settings, {}).upstreams("asked", query)
    return found


FORMS = [
    ({"kind": "openai"}, "/v1", "/v1/realtime?model=theirs", "bearer"),
    ({}, "/v1/", "/v1/realtime?model=theirs&api-version=2024-10-01-preview", "bearer"),
    ({"api_version": "7"}, "", "/realtime?api-version=7&model=theirs", "bearer"),
    ({"kind": "xai"}, "/v1", "/v1/realtime?model=theirs", "bearer"),
    ({"kind": "azure"}, "", "/openai/v1/realtime?model=theirs", "api-key"),
    ({"kind": "azure"}, "/openai/v1", "/openai/v1/realtime?model=theirs", "api-key"),
    (
        {"kind": "azure", "api_version": "preview"},
        "/openai/v1",
        "/openai/v1/realtime?api-version=preview&model=theirs",
        "api-key",
    ),
    (
        {"kind": "azure", "api_version": "2025-04-01-preview"},
        "/openai",
        "/openai/realtime?api-version=2025-04-01-preview&deployment=theirs",
        "api-key",
    ),
    (
        {"kind": "azure", "api_version": "2025-04-01-preview", "models": {"the*": "my-deployment"}},
        "",
        "/openai/realtime?api-version=2025-04-01-preview&deployment=my-deployment",
        "api-key",
    ),
    (VOICE_LIVE_OPTIONS, "", "/voice-live/realtime?api-version=2025-10-01&model=theirs", "api-key"),
    (
        VOICE_LIVE_OPTIONS,
        "/voice-live",
        "/voice-live/realtime?api-version=2025-10-01&model=theirs",
        "api-key",
    ),
]


@pytest.mark.parametrize(("options", "path", "target", "carrier"), FORMS)
def test_a_provider_is_asked_in_its_own_form(
    options: dict[str, Any], path: str, target: str, carrier: str
) -> None:
    found = upstream(options, path)
    assert found.target == f"{target}&voice=ash"
    assert found.headers[0] == (
        ("Authorization", f"Bearer {KEY}") if carrier == "bearer" else ("api-key", KEY)
    )
    assert found.model in target


def test_every_kind_has_its_facts() -> None:
    assert set(ADAPTERS) == set(Kind)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.openai.com/v1", Kind.OPENAI),
        ("https://api.x.ai/v1", Kind.XAI),
        ("https://me.openai.azure.com", Kind.AZURE),
        ("https://me.openai.azure.com/openai/v1", Kind.AZURE),
        ("https://me.cognitiveservices.azure.com/openai", Kind.AZURE),
        ("https://me.services.ai.azure.com/voice-live", Kind.AZURE_VOICE_LIVE),
        ("https://me.services.ai.azure.com", None),
        ("https://api.openai.com.example/v1", Kind.COMPATIBLE),
        ("http://127.0.0.1:9000/openai/v1", Kind.COMPATIBLE),
    ],
)
def test_a_kind_is_taken_from_a_url_that_can_mean_only_one(url: str, kind: Kind | None) -> None:
    assert kind_of_url(url) == kind


def test_a_kind_that_is_written_counts() -> None:
    house = ProviderSettings.model_validate({"base_url": "https://api.x.ai/v1", "kind": "openai"})
    assert facts_of(house) is ADAPTERS[Kind.OPENAI]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ['base_url = "http://x"', 'kind = "azur"'],
            "line 3: providers.p.kind: Input should be 'openai', 'azure', 'azure_voice_live', 'xai', ",
        ),
        (
            ['base_url = "http://x"', 'kind = "azure_voice_live"'],
            "line 1: providers.p.api_version: is missing; Azure Voice Live needs one",
        ),
        (
            ['base_url = "https://me.openai.azure.com/openai"'],
            "line 1: providers.p.api_version: is missing; this form of URL needs one",
        ),
        (
            ['base_url = "https://me.services.ai.azure.com"'],
            'line 1: providers.p.kind: is missing; this host can mean "azure" and "azure_voice_live"',
        ),
        (
            ['base_url = "https://api.x.ai/v1"', 'api_version = "1"'],
            'line 3: providers.p.api_version: a provider of kind "xai" has none',
        ),
        (
            ['base_url = "http://x"', 'dialect = "alpha"'],
            "line 3: providers.p.dialect: Input should be 'ga' or 'beta'",
        ),
        (['base_url = "http://x"', 'models = {a = "b*"}'], "line 3: providers.p.models.a: 'b*' is a pattern"),
    ],
)
def test_what_is_wrong_with_a_provider_is_said_with_its_place(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    file = tmp_path / "voxgate.toml"
    file.write_text("\n".join(["[providers.p]", *lines]))
    with pytest.raises(SettingsError) as raised:
        load_settings({}, {}, file)
    assert f"{file}, {message}" in str(raised.value)


@pytest.mark.parametrize(
    ("options", "path", "dialect"),
    [
        ({"kind": "openai"}, "", Dialect.GA),
        ({"kind": "azure"}, "", Dialect.GA),
        ({"kind": "azure", "api_version": "2025-04-01-preview"}, "", Dialect.BETA),
        ({"kind": "azure", "api_version": "2025-04-01-preview", "dialect": "ga"}, "", Dialect.GA),
        ({"kind": "xai"}, "", Dialect.GA),
        (VOICE_LIVE_OPTIONS, "", Dialect.BETA),
        ({}, "", Dialect.GA),
        ({"dialect": "beta"}, "", Dialect.BETA),
    ],
)
def test_a_provider_speaks_what_its_kind_or_its_settings_say(
    options: dict[str, Any], path: str, dialect: Dialect
) -> None:
    found = upstream(options, path)
    assert found.dialect is dialect
    asks = ("OpenAI-Beta", "realtime=v1") in found.headers
    assert asks == (dialect is Dialect.BETA and options is not VOICE_LIVE_OPTIONS)


@pytest.mark.parametrize("kind", [Kind.AZURE, Kind.XAI])
def test_a_key_is_looked_for_where_the_kind_has_it(kind: Kind) -> None:
    variable = ADAPTERS[kind].key_variable
    assert variable is not None
    live = {"base_url": "http://live:9", "kind": kind.value}
    settings = Settings.model_validate(
        {"providers": {"live": live}, "routes": [{"model": "asked", "providers": ["live"]}]}
    )
    with pytest.raises(UpstreamRefused, match=f"live has no key \\(set {variable}\\)"):
        Router(settings, {}).upstreams("asked")
    (found,) = Router(settings, {variable: KEY}).upstreams("asked")
    assert KEY in found.headers[0][1]


def test_a_model_has_the_name_that_the_provider_knows_it_by() -> None:
    models = {"theirs": "exactly", "the*": "fitting"}
    assert (upstream({"models": models}).model, upstream({"models": models}).live_model) == (
        "exactly",
        "theirs",
    )
    assert upstream({"models": models}, upstream_model="them").model == "fitting"
    assert upstream({"models": models}, upstream_model="other").model == "other"


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({"kind": "azure"}, "/openai/v1/realtime?intent=transcription"),
        (
            {"kind": "azure", "api_version": "2025-04-01-preview"},
            "/openai/realtime?api-version=2025-04-01-preview&intent=transcription",
        ),
        ({"kind": "openai"}, "/realtime?intent=transcription"),
    ],
)
def test_a_transcription_session_names_no_model(options: dict[str, Any], target: str) -> None:
    assert upstream(options, query=[("intent", "transcription")]).target == target


@pytest.mark.parametrize("options", [VOICE_LIVE_OPTIONS, {"kind": "xai"}])
def test_a_provider_without_transcription_sessions_says_so(options: dict[str, Any]) -> None:
    with pytest.raises(UpstreamRefused, match="live has no transcription sessions"):
        upstream(options, query=[("intent", "transcription"), ("model", "asked")])


def listed(**settings: Any) -> list[tuple[str, str, str]]:
    found = Router(Settings.model_validate(settings), {}).models(aliases=False)
    return [(entry["id"], entry["provider"], entry["served_by"]) for entry in found]


def test_models_are_listed_by_what_the_providers_of_a_route_serve() -> None:
    azure = {"base_url": "https://me.openai.azure.com", "api_key": "k"}
    deployed = {**azure, "models": {"gpt-realtime": "house", "gpt-realtime-2*": "two"}}
    xai = {"base_url": "https://api.x.ai/v1", "api_key": "k"}
    everything = [{"model": "*", "providers": ["p"]}]
    assert listed(providers={"p": azure}, routes=everything) == []
    assert listed(providers={"p": deployed}, routes=everything) == [("gpt-realtime", "p", "house")]
    grok = listed(providers={"p": xai}, routes=everything)
    assert ("grok-voice-latest", "p", "grok-voice-latest") in grok
    assert all(name.startswith("grok-") for name, _, _ in grok)
    keyless = {"base_url": "https://api.x.ai/v1"}
    assert listed(providers={"p": keyless}, routes=everything) == []


def test_a_model_without_a_route_is_refused_with_those_that_have_one() -> None:
    azure = {"base_url": "https://me.openai.azure.com", "api_key": "k", "models": {"gpt-realtime": "house"}}
    routes = [{"model": "gpt-*", "providers": ["p"]}]
    router = Router(Settings.model_validate({"providers": {"p": azure}, "routes": routes}), {})
    with pytest.raises(InvalidModel, match="gpt-realtime"):
        router.upstreams("other")
