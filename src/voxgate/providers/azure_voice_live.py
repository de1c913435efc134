"""Facts about Azure Voice Live: it still speaks with the beta names, and has settings of its own.

    …/voice-live/realtime?api-version=VERSION&model=MODEL

Source: Microsoft's description of the service and a recorded call, July 2026. It knows no transcription
sessions: a session always has a model that answers.
"""

from __future__ import annotations

from voxgate.providers.facts import Facts, Form, api_key
from voxgate.realtime.dialects import REFUSED_BY_VOICE_LIVE, Dialect


def form(base: str, api_version: str | None) -> Form:
    root = base.removesuffix("/realtime").removesuffix("/voice-live")
    version = (("api-version", api_version or ""),)
    return Form(f"{root}/voice-live/realtime", parameters=version, dialect=Dialect.BETA)


FACTS = Facts(
    form=form,
    rest=None,
    models_path=lambda _: None,
    key=api_key,
    key_variable="AZURE_VOICELIVE_API_KEY",
    transcribes=False,
    beta_headers=(),
    own_prices=True,
    refused=REFUSED_BY_VOICE_LIVE,
)
