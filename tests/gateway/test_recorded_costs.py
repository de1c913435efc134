"""What a recorded call costs, over real connections up to the store, and built again later."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.conftest import ON_UVLOOP, StartGateway
from tests.gateway.metered import (
    PRICES,
    RESPONSE_USD,
    SESSION,
    USAGE,
    Metered,
    call_to,
    respond,
    say,
    until_type,
)
from tests.gateway.test_recorded import trace_of
from voxgate.recording.eventlog import read_events
from voxgate.store import FolderBlobs
from voxgate.testing.provider import ScriptedProvider
from voxgate.traces import build_trace

pytestmark = [pytest.mark.anyio, ON_UVLOOP]
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"

CACHED = {
    **USAGE,
    "input_token_details": {
        **USAGE["input_token_details"],
        "cached_tokens": 40,
        "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 30},
    },
}
CACHED_USD = RESPONSE_USD - (10 * (4 - 0.4) + 30 * (32 - 0.4)) / 1e6
TRANSCRIPT_USD = 3 * 0.006 / 60


async def a_call(start_gateway: StartGateway, script: Metered, **settings: Any) -> tuple[Any, Any]:
    """A response and a transcript; the row in the store, and the trace built again from the event log."""
    async with (
        ScriptedProvider(script) as provider,
        start_gateway(provider.base_url, **settings) as gateway,
    ):
        key = await gateway.mint(logging={"project_name": "p", "text": False})
        async with call_to(gateway.unseen_url, key) as call:
            transcription = {"transcription": {"model": "whisper-1"}}
            await say(call, "session.updated", session={**SESSION, "audio": {"input": transcription}})
            await until_type(call, "session.updated")
            usage = {"type": "duration", "seconds": 3}
            await say(call, TRANSCRIBED, item_id="item_1", transcript="hi", usage=usage)
            await until_type(call, TRANSCRIBED)
            await respond(call)
        await gateway.records()
        row = trace_of(gateway)
        with FolderBlobs(gateway.worker.settings.blobs_dir).open(f"sessions/{row['id']}/events.jsonl") as log:
            return row, build_trace(read_events(log), session_id=row["id"])


def cost_of(row: Any) -> float | None:
    (response,) = [span for span in row["spans"] if span["type"] == "response"]
    found: float | None = response["cost_usd"]
    return found


async def test_a_recorded_call_has_its_cost_and_keeps_it_when_it_is_built_again(
    start_gateway: StartGateway,
) -> None:
    row, again = await a_call(start_gateway, Metered(CACHED), prices=PRICES)
    assert cost_of(row) == pytest.approx(CACHED_USD)
    assert row["cost_usd"] == pytest.approx(CACHED_USD + TRANSCRIPT_USD)
    cost = row["data"]["cost"]
    assert cost["model"] == "fake"
    assert cost["parts"]["audio_cached_input"] == pytest.approx(30 * 0.4 / 1e6)
    assert cost["parts"]["transcription"] == pytest.approx(TRANSCRIPT_USD)
    assert again.data["cost"] == cost
    assert [span.cost_usd for span in again.spans] == [span["cost_usd"] for span in row["spans"]]
    assert again.metrics == row["data"]["metrics"]


async def test_a_recorded_call_of_an_unpriced_model_has_no_cost(start_gateway: StartGateway) -> None:
    row, again = await a_call(start_gateway, Metered())
    assert (cost_of(row), row["cost_usd"], again.summary["cost_usd"]) == (None, None, None)
    parts = row["data"]["cost"]["parts"]
    assert parts.pop("transcription") == pytest.approx(TRANSCRIPT_USD)
    assert set(parts.values()) == {None}
