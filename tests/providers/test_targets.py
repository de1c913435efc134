"""Where requests go: the URL and the key's header of each kind of provider, as its documents have them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from voxgate.core.settings import Settings
from voxgate.providers.routes import Router
from voxgate.providers.targets import Target, Targets

BEARER = {"authorization": "Bearer the-key"}
API_KEY = {"api-key": "the-key"}
AZURE = "https://res.openai.azure.com"
DATED = {"api_version": "2024-10-21"}
CHAT = "chat/completions"
NAMED = {"models": {"gpt-*": "my deployment/1"}}


def targets(
    provider: Mapping[str, Any], endpoint: str = CHAT, environ: Mapping[str, str] | None = None
) -> list[Target]:
    own = {} if environ is not None else {"api_key": "the-key"}
    settings = Settings.model_validate(
        {"providers": {"it": {**own, **provider}}, "routes": [{"model": "*", "providers": ["it"]}]}
    )
    return Targets(Router(settings, environ or {})).of("gpt-5", endpoint)


@pytest.mark.parametrize(
    ("provider", "endpoint", "url", "key"),
    [
        ({"kind": "openai"}, CHAT, "https://api.openai.com/v1/chat/completions", BEARER),
        ({"kind": "openai"}, "images/edits", "https://api.openai.com/v1/images/edits", BEARER),
        ({"kind": "xai"}, "responses", "https://api.x.ai/v1/responses", BEARER),
        ({"kind": "mistral"}, CHAT, "https://api.mistral.ai/v1/chat/completions", BEARER),
        (
            {"kind": "groq"},
            "audio/transcriptions",
            "https://api.groq.com/openai/v1/audio/transcriptions",
            BEARER,
        ),
        ({"kind": "openrouter"}, CHAT, "https://openrouter.ai/api/v1/chat/completions", BEARER),
        (
            {"kind": "gemini"},
            CHAT,
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            BEARER,
        ),
        (
            {"base_url": "https://generativelanguage.googleapis.com/v1beta/openai/"},
            "embeddings",
            "https://generativelanguage.googleapis.com/v1beta/openai/embeddings",
            BEARER,
        ),
        ({"kind": "ollama"}, CHAT, "http://127.0.0.1:11434/v1/chat/completions", BEARER),
        (
            {"kind": "ollama", "base_url": "https://ollama.com/v1"},
            "responses",
            "https://ollama.com/v1/responses",
            BEARER,
        ),
        # vLLM, or whatever else promises to be like OpenAI.
        ({"base_url": "http://gpu:8000/v1"}, CHAT, "http://gpu:8000/v1/chat/completions", BEARER),
        ({"base_url": "http://gpu:8000/v1/"}, "messages", "http://gpu:8000/v1/messages", BEARER),
        (
            {"base_url": "https://[::1]:8443/a/v1"},
            "audio/speech",
            "https://[::1]:8443/a/v1/audio/speech",
            BEARER,
        ),
        (
            {"kind": "anthropic"},
            "messages",
            "https://api.anthropic.com/v1/messages",
            {"x-api-key": "the-key"},
        ),
        (
            {"kind": "anthropic"},
            "messages/count_tokens",
            "https://api.anthropic.com/v1/messages/count_tokens",
            {"x-api-key": "the-key"},
        ),
        ({"kind": "anthropic"}, CHAT, "https://api.anthropic.com/v1/chat/completions", BEARER),
        ({"base_url": f"{AZURE}/openai/v1"}, CHAT, f"{AZURE}/openai/v1/chat/completions", API_KEY),
        ({"base_url": f"{AZURE}/openai/v1/"}, "responses", f"{AZURE}/openai/v1/responses", API_KEY),
        ({"base_url": AZURE}, "embeddings", f"{AZURE}/openai/v1/embeddings", API_KEY),
        (
            {"base_url": "https://res.services.ai.azure.com/openai/v1"},
            "responses",
            "https://res.services.ai.azure.com/openai/v1/responses",
            API_KEY,
        ),
        (
            {"base_url": f"{AZURE}/openai/v1", "api_version": "preview"},
            CHAT,
            f"{AZURE}/openai/v1/chat/completions?api-version=preview",
            API_KEY,
        ),
        (
            {"base_url": f"{AZURE}/openai", **DATED, **NAMED},
            CHAT,
            f"{AZURE}/openai/deployments/my%20deployment%2F1/chat/completions?api-version=2024-10-21",
            API_KEY,
        ),
        (
            {"base_url": AZURE, **DATED},
            "audio/transcriptions",
            f"{AZURE}/openai/deployments/gpt-5/audio/transcriptions?api-version=2024-10-21",
            API_KEY,
        ),
        (
            {"base_url": AZURE, **DATED},
            "responses",
            f"{AZURE}/openai/responses?api-version=2024-10-21",
            API_KEY,
        ),
    ],
)
def test_a_requests_url_and_key(
    provider: dict[str, Any], endpoint: str, url: str, key: dict[str, str]
) -> None:
    [target] = targets(provider, endpoint)
    assert (target.url, target.key_header) == (url, key)
    assert target.headers == (
        {"anthropic-version": "2023-06-01"} if provider.get("kind") == "anthropic" else {}
    )
    assert "the-key" not in repr(target)


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("gemini", "GEMINI_API_KEY"),
        ("mistral", "MISTRAL_API_KEY"),
        ("groq", "GROQ_API_KEY"),
        ("openrouter", "OPENROUTER_API_KEY"),
        ("xai", "XAI_API_KEY"),
    ],
)
def test_a_key_is_looked_for_where_its_maker_says(kind: str, variable: str) -> None:
    [target] = targets({"kind": kind}, environ={variable: "found"})
    assert target.secret == "found"


def test_ollama_needs_no_key() -> None:
    [target] = targets({"kind": "ollama"}, environ={})
    assert target.key_header == {}


def test_of_several_keys_each_is_a_target_of_its_own_that_may_rest() -> None:
    provider = {"kind": "openai", "api_key_env": "A", "api_keys_env": ["B", "C"]}
    found = targets(provider, environ={"A": "1", "B": "2", "C": "3"})
    assert [(each.secret, each.keyed_as) for each in found] == [
        ("1", "it, key 1"),
        ("2", "it, key 2"),
        ("3", "it, key 3"),
    ]


def test_load_is_shared_by_weight_and_keys_take_turns() -> None:
    known = {"often": {"kind": "openai", "api_keys_env": ["A", "B"]}, "seldom": {"kind": "ollama"}}
    route = {"model": "*", "providers": ["seldom", "often"], "weights": [1, 3]}
    settings = Settings.model_validate({"providers": known, "routes": [route]})
    shared = Targets(Router(settings, {"A": "1", "B": "2"}), random.Random(7))
    orders = [shared.of("gpt-5", CHAT) for _ in range(400)]
    first = Counter(order[0].provider for order in orders)
    assert 260 < first["often"] < 340
    assert all({each.provider for each in order} == {"often", "seldom"} for order in orders)
    keys = [next(each.secret for each in order if each.provider == "often") for order in orders]
    assert keys == ["1", "2"] * 200


def test_a_socket_has_the_same_place_and_key() -> None:
    settings = Settings.model_validate({
        "providers": {"it": {"base_url": f"{AZURE}/openai/v1", "api_key": "the-key"}},
        "routes": [{"model": "*", "providers": ["it"]}],
    })  # fmt: skip
    headers = [("user-agent", "me"), ("authorization", "Bearer vg_1"), ("openai-beta", "b"), ("cookie", "c")]
    [upstream] = Targets(Router(settings, {})).sockets("gpt-5", "responses", headers)
    assert upstream.url == "wss://res.openai.azure.com/openai/v1/responses"
    assert dict(upstream.headers) == {"user-agent": "me", "openai-beta": "b", "api-key": "the-key"}
    assert "the-key" not in repr(upstream).replace("'api-key', 'the-key'", "")
