"""What a usage costs, by modality."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from voxgate.core.prices import Price, PriceTable
from voxgate.traces.costs import cost_of

PRICE = Price(
    text_input=4,
    text_cached_input=0.5,
    text_output=16,
    audio_input=32,
    audio_cached_input=0.25,
    audio_output=64,
    image_input=5,
    image_cached_input=1,
)
WHISPER = Price(minute=0.006)
TRANSCRIBE = Price(text_input=2.5, text_output=10, audio_input=6)
FIELDS = [name for name in Price.model_fields if name not in ("minute", "source")]

counts = st.integers(0, 10**7)
prices = st.fixed_dictionaries({name: st.none() | st.floats(0, 1000) for name in FIELDS})


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    """As `response.done` has it: details that add up, cached tokens among the others."""
    whole = {name: draw(counts) for name in ("text_tokens", "audio_tokens", "image_tokens")}
    cached = {name: draw(st.integers(0, count)) for name, count in whole.items()}
    output = {name: draw(counts) for name in ("text_tokens", "audio_tokens")}
    return {
        "total_tokens": sum(whole.values()) + sum(output.values()),
        "input_tokens": sum(whole.values()),
        "output_tokens": sum(output.values()),
        "input_token_details": {
            **whole,
            "cached_tokens": sum(cached.values()),
            "cached_tokens_details": cached,
        },
        "output_token_details": output,
    }


def billed(usage: dict[str, Any], price: dict[str, float | None]) -> list[tuple[float, float | None]]:
    """The bill written out: every amount with its price."""
    whole, output = usage["input_token_details"], usage["output_token_details"]
    cached = whole["cached_tokens_details"]
    lines = []
    for kind in ("text", "audio", "image"):
        tokens = f"{kind}_tokens"
        lines.append((whole[tokens] - cached[tokens], price[f"{kind}_input"]))
        lines.append((cached[tokens], price[f"{kind}_cached_input"]))
    lines += [(output[f"{kind}_tokens"], price[f"{kind}_output"]) for kind in ("text", "audio")]
    return [(amount, dollars) for amount, dollars in lines if amount]


@given(usages(), prices)
def test_a_cost_is_the_sum_of_its_parts_or_not_known(
    usage: dict[str, Any], price: dict[str, float | None]
) -> None:
    cost = cost_of(usage, Price(**price))
    lines = billed(usage, price)
    assert len(cost.parts) == len(lines)
    assert all((cost.parts[name] is None) == (price[name] is None) for name in cost.parts)
    if any(dollars is None for _, dollars in lines):
        assert cost.usd is None
    elif price["audio_output"] is not None or not usage["output_token_details"]["audio_tokens"]:
        assert cost.usd == pytest.approx(sum(amount * (dollars or 0) for amount, dollars in lines) / 1e6)


@given(usages(), usages())
def test_costs_add_up_and_more_never_costs_less(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = cost_of(one, PRICE).usd, cost_of(other, PRICE).usd
    together = cost_of(_plus(one, other), PRICE).usd
    assert first is not None
    assert second is not None
    assert together == pytest.approx(first + second)
    assert together >= max(first, second) * (1 - 1e-12)


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists))
def test_a_usage_of_any_shape_costs_something_or_nobody_knows_what(odd: Any) -> None:
    shapes = [
        {"input_tokens": odd, "output_tokens": odd, "seconds": odd},
        {"total_tokens": 5, "input_token_details": odd, "output_token_details": {"text_tokens": odd}},
    ]
    for usage in shapes:
        for price in (PRICE, WHISPER, TRANSCRIBE, None):
            usd = cost_of(usage, price).usd
            assert usd is None or usd >= 0


def _plus(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {name: _plus(one[name], other[name]) for name in one}
    return one + other


def test_an_unknown_price_is_never_0() -> None:
    usage = {"output_tokens": 2, "output_token_details": {"audio_tokens": 2}}
    assert cost_of(usage, None).usd is None
    assert cost_of(usage, Price(text_output=1)).parts["audio_output"] is None
    assert cost_of({"type": "duration", "seconds": 3}, PRICE).usd is None
    assert cost_of({}, PRICE).usd is None
    assert cost_of({"total_tokens": 0, "input_tokens": 0, "output_tokens": 0}, PRICE).usd == 0


def test_tokens_of_no_modality_have_no_price() -> None:
    assert cost_of({"input_tokens": 5, "input_token_details": {"text_tokens": 4}}, PRICE).usd is None
    assert cost_of({"input_tokens": 5, "output_tokens": 5}, PRICE).usd is None


def test_cached_tokens_of_no_modality_cost_the_full_price() -> None:
    details = {"text_tokens": 100, "cached_tokens": 64}
    assert cost_of({"input_tokens": 100, "input_token_details": details}, PRICE).parts == {
        "text_input": pytest.approx(100 * 4 / 1e6)
    }


def test_reasoning_that_is_counted_beside_the_text_is_text() -> None:
    usage = {"output_tokens": 30, "output_token_details": {"text_tokens": 10, "reasoning_tokens": 20}}
    assert cost_of(usage, PRICE).usd == pytest.approx(30 * 16 / 1e6)
    usage = {"output_tokens": 30, "output_token_details": {"text_tokens": 30, "reasoning_tokens": 20}}
    assert cost_of(usage, PRICE).usd == pytest.approx(30 * 16 / 1e6)


def test_transcriptions_by_token_and_by_second() -> None:
    usage = {"type": "tokens", "total_tokens": 40, "input_tokens": 30, "output_tokens": 10}
    usage |= {"input_token_details": {"text_tokens": 0, "audio_tokens": 30}}
    assert cost_of(usage, TRANSCRIBE).usd == pytest.approx((30 * 6 + 10 * 10) / 1e6)
    assert cost_of({"type": "duration", "seconds": 3}, WHISPER).usd == pytest.approx(0.006 / 20)


def test_xais_seconds_are_billed_where_a_minute_has_a_price() -> None:
    usage = {"input_tokens": 4, "output_tokens": 1, "billable_audio_seconds": 90}
    assert cost_of(usage, Price(minute=0.1)).usd == pytest.approx(0.15)
    assert cost_of(usage, None).usd is None


def test_the_live_services_recorded_usages_have_a_cost(shared: Path) -> None:
    recordings = sorted((shared / "fixtures" / "realtime" / "recordings").glob("test_openai_ws_*.yaml"))
    table, found = PriceTable(), 0
    for path in recordings:
        for block in re.finditer(r"\n( +)usage:\n((?:\1 +.*\n)+)", path.read_text()):
            usage = yaml.safe_load(block[2])
            by_second = usage.get("type") == "duration"
            assert (cost_of(usage, table.of("whisper-1" if by_second else "gpt-realtime")).usd or 0) > 0
            found += 1
    assert found > 3
