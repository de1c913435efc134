"""`[projects.NAME]` of the settings: what holds for the calls of one project."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from voxgate.core.caching import CacheMode
from voxgate.core.origins import origin_pattern
from voxgate.core.patterns import BUILT_IN, check_pattern

OriginPattern = Annotated[str, AfterValidator(origin_pattern)]
RuleName = Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]
Pattern = Annotated[str, AfterValidator(check_pattern)]
Days = Annotated[int, Field(ge=1, le=36_500)]


class TranscriptionSettings(BaseModel):
    """Who writes down what users said where the provider did not, once a call is over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(min_length=1, max_length=200)]
    """By a name that a route serves."""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    """Of what is said (ISO 639-1); None: the model finds out."""
    prompt: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """Words that the model may not know, such as names."""


def _named(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


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
    redact: list[str] = Field(default_factory=list)
    """Names of built-in patterns (`core.patterns`): what they find is taken out of words and sound."""
    redact_patterns: Annotated[dict[RuleName, Pattern], Field(max_length=32)] = Field(default_factory=dict)
    """The same by regular expressions of one's own, with a name for each."""

    transcribe: Annotated[TranscriptionSettings, BeforeValidator(_named)] | None = None
    """What is asked for the words of its calls that have none; None: nobody."""
    cache: CacheMode | None = None
    """Which answers of its requests are kept; None: as `[cache]` says."""

    @model_validator(mode="after")
    def _check_transcription(self) -> ProjectSettings:
        for name, recorded in (("audio", self.audio), ("text", self.text)):
            if self.transcribe is not None and not recorded:
                raise ValueError(f"transcribe: there is nothing to transcribe while {name} is false")
        return self

    @model_validator(mode="after")
    def _check_redaction(self) -> ProjectSettings:
        for name in self.redact:
            if name not in BUILT_IN:
                raise ValueError(f"redact: there is no pattern {name!r}; known: {', '.join(BUILT_IN)}")
        return self

    @property
    def redaction(self) -> dict[str, str]:
        """All patterns by their names; none: nothing is redacted."""
        return {**{name: BUILT_IN[name] for name in self.redact}, **self.redact_patterns}
