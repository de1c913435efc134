"""Names that clients still ask for, and the models that serve them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from voxgate.core.settings import Settings
from voxgate.core.upstreams import ProviderSettings
from voxgate.providers.openai import ALIASES, REALTIME_MODELS, RETIRED_MODELS, TRANSCRIPTION
from voxgate.providers.routes import Router

HOUSE = {"base_url": "http://house:9000/v1"}
OLD = "gpt-4o-realtime-preview-2024-10-01"
LIVE = ALIASES["gpt-4o-realtime-preview*"]


def router(**settings: Any) -> Router:
    return Router(Settings.model_validate(settings), {"OPENAI_API_KEY": "sk-1"})


def served(model: str, query: tuple[tuple[str, str], ...] = (), **settings: Any) -> tuple[str, str, str]:
    (upstream,) = router(**settings).upstreams(model, query)
    return upstream.provider, upstream.model, upstream.target.partition("?")[2]


def house(model: str, **more: str) -> dict[str, Any]:
    return {"providers": {"house": HOUSE}, "routes": [{"model": model, "providers": ["house"], **more}]}


@pytest.mark.parametrize("model", RETIRED_MODELS)
def test_a_retired_model_is_served_by_a_live_one(model: str) -> None:
    provider, live, query = served(model)
    assert provider == "openai"
    assert live in REALTIME_MODELS
    assert ("mini" in live) == ("mini" in model)
    assert query == f"model={live}"


def test_a_retired_model_takes_the_route_of_the_live_one() -> None:
    assert served(OLD, **house("gpt-realtime*")) == ("house", LIVE, f"model={LIVE}")


def test_a_route_for_all_models_does_not_hide_an_alias() -> None:
    assert served(OLD, **house("*"))[1] == LIVE


@pytest.mark.parametrize("pattern", ["gpt-4o-realtime-preview*", "gpt-4o-realtime-preview-2024*", OLD])
def test_a_route_that_names_the_retired_model_wins(pattern: str) -> None:
    assert served(OLD, **house(pattern)) == ("house", OLD, f"model={OLD}")


def test_a_route_that_says_the_upstream_model_wins() -> None:
    assert served(OLD, **house("gpt-*", upstream_model="own"))[1] == "own"


def test_the_configuration_wins_over_what_is_shipped() -> None:
    aliases = {"gpt-4o-realtime-preview-2024-10*": "gpt-realtime-2", "voice": "gpt-realtime-1.5"}
    assert served(OLD, aliases=aliases)[1] == "gpt-realtime-2"
    assert served("gpt-4o-realtime-preview", aliases=aliases)[1] == LIVE
    assert served("voice", aliases=aliases)[1] == "gpt-realtime-1.5"
    assert served(OLD, aliases={"gpt-4o-realtime-preview*": ""})[1] == OLD


def test_an_alias_leads_to_one_model() -> None:
    with pytest.raises(ValidationError, match="write the name of one model"):
        router(aliases={"voice": "gpt-*"})


def test_an_alias_can_lead_to_the_embedded_provider() -> None:
    local = ProviderSettings.model_validate({"base_url": "http://127.0.0.1:1/v1"})
    settings = Settings.model_validate({"aliases": {"gpt-4o-*": "local"}})
    (upstream,) = Router(settings, {}, local).upstreams(OLD)
    assert (upstream.provider, upstream.model) == ("local", "local")


def test_the_list_says_which_live_model_serves_a_name() -> None:
    listed = {entry["id"]: entry for entry in router(aliases={"voice": "gpt-realtime-2"}).models()}
    assert {listed[name]["served_by"] for name in RETIRED_MODELS} == {LIVE, f"{LIVE}-mini"}
    assert listed["voice"]["served_by"] == "gpt-realtime-2"
    assert listed[LIVE]["served_by"] == LIVE
    assert listed[OLD]["object"] == "model"
    assert TRANSCRIPTION not in listed
    assert not any("*" in name for name in listed)


def test_the_list_of_what_is_alive_has_no_aliases() -> None:
    assert not {entry["id"] for entry in router().models(aliases=False)} & set(RETIRED_MODELS)


def test_an_alias_without_a_route_is_not_listed() -> None:
    listed = {entry["id"] for entry in router(**house("other")).models()}
    assert listed == {"other"}


TRANSCRIBE = (("intent", "transcription"),)


def test_a_transcription_session_goes_on_without_a_model_and_with_its_intent() -> None:
    assert served(TRANSCRIPTION, TRANSCRIBE)[2] == "intent=transcription"
    assert served("gpt-4o-transcribe", TRANSCRIBE)[2] == "intent=transcription"


def test_a_model_that_the_client_named_beside_the_intent_goes_on() -> None:
    query = (*TRANSCRIBE, ("model", "gpt-realtime"))
    assert served("gpt-realtime", query)[2] == "model=gpt-realtime&intent=transcription"


def test_transcription_can_have_a_route_of_its_own() -> None:
    assert served(TRANSCRIPTION, TRANSCRIBE, **house("transcription"))[0] == "house"
