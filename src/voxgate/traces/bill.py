"""What a session used and what that cost: responses and transcripts in, with the prices that the gateway put
into the log (`gateway.prices`), sums and dollars out. What has no known price costs None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from voxgate.core.prices import Price, listed_as
from voxgate.traces.conversation import Conversation, Transcript
from voxgate.traces.costs import Cost, cost_of, sum_of
from voxgate.traces.events import Json, name_of, number, obj
from voxgate.traces.responses import Response, Responses
from voxgate.traces.session import SessionState
from voxgate.traces.usage import add_usage, flat_usage

_RATES: Final = tuple(name for name in Price.model_fields if name != "source")
_DIGITS: Final = 12
"""Of a dollar. A token costs some millionths, of which floats add up with an error far behind."""


@dataclass(frozen=True, slots=True)
class Bill:
    """`responses` and `transcripts` by their ids, those of which the provider said what they used."""

    responses: Mapping[str, Cost]
    transcripts: Mapping[str, Cost]
    usage: Json
    """Responses summed up; transcription, which is billed by another price, beside them."""
    cost_usd: float | None
    parts: Mapping[str, float | None]
    without_usage: int
    model: str | None

    def of_response(self, response_id: str) -> float | None:
        return _usd(self.responses.get(response_id))

    def of_transcript(self, item_id: str | None) -> float | None:
        return _usd(self.transcripts.get(item_id or ""))

    def parts_of(self, response_id: str) -> Json | None:
        cost = self.responses.get(response_id)
        return None if cost is None else _rounded_parts(cost.parts)

    def to_json(self) -> Json:
        parts = _rounded_parts(self.parts)
        return {"model": self.model, "parts": parts, "without_usage": self.without_usage}


class Counted(NamedTuple):
    """What one response or transcript used. The usage is the same object as long as nothing else was said."""

    usage: Json
    flat: Json | None
    cost: Cost | None
    """None if nothing was counted."""


Known = dict[tuple[str, str, str], Counted]
"""What was counted before, under the same prices."""


def bill_of(
    session: SessionState, conversation: Conversation, responses: Responses, known: Known | None = None
) -> Bill:
    prices, all_responses = session.prices, responses.all
    known = {} if known is None else known
    transcripts = {key: one for key, one in conversation.transcripts.items() if one.is_whole}
    price = _price(prices.get("price"))
    used = {
        key: _counted(known, ("response", key, ""), one.usage, lambda: price)
        for key, one in all_responses.items()
    }
    heard = {
        key: _counted(
            known, ("transcript", key, one.model or ""), one.usage, partial(_transcriber, prices, one)
        )
        for key, one in transcripts.items()
    }
    told = {key: one.cost for key, one in used.items() if one.cost is not None}
    words = {key: one.cost for key, one in heard.items() if one.cost is not None}
    is_unsaid = any(_must_say(one) for key, one in all_responses.items() if key not in told)
    total = sum_of([*told.values(), *words.values()])
    return Bill(
        responses=told,
        transcripts=words,
        usage=_usage(used.values(), heard.values()),
        cost_usd=None if is_unsaid or not (told or words) else _rounded(total.usd),
        parts={
            **sum_of(told.values()).parts,
            **({"transcription": sum_of(words.values()).usd} if words else {}),
        },
        without_usage=len(all_responses) - len(told) + len(transcripts) - len(words),
        model=name_of(prices, "model"),
    )


def _price(shown: object) -> Price | None:
    """As the log has it, of which nothing may be assumed."""
    if not isinstance(shown, dict):
        return None
    return Price.model_validate({name: number(shown, name) for name in _RATES})


def _transcriber(prices: Json, transcript: Transcript) -> Price | None:
    if transcript.is_ours:  # after the call, perhaps long after it: it has its own
        return _price(transcript.price)
    return _price(listed_as(obj(prices, "transcription"), transcript.model or ""))


def _must_say(response: Response) -> bool:
    """Those that came to their end. What a hang-up cut off has no usage, and does not hide what the rest
    cost; it is counted."""
    return response.done_ns is not None and response.status in ("completed", "incomplete")


def _counted(
    known: Known, key: tuple[str, str, str], usage: Json, price: Callable[[], Price | None]
) -> Counted:
    before = known.get(key)
    if before is not None and before.usage is usage:
        return before
    flat = flat_usage(usage)
    known[key] = Counted(usage, flat, cost_of(usage, price()) if flat else None)
    return known[key]


def _usage(responses: Iterable[Counted], transcripts: Iterable[Counted]) -> Json:
    total: Json = {}
    for one in responses:
        add_usage(total, one.flat)
    transcription: Json = {}
    for one in transcripts:
        add_usage(transcription, one.flat)
    return {**total, "transcription": transcription} if transcription else total


def _usd(cost: Cost | None) -> float | None:
    return None if cost is None else _rounded(cost.usd)


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, _DIGITS)


def _rounded_parts(parts: Mapping[str, float | None]) -> Json:
    return {name: _rounded(usd) for name, usd in parts.items()}
