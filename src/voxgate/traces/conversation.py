"""The conversation from its events: items in their order, what the user put in, and the turns it opens.

A turn is one user input (speech or text) and what it led to. Input shows up in two places, in the client's
message and in the provider's answer that names the item; `Conversation` makes one `UserItem` of both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from voxgate.traces.events import CLIENT, Event, Json, name_of, number, obj, objects, string
from voxgate.traces.images import item_images
from voxgate.traces.session import SessionState
from voxgate.traces.tracks import TrackLayout

_MOST_CONTEXT = 200


@dataclass(slots=True, eq=False)
class Turn:
    """`answered`: a response was asked for or began, so the next input opens another turn."""

    users: list[UserItem] = field(default_factory=list)
    response_ids: list[str] = field(default_factory=list)
    answered: bool = False
    withdrawn: bool = False
    """Its only input was refused or turned out to be history, so it is none of `Conversation.turns`."""


@dataclass(slots=True, eq=False)
class UserItem:
    """`item_id` is None until the provider names it. Times on the audio clock are `audio_…`, in ms of what
    was appended; for server VAD they are the provider's marks."""

    kind: Literal["speech", "text", "timeout"]
    number: int
    started_ns: int
    item_id: str | None = None
    ended_ns: int | None = None
    committed_ns: int | None = None
    audio_start_ms: float | None = None
    audio_end_ms: float | None = None
    vad: str | None = None
    silence_ms: float | None = None
    prefix_ms: float | None = None
    transcriber: str | None = None
    """The model that was to write it down when it was committed."""
    text: str = ""
    images: list[Json] = field(default_factory=list)
    barge_in: bool = False
    discarded: bool = False
    error: Json | None = None


@dataclass(slots=True)
class Transcript:
    """The transcript of one user item; the parts are its contents by index."""

    parts: dict[int, str] = field(default_factory=dict)
    completed_ns: int | None = None
    usage: Json = field(default_factory=dict)
    model: str | None = None
    """Who transcribed it."""
    error: Json | None = None
    is_ours: bool = False
    """Whether the gateway had it made after the call, from the stored sound."""
    price: Json = field(default_factory=dict)
    """Of ours, as it was then."""

    @property
    def text(self) -> str:
        return " ".join(part.strip() for _, part in sorted(self.parts.items()) if part.strip())

    @property
    def is_whole(self) -> bool:
        return self.completed_ns is not None or self.is_ours


@dataclass(slots=True)
class Item:
    """Any item of the conversation, for the list of them and for the context of responses."""

    id: str
    type: str
    role: str | None
    text: str
    made_by: str
    t_ns: int
    call_id: str | None = None
    """Of a tool call and of its result."""
    deleted: bool = False
    shown: Json | None = None
    """As JSON, until something of it is another."""

    def to_json(self) -> Json:
        if self.shown is None:
            self.shown = self._to_json()
        return self.shown

    def _to_json(self) -> Json:
        return {
            "id": self.id,
            "type": self.type,
            "role": self.role,
            "call_id": self.call_id,
            "text": self.text[:2000],
            "made_by": self.made_by,
            "t_ms": round(self.t_ns / 1e6, 3),
            "deleted": self.deleted,
        }


class Conversation:
    def __init__(self, session: SessionState, layout: TrackLayout) -> None:
        self.turns: list[Turn] = []
        self.items: dict[str, Item] = {}
        self.order: list[str] = []
        self.transcripts: dict[str, Transcript] = {}
        self.untranscribed: dict[str, Json] = {}
        """Items that the gateway could not have transcribed after the call, and why."""
        self.touched: set[Turn] = set()
        """Turns about which something was said since they were last put together."""
        self.all_touched = False
        """Something was said that may be about any of them."""
        self.ambiguous = False
        """Whether two inputs came with the same id."""
        self.transcribed = 0
        """How many transcripts have come to their end."""
        self._session = session
        self._layout = layout
        self._users: dict[str, UserItem] = {}
        self._turn_of: dict[int, Turn] = {}
        self._made = 0
        self._unnamed: list[tuple[Json, UserItem | None]] = []
        self._commits: list[UserItem] = []
        self._buffer_start_ms = 0.0
        self._sent: dict[str, UserItem] = {}

    # Turns

    def latest_ready(self) -> Turn | None:
        """The latest turn whose input is complete: speech that still goes on has not led to anything."""
        for turn in reversed(self.turns):
            if any(user.committed_ns is not None for user in turn.users):
                return turn
        return None

    def turn_of_item(self, item_id: str | None) -> Turn | None:
        user = self._users.get(item_id) if item_id else None
        return self._turn_of.get(user.number) if user else None

    def open_turn(self) -> Turn:
        self.turns.append(Turn())
        return self.turns[-1]

    def _add_user(self, user: UserItem) -> UserItem:
        turn = self.turns[-1] if self.turns else None
        if turn is None or not _joins(user, turn):
            turn = self.open_turn()
        turn.users.append(user)
        self._turn_of[user.number] = turn
        self._name(user, user.item_id)
        return user

    def _new_user(
        self, kind: Literal["speech", "text", "timeout"], t_ns: int, item_id: str | None
    ) -> UserItem:
        self._made += 1
        return self._add_user(UserItem(kind, self._made, t_ns, item_id))

    def _touch(self, user: UserItem | None) -> None:
        turn = self._turn_of.get(user.number) if user is not None else None
        if turn is not None:
            self.touched.add(turn)

    def _drop(self, user: UserItem) -> None:
        self._touch(user)
        turn = self._turn_of.pop(user.number, None)
        if turn is not None and user in turn.users:
            turn.users.remove(user)
            if not turn.users and not turn.response_ids:
                self.turns.remove(turn)
                turn.withdrawn = True

    def _open_speech(self) -> UserItem | None:
        """Speech that began and was not committed."""
        for turn in reversed(self.turns[-3:]):
            for user in reversed(turn.users):
                if user.kind != "text" and user.committed_ns is None and not user.discarded and user.item_id:
                    return user
        return None

    # Speech

    def on_speech_started(self, event: Event, msg: Json) -> None:
        item_id = name_of(msg, "item_id")
        known = self._users.get(item_id) if item_id else None
        user = known or self._new_user("speech", event.t_ns, item_id)
        self._touch(user)
        user.audio_start_ms = number(msg, "audio_start_ms")
        user.vad = string(self._session.turn_detection, "type") or "provider"
        user.prefix_ms = self._session.prefix_ms
        user.barge_in = self._layout.assistant.end_ms > event.t_ms

    def on_speech_stopped(self, event: Event, msg: Json) -> None:
        item_id = name_of(msg, "item_id")
        user = self._users.get(item_id) if item_id else None
        user = user or self._new_user("speech", event.t_ns, item_id)
        self._touch(user)
        user.ended_ns = event.t_ns
        user.audio_end_ms = number(msg, "audio_end_ms")
        user.silence_ms = self._session.silence_ms

    def on_timeout(self, event: Event, msg: Json) -> None:
        item_id = name_of(msg, "item_id")
        known = self._users.get(item_id) if item_id else None
        user = known or self._new_user("timeout", event.t_ns, item_id)
        self._touch(user)
        user.audio_start_ms, user.audio_end_ms = number(msg, "audio_start_ms"), number(msg, "audio_end_ms")

    def on_commit_sent(self, event: Event, msg: Json) -> None:
        if self._open_speech() is not None:
            return
        user = self._new_user("speech", event.t_ns, None)
        user.vad = "client"
        user.audio_start_ms, user.audio_end_ms = self._buffer_start_ms, self._appended_ms()
        user.committed_ns = user.ended_ns = event.t_ns
        self._commits.append(user)
        self._buffer_start_ms = self._appended_ms()
        self._remember(msg, user)

    def on_committed(self, event: Event, msg: Json) -> None:
        item_id = name_of(msg, "item_id")
        user = self._users.get(item_id) if item_id else None
        if user is None and self._commits:
            user = self._commits.pop(0)
            self._name(user, item_id)
        if user is None:
            user = self._new_user("speech", event.t_ns, item_id)
            user.audio_start_ms, user.audio_end_ms = self._buffer_start_ms, self._appended_ms()
        self._touch(user)
        user.transcriber = self._session.transcription_model
        user.committed_ns = user.committed_ns or event.t_ns
        user.ended_ns = user.ended_ns or event.t_ns
        if user.audio_end_ms is None:
            user.audio_end_ms = self._appended_ms()
        self._buffer_start_ms = max(self._buffer_start_ms, user.audio_end_ms)

    def on_buffer_cleared(self, event: Event, msg: Json) -> None:
        self._buffer_start_ms = self._appended_ms()
        user = self._open_speech()
        if user is not None:
            self._touch(user)
            user.discarded, user.ended_ns = True, event.t_ns

    def _appended_ms(self) -> float:
        return self._layout.user.frames * 1000 / self._layout.user.rate

    # Items

    def on_item_sent(self, event: Event, msg: Json) -> None:
        item = obj(msg, "item")
        if string(item, "role") == "assistant":
            self._make_history()
        user = None
        if string(item, "type") == "message" and string(item, "role") == "user":
            user = self._new_user("text", event.t_ns, name_of(item, "id"))
            user.committed_ns = user.ended_ns = event.t_ns
            user.text, user.images = item_text(item), item_images(item)
            self._remember(msg, user)
        if (item_id := name_of(item, "id")) is not None:
            self._put(event, item_id, item, string(msg, "previous_item_id"), event.dir)
        else:
            self._unnamed.append((item, user))

    def on_item_added(self, event: Event, msg: Json) -> None:
        item = obj(msg, "item")
        item_id = name_of(item, "id")
        if item_id is None:
            return
        if item_id not in self.items:
            made_by = CLIENT if self._match_unnamed(item_id, item) else event.dir
            self._put(event, item_id, item, string(msg, "previous_item_id"), made_by)
        self._complete(event, item_id, item)

    def on_item_deleted(self, event: Event, msg: Json) -> None:
        item_id = string(msg, "item_id") or ""
        if item_id in self.order:
            self.order.remove(item_id)
        if item_id in self.items:
            self.items[item_id].deleted = True
            self.items[item_id].shown = None

    def context(self) -> list[str]:
        """The latest items that a response which begins now sees."""
        return self.order[-_MOST_CONTEXT:]

    def _put(self, event: Event, item_id: str, item: Json, previous: str | None, made_by: str) -> None:
        if item_id in self.items:
            return
        kind, role = string(item, "type") or "", string(item, "role")
        call_id = name_of(item, "call_id")
        self.items[item_id] = Item(item_id, kind, role, item_text(item), made_by, event.t_ns, call_id)
        if previous == "root":
            self.order.insert(0, item_id)
        elif previous in self.order:
            self.order.insert(len(self.order) - self.order[::-1].index(previous), item_id)
        else:
            self.order.append(item_id)

    def _match_unnamed(self, item_id: str, item: Json) -> bool:
        """Whether the client sent this item without an id: the oldest one that looks like it."""
        for sent in self._unnamed:
            if all(sent[0].get(key) == item.get(key) for key in ("type", "role", "call_id")):
                self._unnamed.remove(sent)
                if sent[1] is not None:
                    self._name(sent[1], item_id)
                return True
        return False

    def _complete(self, event: Event, item_id: str, item: Json) -> None:
        known = self.items.get(item_id)
        if known is not None:
            known.text, known.shown = item_text(item) or known.text, None
        if string(item, "type") != "message" or string(item, "role") != "user":
            return
        is_speech = any(string(part, "type") == "input_audio" for part in objects(item, "content"))
        user = self._users.get(item_id)
        if user is None:
            user = self._new_user("speech" if is_speech else "text", event.t_ns, item_id)
            user.transcriber = self._session.transcription_model
            user.committed_ns = user.ended_ns = event.t_ns
        if not is_speech or user.kind == "text":
            self._touch(user)
            user.text = item_text(item) or user.text
            user.images = user.images or item_images(item)

    def _make_history(self) -> None:
        """An answer that the client brings along: the text before it was no input of this call."""
        turn = self.turns[-1] if self.turns else None
        if turn is None or turn.answered or any(user.kind != "text" for user in turn.users):
            return
        for user in list(turn.users):
            self._drop(user)

    def _name(self, user: UserItem, item_id: str | None) -> None:
        user.item_id = item_id
        self._touch(user)
        if item_id:
            self.ambiguous = self.ambiguous or self._users.get(item_id, user) is not user
            self._users[item_id] = user

    # Transcripts: by item id, since they come when the next turn may have begun

    def on_transcript_delta(self, event: Event, msg: Json) -> None:
        transcript, index = self._transcript(msg)
        transcript.parts[index] = transcript.parts.get(index, "") + (string(msg, "delta") or "")

    def on_transcript(self, event: Event, msg: Json) -> None:
        """`completed`, and xAI's `updated`, which repeats the whole text so far."""
        transcript, index = self._transcript(msg)
        transcript.parts[index] = string(msg, "transcript") or ""
        if event.type.endswith("completed"):
            transcript.completed_ns = event.t_ns
            self.transcribed += 1
            transcript.usage = obj(msg, "usage") or transcript.usage
            transcript.model = self._transcriber_of(string(msg, "item_id"))

    def _transcriber_of(self, item_id: str | None) -> str | None:
        """Of its commit: the session may want another since then."""
        user = self._users.get(item_id or "")
        return (user.transcriber if user is not None else None) or self._session.transcription_model

    def on_transcript_failed(self, event: Event, msg: Json) -> None:
        transcript, _ = self._transcript(msg)
        item_id = string(msg, "item_id")
        transcript.error = self._session.error(event, "transcription", obj(msg, "error"), item_id=item_id)

    def on_transcribed(self, event: Event, msg: Json) -> None:
        """What the gateway had transcribed after the call. The provider's own words count before it."""
        item_id, text = name_of(msg, "item_id"), string(msg, "text")
        known = self.transcripts.get(item_id or "")
        if item_id is None or (known is not None and known.completed_ns is not None):
            return
        if text is not None:
            self.untranscribed.pop(item_id, None)
            self.transcribed += 1
            self._touch(self._users.get(item_id))
            self.transcripts[item_id] = Transcript(
                parts={0: text},
                usage=obj(msg, "usage"),
                model=name_of(msg, "model"),
                error=known.error if known is not None else None,
                is_ours=True,
                price=obj(msg, "price"),
            )
        elif known is None or not known.is_ours:
            self.untranscribed[item_id] = obj(msg, "error")

    def _transcript(self, msg: Json) -> tuple[Transcript, int]:
        item_id = string(msg, "item_id") or ""
        self._touch(self._users.get(item_id))
        self.all_touched = self.all_touched or not item_id  # then it is of all inputs without a name
        index = int(number(msg, "content_index") or 0)
        known = self.transcripts.get(item_id)
        if known is None or known.is_ours:
            known = self.transcripts[item_id] = Transcript()
        return known, index

    # Refusals

    def _remember(self, msg: Json, user: UserItem) -> None:
        if (event_id := name_of(msg, "event_id")) is not None:
            self._sent[event_id] = user

    def on_error(self, event: Event, error: Json) -> None:
        """An error that answers one of the inputs: by its event id, or an empty commit."""
        user = self._sent.pop(string(error, "event_id") or "", None)
        if user is None and string(error, "code") == "input_audio_buffer_commit_empty" and self._commits:
            user = self._commits[-1]
        if user is None or user.item_id in self.items:
            return
        if user in self._commits:
            self._commits.remove(user)
            self._drop(user)
        else:
            self._touch(user)
            user.error = error


def _joins(user: UserItem, turn: Turn) -> bool:
    """Whether an input belongs to the one before it: text beside speech, or speech after only text, while
    nothing was asked of the model yet."""
    if turn.answered or not turn.users:
        return False
    if user.kind == "text":
        return all(one.committed_ns is not None for one in turn.users)
    return all(one.kind == "text" for one in turn.users)


def item_text(item: Json) -> str:
    """The words of an item, whatever its type."""
    if string(item, "type") == "function_call_output":
        return string(item, "output") or ""
    if string(item, "type") in ("function_call", "mcp_call"):
        return f"{string(item, 'name') or ''}({string(item, 'arguments') or ''})"
    parts = (string(part, "text") or string(part, "transcript") or "" for part in objects(item, "content"))
    return "\n".join(part for part in parts if part)
