"""What was said, item by item, with the places in the tracks where it was said: events in while a call is
recorded, and at its end the words that rules find with the stretches of sound that may hold them.

Providers give words no times. So a place in the sound is estimated, from how long words take to say and, for
the assistant, from how much sound had come when the words came; and made wider where that may be wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, NamedTuple

from voxgate.core.patterns import Found, Rules, merged
from voxgate.traces import Event, TraceBuilder, TrackLayout
from voxgate.traces.conversation import UserItem
from voxgate.traces.events import SERVER, Json, number, string
from voxgate.traces.tracks import Track

_DELTAS: Final = frozenset((
    "conversation.item.input_audio_transcription.delta",
    "response.output_audio_transcript.delta",
    "response.output_text.delta",
    "response.function_call_arguments.delta",
    "response.mcp_call_arguments.delta",
))  # fmt: skip
"""Messages whose `delta` is a piece of a text."""
_SPOKEN: Final = "response.output_audio_transcript.delta"
_DIGIT_WEIGHT: Final = 5
"""A digit is a word when it is spoken; other characters are a part of one."""
_MARGIN_MS: Final = 1000.0
_MARGIN_SHARE: Final = 0.15
_WHOLE_MS: Final = 4000.0
"""An utterance that is no longer than this is silenced as a whole."""
_BESIDE: Final = 3
"""So many utterances of one speaker are also searched as one text: a pause in a number makes two items."""

Key = tuple[str, str, str, int]
"""Of a text that comes in pieces: the kind of event, response, item, index of the content."""


class Stretch(NamedTuple):
    """Frames `[start:end]` of a track."""

    track: Track
    start: int
    end: int


@dataclass(slots=True)
class Stream:
    """Pieces of one text, with how many frames of its item's sound had come before each."""

    pieces: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def stream_key(event: Event, message: Json) -> Key | None:
    """None unless the message is a piece of a text."""
    kind = event.type
    if kind not in _DELTAS or event.dir != SERVER:
        return None
    names = string(message, "response_id") or "", string(message, "item_id") or ""
    return (kind, *names, int(number(message, "content_index") or 0))


class Utterances:
    def __init__(self) -> None:
        self.streams: dict[Key, Stream] = {}

    def see(self, event: Event, layout: TrackLayout) -> None:
        """After the layout has seen it."""
        if event.msg is None or event.sound is not None:
            return
        key = stream_key(event, event.msg)
        if key is None:
            return
        stream = self.streams.setdefault(key, Stream())
        stream.pieces.append(string(event.msg, "delta") or "")
        stream.frames.append(layout.assistant.item_frames(key[2]) if key[0] == _SPOKEN else 0)

    def hidden(self, builder: TraceBuilder, rules: Rules) -> tuple[list[Stretch], set[str]]:
        """The sound of what the rules find; and pieces of text that are found only together with those of the
        utterances beside them."""
        stretches: list[Stretch] = []
        pieces: set[str] = set()
        users = _user_texts(builder)
        for (user, text), found in zip(users, _found_in([text for _, text in users], rules), strict=True):
            if found:
                stretches += _user_stretches(user, text, found, builder.layout)
                pieces |= {text[one.start : one.end].strip() for one in found}
        spoken = _spoken_texts(builder)
        for (key, text), found in zip(spoken, _found_in([text for _, text in spoken], rules), strict=True):
            if found:
                stretches += self._assistant_stretches(key, text, found, builder.layout)
                pieces |= {text[one.start : one.end].strip() for one in found}
        return _joined(stretches), {piece for piece in pieces if not _is_whole(rules, piece)}

    def _assistant_stretches(
        self, key: tuple[str, str], text: str, found: Iterable[Found], layout: TrackLayout
    ) -> list[Stretch]:
        """By the length of the words and by what had come: from the earlier one to the later one."""
        lane, (response_id, item_id) = layout.assistant, key
        total = lane.item_frames(item_id)
        margin = _margin(total * 1000 / lane.rate) * lane.rate / 1000
        stream = self.streams.get((_SPOKEN, response_id, item_id, 0), Stream())
        ranges = []
        for one in found:
            first, last = (share * total for share in _shares(text, one))
            early, late = _arrived(stream, one.start, one.end, total)
            start, end = min(first, early) - margin, max(last, late) + margin
            ranges.append((max(int(start), 0), min(int(end) + 1, total)))
        return [stretch for start, end in ranges for stretch in _of_item(layout, item_id, start, end)]


def _user_texts(builder: TraceBuilder) -> list[tuple[UserItem | None, str]]:
    """What the user said, in order; None for words of an item that is not known."""
    conversation = builder.conversation
    users = [user for turn in conversation.turns for user in turn.users]
    known = {user.item_id for user in users}
    texts: list[tuple[UserItem | None, str]] = []
    for user in users:
        transcript = conversation.transcripts.get(user.item_id or "")
        texts.append((user, (transcript.text if transcript else "") or user.text))
    others = [one.text for key, one in conversation.transcripts.items() if key not in known]
    return texts + [(None, text) for text in others]


def _spoken_texts(builder: TraceBuilder) -> list[tuple[tuple[str, str], str]]:
    return [
        ((response.id, item_id), text)
        for response in builder.responses.all.values()
        for item_id, text in response.transcripts.items()
    ]


def _found_in(texts: Sequence[str], rules: Rules) -> list[tuple[Found, ...]]:
    """In each text, also what goes on from one to the next."""
    found: list[list[Found]] = [list(rules.find(text)) for text in texts]
    for first in range(len(texts) - 1):
        beside = texts[first : first + _BESIDE]
        starts = [0, *accumulate(len(text) + 1 for text in beside)]
        for one in rules.find(" ".join(beside)):
            for place, text in enumerate(beside):
                start, end = max(one.start - starts[place], 0), min(one.end - starts[place], len(text))
                if start < end:
                    found[first + place].append(Found(start, end, one.rule))
    return [merged(each) for each in found]


def _is_whole(rules: Rules, piece: str) -> bool:
    return len(rules.find(piece)) == 1 and rules.find(piece)[0][:2] == (0, len(piece))


# Where it was said


def _user_stretches(
    user: UserItem | None, text: str, found: Iterable[Found], layout: TrackLayout
) -> list[Stretch]:
    """On the clock of what was appended. All of it where nobody knows which of it is the item's."""
    lane = layout.user
    if user is not None and user.kind == "text":
        return []
    if user is None or user.audio_start_ms is None:
        return [Stretch("user", 0, lane.frames)] if lane.frames else []
    start = lane.frame_at(user.audio_start_ms)
    end = lane.frames if user.audio_end_ms is None else lane.frame_at(user.audio_end_ms)
    end = max(min(end, lane.frames), start)
    length_ms = (end - start) * 1000 / lane.rate
    margin = lane.frame_at(_margin(length_ms))
    if length_ms <= _WHOLE_MS:
        around = lane.frame_at(_MARGIN_MS / 2)
        return [Stretch("user", max(start - around, 0), min(end + around, lane.frames))]
    stretches = []
    for one in found:
        first, last = (start + int(share * (end - start)) for share in _shares(text, one))
        stretches.append(Stretch("user", max(first - margin, 0), min(last + margin, lane.frames)))
    return stretches


def _margin(length_ms: float) -> float:
    return length_ms if length_ms <= _WHOLE_MS else _MARGIN_MS + _MARGIN_SHARE * length_ms


def _shares(text: str, found: Found) -> tuple[float, float]:
    """Where in the sound of a text a part of it is: from 0, its beginning, to 1."""
    weights = [0, *accumulate(_DIGIT_WEIGHT if letter.isdigit() else 1 for letter in text)]
    return weights[found.start] / weights[-1], weights[found.end] / weights[-1]


def _arrived(stream: Stream, start: int, end: int, total: int) -> tuple[float, float]:
    """How much sound was there before the piece that text `[start:end]` begins in, and how much when what
    follows it came."""
    places = [0, *accumulate(len(piece) for piece in stream.pieces)]
    if places[-1] < end:
        return float(total), 0.0
    first = max(bisect_right(places, start) - 2, 0)
    behind = bisect_right(places, end)
    return float(stream.frames[first]), float(stream.frames[behind] if behind < len(stream.frames) else total)


def _of_item(layout: TrackLayout, item_id: str, start: int, end: int) -> list[Stretch]:
    """Of frames counted from the item's beginning, which lie in its runs."""
    stretches, at = [], 0
    for run in layout.assistant.item_runs(item_id):
        first, last = max(start - at, 0), min(end - at, run.frames)
        if first < last:
            stretches.append(Stretch("assistant", run.start_frame + first, run.start_frame + last))
        at += run.frames
    return stretches


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    whole: list[Stretch] = []
    for one in sorted(stretches):
        if whole and one.track == whole[-1].track and one.start <= whole[-1].end:
            whole[-1] = whole[-1]._replace(end=max(whole[-1].end, one.end))
        elif one.start < one.end:
            whole.append(one)
    return whole
