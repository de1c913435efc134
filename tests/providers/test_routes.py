"""From a model to the upstreams to try."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.core.errors import Forbidden, InvalidModel, UpstreamRefused
from voxgate.core.settings import Settings
from voxgate.core.upstreams import ProviderSettings
from voxgate.providers.routes import Router

HOUSE = {"base_url": "http://house:9000/v1"}
OLD = {"model": "old", "providers": ["house"], "upstream_model": "new/one"}


def router(environ: dict[str, str] | None = None, **settings: Any) -> Router:
    return Router(Settings.model_validate(settings), environ or {})


def test_an_upstream_has_the_providers_address_key_and_name_of_the_model() -> None:
    (upstream,) = router(providers={"house": HOUSE}, routes=[OLD]).upstreams(
        "old", [("intent", "a b"), ("key", "k")]
    )
    assert (upstream.host, upstream.port, upstream.tls) == ("house", 9000, False)
    assert upstream.target == "/v1/realtime?model=new%2Fone&intent=a%20b"
    assert upstream.headers == ()


def test_openai_is_there_without_being_configured() -> None:
    (upstream,) = router({"OPENAI_API_KEY": "sk-1"}).upstreams("gpt-realtime", headers=[("cookie", "c")])
    assert upstream.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime"
    assert upstream.headers == (("Authorization", "Bearer sk-1"),)


def test_account_headers_go_along_only_with_the_callers_own_key() -> None:
    headers = [("openai-project", "p"), ("user-agent", "app/1")]
    routes = router({"OPENAI_API_KEY": "sk-1"})
    (ours,) = routes.upstreams("gpt-x", headers=headers)
    (theirs,) = routes.upstreams("gpt-x", headers=headers, provider_key="sk-2")
    assert dict(ours.headers) == {"Authorization": "Bearer sk-1", "user-agent": "app/1"}
    assert dict(theirs.headers) == {"Authorization": "Bearer sk-2", **dict(headers)}


def test_a_callers_key_is_not_sent_to_a_provider_that_does_not_take_it() -> None:
    with pytest.raises(Forbidden):
        router(providers={"house": HOUSE}, routes=[OLD]).upstreams("old", provider_key="sk-2")


def test_a_model_without_a_route_names_those_that_have_one() -> None:
    with pytest.raises(InvalidModel, match=r'"other" is not supported.*old'):
        router(providers={"house": HOUSE}, routes=[OLD]).upstreams("other")


def test_a_missing_key_names_its_variable() -> None:
    with pytest.raises(UpstreamRefused, match="OPENAI_API_KEY"):
        router().upstreams("gpt-realtime")


def test_only_what_can_be_asked_for_is_listed() -> None:
    assert router().models() == []
    local = ProviderSettings.model_validate({"base_url": "http://127.0.0.1:1/v1"})
    assert [m["id"] for m in Router(Settings(), {}, local).models()] == ["local"]
    listed = [m["id"] for m in router({"OPENAI_API_KEY": "sk-1"}).models()]
    assert "gpt-realtime" in listed
    assert not any("*" in name for name in listed)


def test_a_provider_gets_the_parameters_that_it_is_configured_to_get() -> None:
    query = [
        ("tenant", "t"),
        ("jwt", "secret"),
        ("api-key", "secret"),
        ("model", "other"),
        ("Voice", "marin"),
    ]
    house = {**HOUSE, "query_parameters": ["Tenant", "api-key", "model"]}
    (upstream,) = router(providers={"house": house}, routes=[OLD]).upstreams("old", query)
    assert upstream.target == "/v1/realtime?model=new%2Fone&tenant=t&Voice=marin"


@pytest.mark.parametrize(
    ("provider", "url", "key"),
    [
        ({"base_url": "http://house:9000/v1/"}, "http://house:9000/v1/audio/transcriptions", ("", "")),
        (
            {"base_url": "https://api.openai.com/v1", "api_key": "k"},
            "https://api.openai.com/v1/audio/transcriptions",
            ("Authorization", "Bearer k"),
        ),
        (
            {"base_url": "https://r.openai.azure.com", "api_key": "k", "models": {"w": "my deployment"}},
            "https://r.openai.azure.com/openai/v1/audio/transcriptions",
            ("api-key", "k"),
        ),
        (
            {
                "base_url": "https://r.openai.azure.com/openai",
                "api_version": "2025-04-01-preview",
                "api_key": "k",
                "models": {"w": "my deployment"},
            },
            (
                "https://r.openai.azure.com/openai/deployments/my%20deployment"
                "/audio/transcriptions?api-version=2025-04-01-preview"
            ),
            ("api-key", "k"),
        ),
    ],
)
def test_files_are_transcribed_where_each_kind_of_provider_does_it(
    provider: dict[str, Any], url: str, key: tuple[str, str]
) -> None:
    routes = [{"model": "w", "providers": ["p"]}]
    (found,) = router(providers={"p": provider}, routes=routes).transcribers("w")
    assert (found.url, found.model) == (url, provider.get("models", {}).get("w", "w"))
    assert dict(found.headers) == ({key[0]: key[1]} if key[0] else {})


def test_who_has_no_key_or_no_such_endpoint_is_not_asked_to_transcribe() -> None:
    providers = {"xai": {"base_url": "https://api.x.ai/v1", "api_key": "k"}, "house": HOUSE}
    routes = [
        {"model": "both", "providers": ["openai", "xai", "local", "house"]},
        {"model": "none", "providers": ["xai", "local"]},
        {"model": "poor", "providers": ["openai"]},
    ]
    asked = router(providers=providers, routes=routes)
    assert [one.provider for one in asked.transcribers("both")] == ["house"]
    with pytest.raises(InvalidModel, match="served by xai, local, where files cannot be transcribed"):
        asked.transcribers("none")
    with pytest.raises(InvalidModel, match="no route serves the model 'unknown'"):
        asked.transcribers("unknown")
    with pytest.raises(UpstreamRefused, match="set OPENAI_API_KEY"):
        asked.transcribers("poor")
