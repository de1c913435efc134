from typing import Any

import pytest

from voxgate.core.patterns import BUILT_IN, Rules
from voxgate.recording.wording import Words


@pytest.mark.parametrize(
    "value",
    [
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 1_234_567, "item_id": "item_1"},
        {"type": "gateway.dialled", "provider": "openai", "ms": 1234.567},
        {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "limit": 40_000_000}]},
        {"events": [{"t_ms": 1_234_567.891, "type": "rate_limits", "limits": [{"remaining": 39_999_123}]}]},
        {
            "type": "response.done",
            "response": {"usage": {"input_token_details": {"audio_tokens": 1_234_567}}},
        },
        {"cost": {"text_input": 0.00013599999, "minute": 0.00123456}, "play_start_ms": 1_234_567.891},
        {"type": "gateway.prices", "price": {"text_input": 1234.5678}},
        {"config_hash": "1234567890abcdef", "images": [{"digest": "12345678ab", "chars": 1_234_567}]},
        {"item_ids": ["01234567-89ab"], "context_item_ids": ["0c3d-1234-5678-9012"]},
        {"object": "chat.completion.chunk", "created": 1_795_451_968, "data": [{"embedding": [0.01234567]}]},
    ],
    ids=str,
)
def test_numbers_and_ids_of_the_protocol_are_no_telephone_numbers(value: Any) -> None:
    words = Words(Rules(BUILT_IN))
    assert words.cleaned(value) is value
    assert words.counts == {}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "x", "arguments": {"limits": {"phone": 5_551_234_567}}},
        {"output": {"result": [5_551_234_567]}},
        {"output": {"result": {"usage": 5_551_234_567, "duration_ms": 5_551_234_567}}},
        {"type": "house.event", "caller": 5_551_234_567},
    ],
    ids=str,
)
def test_numbers_of_tools_and_unknown_fields_are(value: Any) -> None:
    words = Words(Rules(BUILT_IN))
    assert "5551234567" not in str(words.cleaned(value))
    assert words.counts.keys() == {"phone_number"}
