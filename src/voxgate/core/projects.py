"""`[projects.NAME]` of the settings: what holds for the calls of one project."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from voxgate.core.origins import origin_pattern

OriginPattern = Annotated[str, AfterValidator(origin_pattern)]
Days = Annotated[int, Field(ge=1, le=36_500)]


class ProjectSettings(BaseModel):
    """What a credential says of the same may only be stricter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allowed_origins: list[OriginPattern] | None = None
    """The pages whose browsers may call; None allows all, an empty list none."""
    audio: bool = True
    """Whether the sound of its calls is recorded."""
    text: bool = True
    """Whether their words are."""
    retention_days: Days | None = None
    """After so many days its recordings are deleted."""
    audio_retention_days: Days | None = None
    """After so many days their sound is."""
