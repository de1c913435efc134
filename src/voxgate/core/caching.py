"""`[cache]` of the settings: which answers of requests are kept and given again, and for how long."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CacheMode = Literal["off", "asked", "auto"]
"""`off`: nothing is kept, whatever a request asks for. `asked`: what a request's header asks for. `auto`: of
requests without that header also those whose answer is the same each time."""
_DAY_SECONDS: Final = 86_400


class CacheSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: CacheMode = "asked"
    ttl_seconds: Annotated[int, Field(ge=1, le=365 * _DAY_SECONDS)] = _DAY_SECONDS
    """How long an answer is good for whoever does not say it."""
    longest_ttl_seconds: Annotated[int, Field(ge=1, le=365 * _DAY_SECONDS)] = 7 * _DAY_SECONDS
    """The most that a request may ask for."""
    largest_bytes: Annotated[int, Field(ge=0)] = 1 << 30
    """Of all answers together; the oldest go first."""
    largest_answer_bytes: Annotated[int, Field(ge=0, le=256 << 20)] = 4 << 20

    @model_validator(mode="after")
    def _check_times(self) -> CacheSettings:
        if self.ttl_seconds > self.longest_ttl_seconds:
            raise ValueError("ttl_seconds: may not be more than longest_ttl_seconds")
        return self
