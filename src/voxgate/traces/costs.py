"""What a usage costs: the provider's usage object and the model's price in, dollars by modality out. Reads
the usage of `response.done` and of a transcription (realtime-protocol 2.4), and xAI's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from voxgate.core.prices import Price
from voxgate.traces.events import Json, number, obj
from voxgate.traces.usage import flat_usage

_PER_TOKENS: Final = 1_000_000
_MODALITIES: Final = ("text", "audio", "image")
_SECONDS: Final = ("seconds", "billable_audio_seconds")
"""Of a transcription that is billed by time, and of xAI."""


@dataclass(frozen=True, slots=True)
class Cost:
    """In dollars. `parts` by what was used, as `audio_input` or `minute`; None where its price is unknown."""

    parts: Mapping[str, float | None]
    usd: float | None
    """Their sum; None if one of them is unknown, or what was used."""


def cost_of(usage: Json, price: Price | None) -> Cost:
    """Cached tokens are part of their modality's; those of which the modality is not said cost the full
    price. Other tokens of no known modality have no price."""
    if (seconds := _seconds(usage, price)) is not None:
        return _sum({"minute": _times(price, "minute", seconds / 60)})
    flat = flat_usage(usage)
    if flat is None:
        return Cost({}, None)
    counts = dict(_tokens(flat, _hidden_text(usage, price), dict(_written(usage))))
    used = {name: count / _PER_TOKENS for name, count in counts.items() if count > 0}
    return _sum({name: _times(price, name, millions) for name, millions in used.items()})


def sum_of(costs: Iterable[Cost]) -> Cost:
    """A part, and the whole, is known where it is of all of them."""
    all_costs = list(costs)
    names = dict.fromkeys(name for cost in all_costs for name in cost.parts)
    parts = {name: _whole([cost.parts[name] for cost in all_costs if name in cost.parts]) for name in names}
    return Cost(parts, _whole([cost.usd for cost in all_costs]))


def _whole(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return math.fsum(known) if len(known) == len(amounts) else None


def _sum(parts: Mapping[str, float | None]) -> Cost:
    return Cost(parts, _whole(list(parts.values())))


def _times(price: Price | None, name: str, amount: float) -> float | None:
    dollars = getattr(price, name, None) if price else None
    return None if dollars is None else dollars * amount


def _seconds(usage: Json, price: Price | None) -> float | None:
    """None when the usage counts tokens, and its model is not billed by the minute."""
    found = next((value for name in _SECONDS if (value := number(usage, name)) is not None), None)
    by_minute = price is not None and price.minute is not None
    return found if by_minute or "output_tokens" not in usage else None


def _hidden_text(usage: Json, price: Price | None) -> float:
    """How many output tokens are text although the usage does not count them so: those of reasoning, and all
    of a model that does not speak."""
    speaks = price is None or price.audio_output is not None
    return (number(obj(usage, "output_token_details"), "reasoning_tokens") or 0) if speaks else math.inf


def _written(usage: Json) -> Iterator[tuple[str, float]]:
    """Input tokens that went into the provider's cache, by the fields of a price."""
    details = obj(usage, "input_token_details")
    yield "text_cache_write", number(details, "cache_write_tokens") or 0
    yield "text_cache_write_hour", number(details, "cache_write_hour_tokens") or 0


def _tokens(flat: Json, hidden_text: float, written: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Amounts by the fields of a price, and `input` and `output` for those of no known modality."""
    rest_input = flat.get("input_tokens", 0) - sum(written.values())
    rest_output = flat.get("output_tokens", 0)
    yield from written.items()
    for modality in _MODALITIES:
        count = flat.get(f"input_{modality}_tokens", 0)
        cached = min(flat.get(f"cached_{modality}_tokens", 0), count)
        yield f"{modality}_input", count - cached
        yield f"{modality}_cached_input", cached
        rest_input -= count
    audio, text = flat.get("output_audio_tokens", 0), flat.get("output_text_tokens", 0)
    rest_output -= audio + text
    hidden = min(max(rest_output, 0), hidden_text)
    yield "audio_output", audio
    yield "text_output", text + hidden
    yield "input", rest_input
    yield "output", rest_output - hidden
