"""What a call costs, by the prices in its log."""

from __future__ import annotations

from typing import Any

import pytest
from tests.traces.calls import Call, spans

from voxgate.core.prices import PriceSettings, PriceTable
from voxgate.traces import Trace, TraceBuilder

RATES = {
    "text_input": 4.0,
    "text_cached_input": 0.5,
    "text_output": 16.0,
    "audio_input": 32.0,
    "audio_cached_input": 0.25,
    "audio_output": 64.0,
}
HOUSE = PriceTable({"house": PriceSettings(**RATES)})
USAGE = {
    "total_tokens": 1500,
    "input_tokens": 1000,
    "output_tokens": 500,
    "input_token_details": {
        "text_tokens": 400,
        "audio_tokens": 600,
        "cached_tokens": 500,
        "cached_tokens_details": {"text_tokens": 300, "audio_tokens": 200},
    },
    "output_token_details": {"text_tokens": 100, "audio_tokens": 400},
}
PARTS = {
    "text_input": 100 * 4 / 1e6,
    "text_cached_input": 300 * 0.5 / 1e6,
    "audio_input": 400 * 32 / 1e6,
    "audio_cached_input": 200 * 0.25 / 1e6,
    "text_output": 100 * 16 / 1e6,
    "audio_output": 400 * 64 / 1e6,
}
RESPONSE_USD = sum(PARTS.values())
ONE_SECOND_USD = 0.006 / 60
"""Of whisper-1."""


def priced(table: PriceTable = HOUSE, *names: str) -> Call:
    return Call().gateway(5, "gateway.prices", **table.quote(names or ("house",)))


def transcribing(call: Call, model: str) -> Call:
    audio = {"input": {"transcription": {"model": model}}}
    return call.server(None, "session.updated", session={"type": "realtime", "audio": audio})


def respond(call: Call, name: str, usage: Any = USAGE, status: str = "completed") -> Call:
    more = {} if usage is None else {"usage": usage}
    return call.created(call.t_ms + 100, name).done(call.t_ms + 100, name, status, **more)


def costs(trace: Trace, kind: str = "response") -> list[float | None]:
    return [span.cost_usd for span in spans(trace, kind)]


def test_responses_and_transcripts_cost_what_they_used_and_the_session_their_sum() -> None:
    call = transcribing(priced(), "whisper-1").speech("u", 200, 600).transcript(650, "u", "hi")
    trace = respond(respond(call, "r1"), "r2").close(60_000).trace()
    assert costs(trace) == [pytest.approx(RESPONSE_USD)] * 2
    assert costs(trace, "user") == [pytest.approx(2 * ONE_SECOND_USD)]
    whole = 2 * RESPONSE_USD + 2 * ONE_SECOND_USD
    assert trace.summary["cost_usd"] == trace.spans[0].cost_usd == pytest.approx(whole)
    assert trace.metrics["cost_per_minute"] == pytest.approx(whole)
    cost = trace.data["cost"]
    assert (cost["model"], cost["without_usage"]) == ("house", 0)
    twice = {name: pytest.approx(2 * usd) for name, usd in PARTS.items()}
    assert cost["parts"] == {**twice, "transcription": pytest.approx(2 * ONE_SECOND_USD)}
    assert spans(trace, "response")[0].output["cost"] == {k: pytest.approx(v) for k, v in PARTS.items()}


@pytest.mark.parametrize(
    "call",
    [Call(), priced(HOUSE, "nobody-knows-it"), priced(PriceTable({"house": PriceSettings()}))],
    ids=["a log of before", "no such model", "no prices of it"],
)
def test_an_unknown_price_is_no_cost_of_nothing(call: Call) -> None:
    trace = respond(call, "r").close(1000).trace()
    assert (costs(trace), trace.summary["cost_usd"], trace.spans[0].cost_usd) == ([None], None, None)
    assert set(trace.data["cost"]["parts"]) == set(PARTS)
    assert not any(trace.data["cost"]["parts"].values())
    assert 0 not in trace.data["cost"]["parts"].values()
    assert trace.metrics["cost_per_minute"] is None
    assert "cost_per_minute" in trace.data["metric_reasons"]


def test_one_price_that_is_not_known_hides_the_sum_and_not_the_rest() -> None:
    table = PriceTable({"house": PriceSettings(**{**RATES, "audio_output": None})})
    silent = {"input_tokens": 10, "output_tokens": 5}
    details = {"input_token_details": {"text_tokens": 10}, "output_token_details": {"text_tokens": 5}}
    trace = respond(respond(priced(table), "r1"), "r2", {**silent, **details}).close(1000).trace()
    assert costs(trace) == [None, pytest.approx((10 * 4 + 5 * 16) / 1e6)]
    assert trace.summary["cost_usd"] is None
    assert trace.data["cost"]["parts"]["audio_output"] is None
    assert trace.data["cost"]["parts"]["audio_input"] == pytest.approx(PARTS["audio_input"])


def test_a_transcriber_without_a_price_hides_the_sum() -> None:
    call = transcribing(priced(), "nobody-knows-it").speech("u", 200, 600).transcript(650, "u", "hi")
    trace = respond(call, "r").close(1000).trace()
    assert (costs(trace, "user"), costs(trace)) == ([None], [pytest.approx(RESPONSE_USD)])
    assert trace.summary["cost_usd"] is None
    assert trace.data["cost"]["parts"]["transcription"] is None


def test_a_transcript_costs_what_its_own_transcriber_does_also_by_a_dated_name() -> None:
    call = transcribing(priced(), "whisper-1-2026-01-01").speech("u", 200, 600).transcript(650, "u", "hi")
    call = transcribing(call, "gpt-realtime-whisper").speech("v", 900, 1000).transcript(1100, "v", "ho")
    trace = call.close(2000).trace()
    assert costs(trace, "user") == [pytest.approx(2 * ONE_SECOND_USD), pytest.approx(2 * 0.017 / 60)]


def test_a_response_that_ended_without_a_usage_makes_the_sum_unknown() -> None:
    trace = respond(respond(priced(), "r1"), "r2", None).close(1000).trace()
    assert costs(trace) == [pytest.approx(RESPONSE_USD), None]
    assert (trace.summary["cost_usd"], trace.data["cost"]["without_usage"]) == (None, 1)


def test_what_a_hang_up_cut_off_is_counted_and_leaves_the_rest_known() -> None:
    trace = respond(priced(), "r1").created(500, "r2").close(600).trace()
    assert costs(trace) == [pytest.approx(RESPONSE_USD), None]
    assert trace.summary["cost_usd"] == pytest.approx(RESPONSE_USD)
    assert trace.data["cost"]["without_usage"] == 1


@pytest.mark.parametrize("call", [priced(), priced().created(100, "r")], ids=["nothing", "not done"])
def test_a_call_of_which_no_usage_is_known_has_no_cost_and_not_0(call: Call) -> None:
    assert call.close(1000).trace().summary["cost_usd"] is None


def test_a_price_of_0_is_a_price() -> None:
    free = PriceTable({"house": PriceSettings(**dict.fromkeys(RATES, 0.0))})
    trace = respond(priced(free), "r").close(1000).trace()
    assert (costs(trace), trace.summary["cost_usd"]) == ([0], 0)


def test_a_running_call_shows_what_it_cost_so_far() -> None:
    call = respond(respond(priced(), "r1"), "r2")
    builder, seen = TraceBuilder(), []
    for event in call.events:
        builder.feed(event)
        seen.append(builder.snapshot().summary["cost_usd"])
    assert seen == [None] * 3 + [pytest.approx(RESPONSE_USD)] * 2 + [pytest.approx(2 * RESPONSE_USD)]
