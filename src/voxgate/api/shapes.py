"""The shapes of requests and answers, as the OpenAPI document shows them, and how rows become them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

SessionStatus = Literal["live", "complete", "interrupted", "failed"]
Track = Literal["user", "assistant", "heard", "mix"]
SoundFormat = Literal["wav", "ogg", "flac"]
SpanType = Literal["session", "turn", "user", "response", "tool"]
ExportFormat = Literal["jsonl", "csv"]
PeaksFormat = Literal["json", "bytes"]
ScoreSource = Literal["human", "code", "judge"]


class RequestShape(BaseModel):
    # Unknown fields are refused, so that a typing error is seen and not ignored.
    model_config = ConfigDict(extra="forbid")


class AnswerShape(BaseModel):
    # A field with a default is in every answer too.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class ErrorDetail(AnswerShape):
    message: str
    type: str
    code: str | None
    param: str | None


class ErrorBody(AnswerShape):
    error: ErrorDetail


class Project(AnswerShape):
    name: str
    sessions: int
    last_session_at: str | None


class ProjectPage(AnswerShape):
    items: list[Project]
    next_cursor: str | None = None


class Model(AnswerShape):
    model_config = ConfigDict(extra="allow")

    id: str
    provider: str | None = None
    owned_by: str | None = None


class ModelPage(AnswerShape):
    items: list[Model]
    next_cursor: str | None = None


class Session(AnswerShape):
    id: str
    project: str
    model: str
    provider: str
    status: SessionStatus
    started_at: str
    ended_at: str | None
    duration_ms: float | None
    turns: int | None
    interruptions: int | None
    cost_usd: float | None
    tags: list[str]
    metadata: dict[str, Any]
    title: str | None
    credential_id: str | None
    delete_after: str | None = Field(description="When the recording is deleted; null: never by itself.")
    metrics: dict[str, Any] = Field(description="A value that could not be measured is null.")
    errors: int | list[Any] | None = Field(description="How many in lists; in a trace the errors themselves.")


class ExcerptPart(AnswerShape):
    text: str = Field(description="Plain text, whatever it looks like.")
    hit: bool = Field(description="Whether it is what was looked for.")


class Excerpt(AnswerShape):
    speaker: Literal["title", "user", "assistant", "tool"]
    parts: list[ExcerptPart]


class Wave(AnswerShape):
    """A call in 60 bars, each a hexadecimal digit: its loudest moment, from 0 (silence) to f."""

    user: str
    assistant: str = Field(description="As it was heard.")


class Parent(AnswerShape):
    """What a session works for, as its caller said (`x-voxgate-parent`)."""

    session_id: str
    ref: str | None = Field(description="A function call or a span of it; null: the session.")


class ListedSession(Session):
    endpoint: str | None = Field(description="`realtime` of calls, else as `chat/completions`.")
    parent: Parent | None = Field(description="The session that it works for, if it says one.")
    tools: list[str] = Field(description="Names of the tools that were called.")
    wave: Wave | None = Field(description="Null while the call runs, and without sound.")
    excerpt: Excerpt | None = Field(description="Where the filter's words are; null if it has none.")
    scores: dict[str, float] = Field(
        default_factory=dict, description="By name; the mean where there are several."
    )


class Evidence(RequestShape):
    """A stretch of the call that a score is about."""

    model_config = ConfigDict(allow_inf_nan=False)

    span_id: str | None = None
    start_ms: float = Field(ge=0)
    end_ms: float = Field(ge=0)


class Score(AnswerShape):
    id: str
    name: str
    span_id: str | None = Field(description="The span it is about; null: the session.")
    value: float | None
    label: str | None
    comment: str | None
    evidence: list[Evidence]
    details: dict[str, Any]
    source: ScoreSource
    author: str
    created_at: str


class ScorePage(AnswerShape):
    items: list[Score]
    next_cursor: str | None = None


class SessionPage(AnswerShape):
    items: list[ListedSession]
    next_cursor: str | None


class FacetValue(AnswerShape):
    value: str
    count: int


class Facets(AnswerShape):
    sessions: int = Field(description="How many sessions were counted: the newest that the filter finds.")
    complete: bool = Field(description="Whether these are all that it finds.")
    facets: dict[str, list[FacetValue]] = Field(description="By field of the filter, most frequent first.")


class FilterField(AnswerShape):
    name: str
    kind: Literal["text", "list", "choice", "time", "duration", "money", "ratio", "number", "words"]
    help: str
    operators: list[str]
    examples: str = Field(description="Values as they can be written; empty for any text.")
    can_miss: bool = Field(description="Whether `has:` can ask for it.")
    sortable: bool = Field(description="Whether `sort` takes it.")


class FilterFields(AnswerShape):
    items: list[FilterField]
    aliases: dict[str, str]


class Attachment(AnswerShape):
    model_config = ConfigDict(extra="allow")

    id: str
    name: str = ""
    content_type: str = "audio/wav"
    duration_ms: float | None = None
    track: str | None = Field(default=None, description="The track that it is a piece of.")
    url: str


class Span(AnswerShape):
    id: str
    parent_id: str | None
    type: SpanType
    name: str
    start_ms: float | None
    end_ms: float | None
    status: str | None
    error: Any
    input: Any
    output: Any
    usage: dict[str, Any] | None
    cost_usd: float | None
    metrics: dict[str, Any]
    attachments: list[Attachment]
    position: int = Field(default=0, description="Its place among spans that start together.")


class Recorded(AnswerShape):
    model_config = ConfigDict(extra="allow")

    audio: bool = True
    text: bool = True


class FoundParent(Parent):
    found: bool = Field(description="Whether there is such a session, and in the same project.")


class Child(ListedSession):
    parent_span_id: str | None = Field(description="The span that it works under: a tool's, else the root.")


class Trace(Session):
    """A session with its spans and everything else that the trace knows of the call."""

    model_config = ConfigDict(extra="allow")

    spans: list[Span]
    usage: dict[str, Any] | None
    cost: dict[str, Any] | None = Field(
        default=None, description="The session's cost by modality (`parts`); null: a price is not known."
    )
    close: dict[str, Any] | None
    tracks: dict[str, Any]
    recorded: Recorded | None = Field(
        default=None, description="Whether the call's `audio` and its `text` were recorded at all."
    )
    events_count: int | None
    scores: list[Score] = Field(default_factory=list, description="Oldest first.")
    parent: FoundParent | None = Field(default=None, description="The session that it works for.")
    children: list[Child] = Field(
        default_factory=list, description="Sessions that work for it, the oldest first, at most 500."
    )
    children_cost_usd: float | None = Field(
        default=None, description="What they cost; it is not in `cost_usd`. Null: nothing known."
    )


class ImportedSession(AnswerShape):
    id: str
    status: Literal["imported", "exists", "checked"] = Field(
        description="`exists`: it was there before and stays as it is. `checked`: a dry run."
    )
    project: str
    model: str | None
    events: int
    started_at: str
    duration_ms: float
    times: Literal["exact", "absolute", "relative", "made up"] = Field(
        description="What the log's times are; what depends on made-up ones is not measured."
    )
    warnings: list[str]


class ImportAnswer(AnswerShape):
    items: list[ImportedSession]


class NewScore(RequestShape):
    model_config = ConfigDict(allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")
    span_id: str | None = Field(default=None, description="The span it is about; null: the session.")
    value: float | None = None
    label: str | None = Field(default=None, max_length=200, description="For example `pass` or `fail`.")
    comment: str | None = Field(default=None, max_length=20_000)
    evidence: list[Evidence] = Field(default_factory=list, max_length=1000)
    details: dict[str, Any] = Field(
        default_factory=dict, description="`expected`, `params`, `scorer_version`, `n`, `unit` and so on."
    )
    source: ScoreSource = "human"
    author: str | None = Field(default=None, max_length=200, description="Null: the name of the API key.")
    replace: bool = Field(
        default=False, description="In place of what this author has said under this name of this span."
    )


class Deleted(AnswerShape):
    id: str
    deleted: Literal[True] = True


SessionIds = Annotated[list[str], Field(min_length=1, max_length=500)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Several(RequestShape):
    """Sessions by their ids, or all that a filter finds: those then page after page, newest first."""

    ids: SessionIds | None = None
    q: str | None = Field(None, max_length=4000, description="A filter, instead of ids.")
    project: str | None = Field(None, max_length=100)
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the request before.")


class TagsRequest(Several):
    add: Annotated[list[Tag], Field(max_length=50)] = []
    remove: Annotated[list[Tag], Field(max_length=50)] = []


class TagsChanged(AnswerShape):
    ids: list[str] = Field(description="Of the sessions that have these tags now.")
    next_cursor: str | None = Field(description="Of a filter: there are more; ask again with it.")


class DeleteRequest(Several):
    pass


class DeletedSessions(AnswerShape):
    ids: list[str] = Field(description="Of those that are deleted.")
    live: list[str] = Field(description="Of those that still run: they are left.")
    next_cursor: str | None = Field(description="Of a filter: there are more; ask again with it.")


class SessionCount(AnswerShape):
    sessions: int
    live: int = Field(description="How many of them still run.")


class ViewRequest(RequestShape):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    search: Annotated[dict[str, str], Field(max_length=20)] = Field(
        description="The list's `q`, `project`, `sort`, `order`."
    )
    shared: Annotated[bool, Field(description="For everybody who sees its project (admin).")] = False


class View(AnswerShape):
    id: str
    name: str
    search: dict[str, str]
    shared: bool
    own: bool = Field(description="Whether the asking key made it.")
    created_by: str
    created_at: str


class ViewPage(AnswerShape):
    items: list[View]
    next_cursor: str | None = None


class Revoked(AnswerShape):
    id: str
    revoked: Literal[True] = True


class Ending(AnswerShape):
    id: str
    status: Literal["ending"] = "ending"


class Rebuilding(AnswerShape):
    id: str
    status: Literal["rebuilt", "rebuilding", "current"] = Field(
        description="`rebuilding`: it takes longer than this answer waits; `current`: there was no need to."
    )


class TranscribeRequest(RequestShape):
    """Without a model: what the settings of the session's project say."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    language: str | None = Field(default=None, description="Of what is said, as `en`.")
    prompt: str | None = Field(default=None, description="Words that the model may not know, such as names.")


class Transcribed(BaseModel):
    id: str
    status: Literal["transcribed", "transcribing", "nothing"] = Field(
        description="`transcribing`: it takes longer than this answer waits; `nothing`: nothing is without"
        " words."
    )
    transcription: dict[str, Any] | None = Field(
        description="As in the trace: how many `items` have words of ours, and which have `failed`."
    )


def session_shape(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in Session.model_fields}


def listed_shape(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ListedSession.model_fields if key != "scores"}


def trace_shape(row: Mapping[str, Any]) -> dict[str, Any]:
    """All that is known of the session's data goes along, except for the conversation's items: the spans have
    what they say."""
    data = {key: value for key, value in row["data"].items() if key != "items"}
    known = {key: data.get(key) for key in ("usage", "close")}
    known["tracks"] = data.get("tracks") or {}
    known["events_count"] = data.get("events_count", data.get("messages"))
    known["errors"] = data.get("errors", row["errors"])
    spans = [_span_shape(row["id"], span) for span in row["spans"]]
    return data | session_shape(row) | known | {"spans": spans}


def change_shape(session_id: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """What became of a trace that `trace_shape` shows: its fields that are others, what came to the ends of
    its lists, spans or their fields, and ids of spans that are no more."""
    session = {**change.get("data", {}), **change.get("row", {})}
    if "messages" in session:
        session["events_count"] = session["messages"]
    spans = [_span_shape(session_id, span) for span in change.get("spans", [])]
    added, removed = change.get("added", {}), change.get("gone", [])
    return {"id": session_id, "session": session, "added": added, "spans": spans, "removed": removed}


def _span_shape(session_id: str, span: Mapping[str, Any]) -> dict[str, Any]:
    """Also of some of its fields."""
    if "attachments" not in span:
        return dict(span)
    base = f"/api/sessions/{session_id}/attachments"
    attachments = [
        {key: value for key, value in each.items() if value is not None} | {"url": f"{base}/{each['id']}"}
        for each in span["attachments"]
    ]
    return {**span, "attachments": attachments}
