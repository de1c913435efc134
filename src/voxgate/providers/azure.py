"""Facts about Azure OpenAI. Its URL has two forms, and the model is the name of a deployment:

    …/openai/v1/realtime?model=DEPLOYMENT                              GA
    …/openai/realtime?api-version=VERSION&deployment=DEPLOYMENT        beta, deprecated in April 2026
    …/openai/v1/ENDPOINT, …/openai/deployments/DEPLOYMENT/ENDPOINT?api-version=VERSION
    …/openai/responses?api-version=VERSION, whose model stands in the body alone

Source: request heads of the official SDKs and a recorded call of the first form, July 2026; for the last two
lines the official SDK and the vendor's documents, untried.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from voxgate.providers.facts import Facts, Form, api_key, rest_below
from voxgate.realtime.dialects import Dialect

_OF_DEPLOYMENTS: Final = frozenset((
    "completions", "chat/completions", "embeddings", "audio/transcriptions", "audio/translations",
    "audio/speech", "images/generations", "images/edits",
))  # fmt: skip
"""Endpoints that have the deployment in their URL, where that has a version."""


def form(base: str, api_version: str | None) -> Form:
    """`base` may end with `/openai/v1`, which is the first form, with `/openai`, or before either."""
    if base.endswith("/openai/v1") or (api_version is None and not base.endswith("/openai")):
        root = base.removesuffix("/openai/v1")
        parameters = (("api-version", api_version),) if api_version else ()
        return Form(f"{root}/openai/v1/realtime", parameters=parameters)
    root = base.removesuffix("/openai")
    version = (("api-version", api_version or ""),)
    return Form(f"{root}/openai/realtime", "deployment", version, Dialect.BETA)


def rest(base: str, api_version: str | None, model: str, endpoint: str) -> Form:
    """In the same two forms."""
    if form(base, api_version).dialect is Dialect.GA:
        return rest_below(f"{base.removesuffix('/openai/v1')}/openai/v1", api_version, model, endpoint)
    root = f"{base.removesuffix('/openai')}/openai"
    if endpoint not in _OF_DEPLOYMENTS:
        return rest_below(root, api_version, model, endpoint)
    return rest_below(f"{root}/deployments/{quote(model, safe='')}", api_version, model, endpoint)


def files(base: str, api_version: str | None, model: str) -> Form:
    """Where speech in files is transcribed, in the same two forms."""
    return rest(base, api_version, model, "audio/transcriptions")


def models_path(base: str) -> str:
    root = base.removesuffix("/v1").removesuffix("/openai")
    return f"{root}/openai/v1/models"


FACTS = Facts(
    form=form,
    rest=rest,
    files=files,
    models_path=models_path,
    key=api_key,
    key_variable="AZURE_OPENAI_API_KEY",
)
