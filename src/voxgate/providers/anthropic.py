"""Facts about Anthropic: its own `POST …/messages`, and OpenAI's `chat/completions` beside it. Its key
travels in a header of its own, but where OpenAI's SDK is served, and every request names a version of the
API. Source: the types of the official SDK and the vendor's guide on OpenAI's SDK, November 2026; the live
service was not asked.
"""

from __future__ import annotations

from typing import Final

from voxgate.providers.facts import Facts, Header

_VERSION: Final[Header] = ("anthropic-version", "2023-06-01")


def x_api_key(key: str) -> Header:
    return "x-api-key", key


FACTS: Final = Facts(
    form=None,
    key=x_api_key,
    bearer_for=frozenset({"chat/completions"}),
    key_variable="ANTHROPIC_API_KEY",
    headers=(_VERSION,),
    transcribes=False,
)
