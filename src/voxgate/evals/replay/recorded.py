"""A recorded call as a replay needs it: from its event log come the settings, the items of the conversation
with their whole contents, the turns with what was known before each, and the user's sound on its own clock.
Never raises, whatever the log holds: what it does not know, it passes over.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

from voxgate.audio.pcm import Samples, TrackDecoder, to_samples
from voxgate.traces.builder import TraceBuilder
from voxgate.traces.conversation import Turn, UserItem
from voxgate.traces.events import CLIENT, GATEWAY, Event, Json, name_of, obj, string
from voxgate.traces.formats import PCM_24K
from voxgate.traces.responses import Response, ToolCall
from voxgate.traces.spans import heard_words
from voxgate.traces.tracks import AudioChunk

_SHOWING: Final = frozenset(
    {"conversation.item.added", "conversation.item.done", "response.output_item.done"}
)
_ORDERING: Final = frozenset({"response.created", "response.create"})


@dataclass(frozen=True, slots=True)
class SoundMark:
    """A chunk of the user's sound: when it was sent, and where it lies in the track."""

    t_ms: float
    start: int
    frames: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the user put in: sound between two frames of the track, or an item of words and images.
    `words` is the transcript of sound, where there is one."""

    item_id: str | None
    kind: str
    words: str
    at_ms: float = 0.0
    committed_ms: float | None = None
    start: int = 0
    end: int = 0
    item: Json | None = None

    @property
    def has_sound(self) -> bool:
        return self.kind == "speech" and self.end > self.start

    @property
    def has_something(self) -> bool:
        """An idle time-out is no input: the provider had waited in vain."""
        return self.kind != "timeout" and (self.has_sound or bool(self.words or self.item))


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """`context` are the ids of the items that the model knew when the turn's first response began, without
    the turn's own input."""

    number: int
    inputs: tuple[Spoken, ...]
    context: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    said: str
    instructions: str | None
    """Of its first response alone."""
    asked_ms: float | None
    """When the client asked for it; None where the provider began by itself."""
    usage: tuple[Json, ...]

    @property
    def can_be_taken(self) -> bool:
        """Whether there is something to say, or to ask for, again."""
        return self.asked_ms is not None or any(one.has_something for one in self.inputs)


@dataclass(slots=True)
class RecordedCall:
    config: Json
    """The session as the provider last told it, in the dialect of the log."""
    turns: list[RecordedTurn]
    items: dict[str, Json]
    """By id, with contents as they were last shown."""
    words: dict[str, str]
    """What was said in each spoken item: of the assistant's only what was heard."""
    samples: Samples
    rate: int
    marks: list[SoundMark]
    calls: list[ToolCall]
    brought: dict[str, float]
    """Items that the client put in beside the user's turns and the tools' results, and when: messages of the
    system, history."""
    stopped_ms: list[float]
    """When the client told that it had stopped playing, or cancelled a response."""
    truncates: bool
    cancels: bool
    model: str | None = None
    prices: Json = field(default_factory=dict)
    end_ms: float = 0.0

    def sound(self, spoken: Spoken) -> Samples:
        return self.samples[spoken.start : spoken.end]


def read_call(events: Iterable[Event]) -> RecordedCall:
    reader = _Reader()
    for event in events:
        reader.feed(event)
    return reader.call()


class _Reader:
    def __init__(self) -> None:
        self._built = TraceBuilder()
        self._decoder: TrackDecoder | None = None
        self._sound = bytearray()
        self._marks: list[SoundMark] = []
        self._frames = 0
        self._shown: dict[str, Json] = {}
        self._sent: dict[str, Json] = {}
        self._unnamed: list[Json] = []
        self._order_times: list[int] = []
        self._orders: list[tuple[str, ...]] = []
        self._truncates: list[float] = []
        self._cancels: list[float] = []

    def feed(self, event: Event) -> None:
        for chunk in self._built.feed(event):
            if chunk.track == "user":
                self._keep(chunk)
        if event.msg is None or event.dir == GATEWAY:
            return
        if event.dir == CLIENT:
            self._client(event, event.msg)
        elif event.type in _SHOWING:
            self._show(event.type, obj(event.msg, "item"))
        if event.type in _ORDERING:
            self._order_times.append(event.t_ns)
            self._orders.append(tuple(self._built.conversation.order))

    def _keep(self, chunk: AudioChunk) -> None:
        if self._decoder is None:
            self._decoder = TrackDecoder(chunk.format.rate)
        self._sound += self._decoder.feed(chunk.format.kind, chunk.format.rate, chunk.data, chunk.frames)
        self._marks.append(SoundMark(chunk.t_ns / 1e6, self._frames, chunk.frames))
        self._frames += chunk.frames

    def _client(self, event: Event, msg: Json) -> None:
        match event.type:
            case "conversation.item.create":
                item = obj(msg, "item")
                if (item_id := name_of(item, "id")) is not None:
                    self._sent[item_id] = item
                else:
                    self._unnamed.append(item)
            case "conversation.item.truncate":
                self._truncates.append(event.t_ms)
            case "response.cancel":
                self._cancels.append(event.t_ms)

    def _show(self, event_type: str, item: Json) -> None:
        item_id = name_of(item, "id")
        if item_id is None:
            return
        if event_type.endswith("done") or item_id not in self._shown:
            self._shown[item_id] = item
        if item_id not in self._sent and (sent := self._sent_as(item)) is not None:
            self._sent[item_id] = sent

    def _sent_as(self, item: Json) -> Json | None:
        """The oldest item without an id that the client sent and that looks like this one."""
        for sent in self._unnamed:
            if all(sent.get(key) == item.get(key) for key in ("type", "role", "call_id")):
                self._unnamed.remove(sent)
                return sent
        return None

    # What became of it

    def call(self) -> RecordedCall:
        built = self._built
        built.finish()
        if self._decoder is not None:
            self._sound += self._decoder.flush()
        return RecordedCall(
            config=deepcopy(built.session.config),
            turns=[self._turn(number, turn) for number, turn in enumerate(built.conversation.turns)],
            # What a client sent stays as it was sent: providers do not show images again.
            items=self._shown | self._sent,
            words={item_id: self._words(item_id) for item_id in built.conversation.items},
            samples=to_samples(bytes(self._sound)),
            rate=self._decoder.rate if self._decoder is not None else PCM_24K.rate,
            marks=self._marks,
            calls=[tool for one in built.responses.all.values() for tool in one.tools],
            brought=self._brought(),
            stopped_ms=sorted(self._truncates + self._cancels),
            truncates=bool(self._truncates),
            cancels=bool(self._cancels),
            model=string(built.session.opened, "model") or string(built.session.config, "model"),
            prices=built.session.prices,
            end_ms=built.session.last_ns / 1e6,
        )

    def _turn(self, number: int, turn: Turn) -> RecordedTurn:
        responses = [self._built.responses.all[response_id] for response_id in turn.response_ids]
        answers = [one for one in responses if not one.out_of_band]
        inputs = tuple(self._spoken(user) for user in turn.users if not user.discarded and user.error is None)
        return RecordedTurn(
            number=number,
            inputs=inputs,
            context=self._context(turn, answers),
            calls=tuple(tool for one in answers for tool in one.tools),
            said=" ".join(words for one in answers if (words := one.transcript or one.text)),
            instructions=answers[0].instructions if answers else None,
            asked_ms=_asked_ms(answers),
            usage=tuple(one.usage for one in answers if one.usage),
        )

    def _brought(self) -> dict[str, float]:
        conversation = self._built.conversation
        own = {user.item_id for turn in conversation.turns for user in turn.users}
        found = (one for one in conversation.items.values() if one.id in self._sent and one.id not in own)
        return {one.id: one.t_ns / 1e6 for one in found if one.type == "message"}

    def _context(self, turn: Turn, answers: list[Response]) -> tuple[str, ...]:
        order = self._order_before(answers[0]) if answers else tuple(self._built.conversation.order)
        own = {user.item_id for user in turn.users if user.item_id}
        own |= {item_id for one in answers for item_id in one.item_ids}
        first = min((place for place, item_id in enumerate(order) if item_id in own), default=len(order))
        return order[:first]

    def _order_before(self, response: Response) -> tuple[str, ...]:
        """As it was when the response began: by then the provider has named what the client sent before."""
        t_ns = response.created_ns if response.created_ns is not None else response.asked_ns
        place = bisect_right(self._order_times, t_ns or 0) - 1
        return self._orders[place] if place >= 0 else ()

    def _spoken(self, user: UserItem) -> Spoken:
        at_ms = user.started_ns / 1e6
        committed_ms = None if user.committed_ns is None else user.committed_ns / 1e6
        if user.kind == "text":
            item = self._sent.get(user.item_id or "") or self._shown.get(user.item_id or "")
            return Spoken(user.item_id, "text", user.text, at_ms, committed_ms, item=item)
        lane = self._built.layout.user
        start = min(lane.frame_at(user.audio_start_ms or 0.0), self._frames)
        end = self._frames if user.audio_end_ms is None else lane.frame_at(user.audio_end_ms)
        words = self._words(user.item_id or "")
        end = min(max(end, start), self._frames)
        return Spoken(user.item_id, user.kind, words, at_ms, committed_ms, start, end)

    def _heard(self, item_id: str, said: str) -> str:
        """What was heard of an interrupted answer; the end of the call interrupts nobody."""
        lane = self._built.layout.assistant
        cut = lane.cuts.get(item_id)
        heard = heard_words(said, [item_id], lane) if cut is not None and not cut.by_close else None
        return said if heard is None else heard

    def _words(self, item_id: str) -> str:
        built = self._built
        if (transcript := built.conversation.transcripts.get(item_id)) is not None and transcript.text:
            return transcript.text
        response = built.responses.of_item.get(item_id)
        if response is not None and (said := response.transcripts.get(item_id, "")):
            return self._heard(item_id, said)
        if response is not None and (text := response.texts.get(item_id)):
            return text
        item = built.conversation.items.get(item_id)
        return item.text if item is not None else ""


def _asked_ms(answers: list[Response]) -> float | None:
    if not answers or answers[0].trigger != "client" or answers[0].asked_ns is None:
        return None
    return answers[0].asked_ns / 1e6
