"""What the other APIs say was used, in the form of a Realtime response's, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest

from voxgate.core.prices import Price
from voxgate.traces.costs import cost_of
from voxgate.traces.usage import as_realtime, flat_usage

TEXT = Price(text_input=10, text_cached_input=1, text_output=100)
CLAUDE = TEXT.model_copy(update={"text_cache_write": 12.5, "text_cache_write_hour": 20.0})
SPEAKING = TEXT.model_copy(update={"audio_input": 40, "audio_cached_input": 4, "audio_output": 400})
HEARING = Price(text_input=10, text_output=100, audio_input=40)


@pytest.mark.parametrize(
    ("usage", "price", "micro_usd", "tokens"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}, TEXT, 9 * 10 + 300, 12),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 60},
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            TEXT,
            40 * 10 + 60 * 1 + 50 * 100,
            150,
        ),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"audio_tokens": 30},
                "completion_tokens_details": {"audio_tokens": 20},
            },
            SPEAKING,
            70 * 10 + 30 * 40 + 30 * 100 + 20 * 400,
            150,
        ),
        (
            {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 25},
                "output_tokens": 7,
                "output_tokens_details": {"reasoning_tokens": 5},
            },
            TEXT,
            75 * 10 + 25 + 700,
            107,
        ),
        ({"prompt_tokens": 8, "total_tokens": 8}, Price(text_input=10), 80, 8),
        (
            {"input_tokens": 5, "cache_read_input_tokens": 40, "output_tokens": 2},
            CLAUDE,
            5 * 10 + 40 * 1 + 200,
            47,
        ),
        (
            {
                "input_tokens": 5,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
                "output_tokens": 2,
            },
            CLAUDE,
            5 * 10 + 40 + 20 * 12.5 + 10 * 20 + 200,
            77,
        ),
        (
            {
                "input_tokens": 30,
                "input_token_details": {"text_tokens": 10, "audio_tokens": 20},
                "output_tokens": 4,
            },
            HEARING,
            100 + 800 + 400,
            34,
        ),
        ({"type": "duration", "seconds": 30}, Price(minute=0.006), 3000, 0),
    ],
)
def test_a_usage_of_any_api_costs_what_its_parts_cost(
    usage: dict[str, Any], price: Price, micro_usd: float, tokens: int
) -> None:
    counted = as_realtime(usage)
    assert (flat_usage(counted) or {}).get("total_tokens", 0) == tokens
    assert cost_of(counted, price).usd == pytest.approx(micro_usd / 1e6)


def test_what_is_written_to_a_cache_has_no_price_where_none_is_known() -> None:
    usage = as_realtime({"input_tokens": 5, "cache_creation_input_tokens": 30, "output_tokens": 2})
    assert cost_of(usage, TEXT).usd is None
