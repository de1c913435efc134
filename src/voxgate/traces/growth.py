"""A trace put together while the call runs: what the events left behind in, the trace so far out. Turns about
which nothing was said since the last look stay as they were, so that a look costs about the same in the first
minute and in the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from voxgate.traces.assembly import Assembly
from voxgate.traces.bill import Bill, Known, bill_of
from voxgate.traces.conversation import Conversation, Turn, UserItem
from voxgate.traces.interruptions import Interruption, Stopped, interruptions
from voxgate.traces.latency import Latencies
from voxgate.traces.metrics import Facts, session_metrics
from voxgate.traces.model import Trace
from voxgate.traces.parts import ToolCounts, TurnPart, has_marks_from, part_of, tools_of
from voxgate.traces.responses import Responses
from voxgate.traces.session import SessionState
from voxgate.traces.sound import SoundFacts
from voxgate.traces.spans import session_span
from voxgate.traces.summary import data_of, summary_of
from voxgate.traces.tracks import TrackLayout

State = tuple[SessionState, Conversation, Responses, TrackLayout]
"""All that the events left behind."""
_NOTHING: Final = TurnPart(0, [], {}, [], ToolCounts(), is_paced=True, is_open=True)


def whole_trace(state: State, *, is_over: bool, sound: SoundFacts | None = None) -> Trace:
    """Everything anew."""
    session, conversation, responses, _ = state
    one = Assembly(*state, bill_of(session, conversation, responses), is_over, sound)
    parts = [part_of(one, turn, number) for number, turn in enumerate(conversation.turns, 1)]
    latencies = Latencies()
    for part in parts:
        latencies.replace({}, part.measured)
    return _trace(one, parts, latencies, interruptions(_stopped(parts), _users(conversation)))


def _stopped(parts: Iterable[TurnPart]) -> list[Stopped]:
    """In the order in which the responses began: it decides between those that stopped at once."""
    found = [each for part in parts for each in part.stopped]
    return sorted(found, key=lambda each: each.response.number)


def _users(conversation: Conversation) -> list[UserItem]:
    return [user for turn in conversation.turns for user in turn.users]


def _trace(one: Assembly, parts: Sequence[TurnPart], latencies: Latencies, cut: list[Interruption]) -> Trace:
    root = session_span(one)
    spans = [root, *(span for part in parts for span in part.spans)]
    summary = summary_of(one, spans, len(cut))
    facts = Facts(
        session=one.session,
        conversation=one.conversation,
        layout=one.layout,
        spans=spans,
        latencies=latencies,
        tools=tools_of(parts),
        is_paced=all(part.is_paced for part in parts),
        usage=one.bill.usage,
        summary=summary,
        interruptions=cut,
        sound=one.sound,
        is_over=one.is_over,
    )
    found = session_metrics(facts)
    root.usage, root.cost_usd, root.metrics = one.bill.usage or None, one.bill.cost_usd, found.metrics
    return Trace(one.session.id, summary, found.metrics, data_of(one, found), spans)


class Growth:
    """Of one running call. What every turn depends on is compared with the last time; what concerns only
    some, those who keep it have noted as touched."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._parts: dict[Turn, TurnPart] = {}
        self._latencies = Latencies()
        self._taken: set[str] = set()
        self._basis: tuple[object, ...] = ()
        self._bill: tuple[tuple[object, ...], Bill] | None = None
        self._counted: Known = {}
        self._cut: tuple[list[Stopped], list[UserItem], list[Interruption]] | None = None
        self._is_odd = False
        """Whether ids came twice, so that those of spans depend on their order."""

    def trace(self) -> Trace:
        _, conversation, responses, _ = self._state
        one = Assembly(*self._state, self._current_bill(), is_over=False, taken=self._taken)
        self._is_odd = self._is_odd or conversation.ambiguous or responses.ambiguous
        if not self._is_odd:
            self._renew(one)
            self._is_odd = one.collided
        if self._is_odd:
            return whole_trace(self._state, is_over=False)
        parts = list(self._parts.values())
        return _trace(one, parts, self._latencies, self._current_interruptions(parts))

    def _current_bill(self) -> Bill:
        session, conversation, responses, _ = self._state
        basis = (session.prices, len(responses.all), responses.ended, conversation.transcribed)
        if self._bill is None or self._bill[0] != basis:
            if self._bill is None or self._bill[0][0] != session.prices:
                self._counted.clear()
            self._bill = basis, bill_of(session, conversation, responses, self._counted)
        return self._bill[1]

    def _current_interruptions(self, parts: Sequence[TurnPart]) -> list[Interruption]:
        conversation = self._state[1]
        ended, users = _stopped(parts), _users(conversation)
        if self._cut is None or self._cut[:2] != (ended, users):
            self._cut = ended, users, interruptions(ended, users)
        return self._cut[2]

    def _renew(self, one: Assembly) -> None:
        touched = self._take_touched()
        before, self._parts = self._parts, {}
        stale: list[tuple[Turn, int, TurnPart]] = []
        for number, turn in enumerate(one.conversation.turns, 1):
            part = before.pop(turn, _NOTHING)
            if part.is_open or part.number != number or turn in touched:
                stale.append((turn, number, part))
            self._parts[turn] = part
        for part in (*before.values(), *(part for _, _, part in stale)):
            self._taken.difference_update(span.id for span in part.spans)
        for part in before.values():
            self._latencies.replace(part.measured, {})
        for turn, number, part in stale:
            self._parts[turn] = made = part_of(one, turn, number, part)
            self._latencies.replace(part.measured, made.measured)

    # What was touched

    def _take_touched(self) -> set[Turn]:
        """Those of which something else may be to be told than at the last look; and forgets them."""
        session, conversation, responses, layout = self._state
        rates = layout.user.rate, layout.assistant.rate
        said = session.id, session.opened, session.prices, session.transcription_model, layout.recorded
        everything = conversation.all_touched or self._basis != (*said, *rates)
        self._basis, conversation.all_touched = (*said, *rates), False
        touched = (
            set(conversation.turns) if everything else set(self._touched(conversation, responses, layout))
        )
        for noted in (conversation.touched, responses.touched, layout.assistant.touched):
            noted.clear()
        layout.user.moved_frame = None
        return touched

    @staticmethod
    def _touched(conversation: Conversation, responses: Responses, layout: TrackLayout) -> Iterator[Turn]:
        yield from conversation.touched
        yield from responses.touched
        for item_id in layout.assistant.touched:
            if item_id in responses.of_item:
                yield responses.of_item[item_id].turn
        moved = layout.user.moved_frame
        if moved is not None:
            for turn in conversation.turns:
                if any(has_marks_from(user, layout.user, moved) for user in turn.users):
                    yield turn
