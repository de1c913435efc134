"""The shapes of data sets, their versions, cases and blobs."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from voxgate.api.shapes import AnswerShape, RequestShape
from voxgate.evals.model import NEEDED, InputKind

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^@/\x00-\x1f]+$"),
]
ProjectName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
CaseId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^/\x00-\x1f]+$")]
Description = Annotated[str, StringConstraints(max_length=20_000)]
MOST_CASES: Final = 1000
"""In one body; `import` takes any number."""
MOST_SESSIONS: Final = 500


class NewDataset(RequestShape):
    name: Name = Field(description="Once in its project. Without `@`, which stands before a version.")
    project: ProjectName | None = Field(default=None, description="By default the key's, else `default`.")
    description: Description = ""
    metadata: dict[str, Any] = Field(default_factory=dict)


class DatasetEdit(RequestShape):
    """What is not given stays as it is."""

    name: Name | None = None
    description: Description | None = None
    metadata: dict[str, Any] | None = None


class Dataset(AnswerShape):
    id: str
    project: str
    name: str
    description: str
    version: int = Field(description="The newest; 0 without any case so far.")
    cases: int = Field(description="Of the newest version.")
    metadata: dict[str, Any]
    created_by: str
    created_at: str
    updated_at: str


class DatasetPage(AnswerShape):
    items: list[Dataset]
    next_cursor: str | None


class DatasetVersion(AnswerShape):
    version: int
    cases: int
    added: int
    changed: int
    deleted: int
    created_by: str
    created_at: str


class DatasetVersionPage(AnswerShape):
    items: list[DatasetVersion]
    next_cursor: str | None


class CaseClip(RequestShape):
    model_config = ConfigDict(allow_inf_nan=False)

    content_type: str
    blob: str | None = Field(default=None, description="A blob of the data set.")
    path: str | None = Field(default=None, description="A file, where the case is of a local list.")
    duration_ms: float | None = None


class CaseInput(RequestShape):
    """What goes in; `kind` says which of the fields count."""

    kind: InputKind
    text: str | None = None
    clips: list[CaseClip] = Field(default_factory=list, max_length=100)
    recording: str | None = Field(default=None, description="A blob of the data set: an event log.")
    turn: int | None = Field(default=None, ge=0, description="Which of the recording's turns, from 0.")
    scenario: dict[str, Any] | None = None
    config: dict[str, Any] | None = Field(default=None, description="Session settings that come along.")
    value: Any = None


class CaseCall(RequestShape):
    name: str
    arguments: dict[str, Any] | None = Field(default=None, description="Null: whatever they are.")


class CaseExpected(RequestShape):
    transcript: str | None = None
    tool_calls: list[CaseCall] | None = Field(default=None, description="Null: nothing is expected of them.")
    value: Any = None


class CaseBody(RequestShape):
    input: CaseInput
    expected: CaseExpected = Field(default_factory=CaseExpected)
    metadata: dict[str, Any] = Field(default_factory=dict)
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(
        default_factory=list, max_length=100
    )
    session_id: str | None = Field(default=None, description="The recorded call it came from.")
    span_id: str | None = None


class NewCase(CaseBody):
    id: CaseId | None = Field(default=None, description="Null: one is made.")


class Case(CaseBody):
    id: str


class StoredBody(CaseBody):
    """Of a data set: all that it needs is there too."""

    id: CaseId | None = None

    @model_validator(mode="after")
    def has_what_its_kind_needs(self) -> StoredBody:
        for name in NEEDED[self.input.kind]:
            if getattr(self.input, name) in (None, "", [], {}):
                raise ValueError(f"an input of the kind {self.input.kind!r} needs {name!r}")
        if any(clip.blob is None for clip in self.input.clips):
            raise ValueError("a clip of a data set needs a 'blob': send the sound to …/blobs first")
        return self


class CasePage(AnswerShape):
    items: list[Case]
    next_cursor: str | None
    version: int


class CasesRequest(RequestShape):
    cases: list[StoredBody] = Field(min_length=1, max_length=MOST_CASES)


class CasesSaved(AnswerShape):
    version: int = Field(description="The newest one; as before where nothing was different.")
    ids: list[str] = Field(description="Of these cases, in their order.")


class CasesImported(AnswerShape):
    version: int
    cases: int = Field(description="How many there were in the body.")


class CaseDeleted(AnswerShape):
    id: str
    deleted: Literal[True] = True
    version: int


class StoredBlob(AnswerShape):
    blob: str = Field(description="How cases name it.")
    content_type: str
    duration_ms: float | None = Field(description="Of WAV and FLAC; null: not known.")


class FromSessions(RequestShape):
    sessions: list[str] | None = Field(default=None, min_length=1, max_length=MOST_SESSIONS)
    q: str | None = Field(default=None, description="A filter, in the place of `sessions`.")
    project: ProjectName | None = Field(default=None, description="For `q`; by default the data set's.")
    turns: Literal["session", "each"] | list[str] = Field(
        default="session", description="One case for each session, for each turn, or of these turns' spans."
    )
    expected: Literal["said", "none"] = Field(
        default="none", description="`said`: the transcript and the tool calls as they were."
    )
    tags: list[str] = Field(default_factory=list, max_length=100)


class CasesFromSessions(CasesSaved):
    known: list[str] = Field(description="Of cases that were made before: they stay as they are.")
    skipped: list[str] = Field(description="Sessions that nothing can be made of yet: they still run.")
