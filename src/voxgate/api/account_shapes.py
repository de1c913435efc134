"""The shapes of signing in and of API keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from voxgate.api.shapes import AnswerShape, RequestShape
from voxgate.auth.keys import DEFAULT_GRACE_SECONDS, LONGEST_GRACE_SECONDS, Role


class LoginRequest(RequestShape):
    api_key: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class NewKeyRequest(RequestShape):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    role: Role
    project: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    expires_at: AwareDatetime | None = None
    max_requests_per_minute: Annotated[int, Field(ge=1, le=10**6)] | None = Field(
        None, description="Of what is asked with it, over all workers; a call counts when it opens."
    )
    max_tokens_per_minute: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        None, description="Of requests that are no calls."
    )


class RotateRequest(RequestShape):
    grace_seconds: Annotated[
        int,
        Field(
            ge=0, le=LONGEST_GRACE_SECONDS, description="How long the text before stays good; 0 ends it now."
        ),
    ] = DEFAULT_GRACE_SECONDS


class Me(AnswerShape):
    name: str
    role: Role
    project: str | None = Field(description="The only project that the key sees; null for all.")


class Key(AnswerShape):
    id: str
    name: str
    role: Role
    project: str | None
    key_hint: str = Field(description="Enough of the key to recognise it.")
    created_at: str
    expires_at: str | None
    last_used_at: str | None = Field(description="To the minute.")
    old_secret_until: str | None = Field(
        description="Until when a text that a rotation replaced is good; null when none is."
    )
    max_requests_per_minute: int | None = None
    max_tokens_per_minute: int | None = None


class NewKey(Key):
    key: str = Field(description="The key itself. It is shown this once and kept nowhere.")


class KeyPage(AnswerShape):
    items: list[Key]
    next_cursor: str | None = None
