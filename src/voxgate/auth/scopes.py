"""What a temporary credential lets a call say: the settings of its session, which of them are locked, and the
events and tools that its client may send. The body of `POST /v1/credentials` in, checked scopes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from voxgate.realtime.redaction import redact

LARGEST_SESSION_BYTES: Final = 32 << 10
"""Of the settings as JSON: they travel inside the key, and the key in a request's head."""

Lock = Literal["defaults", "locked"]
EventPattern = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[a-z0-9_.*?]+$")]
ToolPattern = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\w.*?-]+$")]
_Body = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class InputSettings(_Part):
    format: _Body | None = None
    transcription: _Body | None = None
    noise_reduction: _Body | None = None
    turn_detection: _Body | None = None


class OutputSettings(_Part):
    format: _Body | None = None
    voice: str | _Body | None = None
    speed: Annotated[float, Field(strict=False)] | None = None


class AudioSettings(_Part):
    input: InputSettings = Field(default_factory=InputSettings)
    output: OutputSettings = Field(default_factory=OutputSettings)


class SessionSettings(_Part):
    """The settings of a session by their names in the GA protocol (realtime-protocol 2.3). The provider
    checks what they hold."""

    type: Literal["realtime", "transcription"] | None = None
    instructions: str | None = None
    output_modalities: list[Literal["audio", "text"]] | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    include: list[str] | None = None
    audio: AudioSettings = Field(default_factory=AudioSettings)
    tools: list[_Body] | None = None
    tool_choice: str | _Body | None = None
    parallel_tool_calls: bool | None = None
    reasoning: _Body | None = None
    prompt: _Body | None = None
    tracing: str | _Body | None = None
    truncation: str | _Body | None = None


def _paths(part: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in part.model_fields.items():
        yield before + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _paths(field.annotation, f"{before}{name}.")


LOCKABLE: Final = tuple(path for path in _paths(SessionSettings) if path != "type")
"""The fields that a lock can name: `instructions`, `audio.output.voice` …"""


def _known_field(path: str) -> str:
    if path not in LOCKABLE:
        raise ValueError(f"{path[:100]!r} is no field of a session that can be locked")
    return path


LockedField = Annotated[str, AfterValidator(_known_field)]


class SessionScope(SessionSettings):
    """The settings and, beside them, what the client may change of them."""

    lock: Lock | Annotated[list[LockedField], Field(min_length=1, max_length=len(LOCKABLE))] = "defaults"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            size = len(orjson.dumps(self.settings))
        except orjson.JSONEncodeError as error:
            raise ValueError("the settings are nested too deeply") from error
        if size > LARGEST_SESSION_BYTES:
            raise ValueError(f"the settings take {size:,} bytes; at most {LARGEST_SESSION_BYTES:,} may be")
        return self

    @property
    def settings(self) -> _Body:
        """What was given, as `session.update` takes it."""
        return self.model_dump(exclude={"lock"}, exclude_unset=True)

    @property
    def locked(self) -> list[str]:
        """The fields that the client may not change: those that were given, or those that were named."""
        if isinstance(self.lock, list):
            return sorted(set(self.lock))
        return sorted(_given(self.settings)) if self.lock == "locked" else []

    def shown(self) -> _Body:
        """As the operator wrote it, but without the credentials of MCP servers: those are only in the key."""
        message: dict[str, _Body] = {"session": {**self.settings, "lock": self.lock}}
        return (redact(message) or message)["session"]


def _given(settings: _Body, before: str = "") -> Iterator[str]:
    for name, value in settings.items():
        path = before + name
        if path in _HOLDERS:
            yield from _given(value, f"{path}.")
        elif path in LOCKABLE:
            yield path


_HOLDERS: Final = frozenset(path.rpartition(".")[0] for path in LOCKABLE if "." in path)

FIELDS: Final = {name for path in LOCKABLE for name in path.split(".")} | {"type", "lock"}
"""Names of fields, to tell them from pydantic's own in the place of an error."""
