"""Builds the control plane: one FastAPI application whose routes all start with `/api`.

A request goes through `access` (who asks), an endpoint in one of the modules that are included below, and
comes back as one of `shapes`; failures become JSON in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from voxgate import __version__
from voxgate.api import (
    account,
    agreement,
    bulk,
    comparing,
    dataset_blobs,
    dataset_import,
    dataset_sessions,
    datasets,
    experiments,
    images,
    importing,
    listening,
    live,
    rules,
    scores,
    sessions,
    setup,
    sound,
    stats,
    views,
)
from voxgate.api import transcribing as words
from voxgate.api.access import Control, House, Imports, Transcribing
from voxgate.api.answers import answer_failures
from voxgate.api.archive import Archive
from voxgate.api.packing import Packing
from voxgate.api.shapes import ErrorBody
from voxgate.auth.keys import KeyRing
from voxgate.auth.web import WebSignIn
from voxgate.store import Blobs, Kept, Store


def build_api(
    *,
    store: Store,
    blobs: Blobs,
    keys: KeyRing,
    sign_in: WebSignIn,
    models: Callable[[], list[dict[str, Any]]],
    kept: Kept | None = None,
    imports: Imports | None = None,
    transcribing: Transcribing | None = None,
    house: House | None = None,
) -> FastAPI:
    app = FastAPI(
        title="Voxgate",
        version=__version__,
        description="The control plane: sessions, their traces and sound, projects and API keys.",
        openapi_url="/api/openapi.json",
        # The documentation pages load their scripts from a content delivery network.
        docs_url=None,
        redoc_url=None,
        # A redirect would be an answer that is not JSON.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        responses={"4XX": {"model": ErrorBody, "description": "What was wrong, and with which field."}},
    )
    app.state.control = Control(
        store=store,
        blobs=blobs,
        keys=keys,
        sign_in=sign_in,
        models=models,
        archive=Archive(blobs),
        kept=kept or Kept(),
        imports=imports,
        transcribing=transcribing or Transcribing(),
        house=house,
    )
    answer_failures(app)
    app.add_middleware(Packing)
    # `bulk` before `sessions`, whose `/{session_id}` takes any name.
    for part in (
        account,
        bulk,
        comparing,
        setup,
        sessions,
        scores,
        importing,
        words,
        sound,
        images,
        live,
        listening,
        stats,
        views,
        datasets,
        dataset_blobs,
        dataset_sessions,
        dataset_import,
        experiments,
        agreement,
        rules,
    ):
        app.include_router(part.router)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
