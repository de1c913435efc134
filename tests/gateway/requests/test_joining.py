"""A tool's own requests in the trace of the voice call: while it runs, when it is over, and built again."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import OpenAI
from tests.gateway.requests.joined import HOURS, PIXEL, House, call, house, picture_url, tone

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("joining")) as started:
        yield started


def under_the_tool(trace: dict[str, Any]) -> list[str]:
    """Ids of its requests that stand under the tool's span."""
    [tool] = [span["id"] for span in trace["spans"] if span["type"] == "tool"] or [None]
    return [child["id"] for child in trace["children"] if tool and child["parent_span_id"] == tool]


async def test_a_tools_request_is_under_its_span_live_at_the_end_and_built_again(running: House) -> None:
    async with call(running) as voice:
        said = await asyncio.to_thread(running.tool(), voice.session_id, "call_1", "When do you open?")
        assert said == HOURS
        live = await running.trace(voice.session_id, lambda trace: bool(under_the_tool(trace)))
        assert live["status"] == "live"
        await voice.give_result()
    over = await running.trace(
        voice.session_id,
        lambda trace: trace["status"] == "complete" and trace["children"][0]["status"] == "complete",
    )
    [child] = under_the_tool(over)
    cost = (1000 * 2 + 50 * 8) / 1e6
    assert (over["children"][0]["cost_usd"], over["children_cost_usd"]) == (pytest.approx(cost),) * 2
    assert over["cost_usd"] is None  # what the call itself cost, whose price is not known
    await running.voxgate.request("POST", f"/api/sessions/{voice.session_id}/rebuild")
    await running.voxgate.request("POST", f"/api/sessions/{child}/rebuild")
    again = await running.voxgate.request("GET", f"/api/sessions/{voice.session_id}")
    assert under_the_tool(again) == [child]
    sent = running.provider.received[-1].headers
    assert not {"x-voxgate-parent", "traceparent"} & sent.keys()


async def test_a_request_that_outlives_its_call_and_one_that_names_nobody_are_answered(
    running: House,
) -> None:
    async with call(running) as voice:
        await voice.give_result()
    await running.trace(voice.session_id, lambda trace: trace["status"] == "complete")
    for parent in (f"{voice.session_id}/call_1", "sess_nobody/call_1", "what is this"):
        said = await asyncio.to_thread(ask, running.sdk(), {"x-voxgate-parent": parent})
        assert said == HOURS
    late = await running.trace(voice.session_id, lambda trace: bool(trace["children"]))
    assert len(under_the_tool(late)) == 1
    await running.trace(late["children"][0]["id"], lambda trace: trace["parent"]["found"])


async def test_a_credential_of_another_project_joins_nothing(running: House) -> None:
    minted = await running.voxgate.mint(model="gpt-5", logging={"project_name": "stranger"})
    async with call(running) as voice:
        tool = running.tool(minted["key"])
        assert await asyncio.to_thread(tool, voice.session_id, "call_1", "When?") == HOURS
        await voice.give_result()
    items: list[dict[str, Any]] = []
    async with asyncio.timeout(90):
        while not items:
            found = await running.voxgate.request("GET", f"/api/sessions?q=parent:{voice.session_id}")
            items = [one for one in found["items"] if one["status"] == "complete"]
            await asyncio.sleep(0.05)
    [stranger] = items
    over = await running.trace(voice.session_id, lambda trace: trace["status"] == "complete")
    assert (over["children"], stranger["project"]) == ([], "stranger")
    shown = await running.voxgate.request("GET", f"/api/sessions/{stranger['id']}")
    assert shown["parent"] == {"session_id": voice.session_id, "ref": "call_1", "found": False}


def ask(client: OpenAI, headers: dict[str, str]) -> str | None:
    messages: Any = [{"role": "user", "content": "When?"}]
    made = client.chat.completions.create(model="gpt-5", messages=messages, extra_headers=headers)
    return made.choices[0].message.content


async def test_the_sound_of_a_request_is_played_and_its_pictures_are_shown(running: House) -> None:
    client = running.sdk()
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": picture_url()}},
    ]
    messages: Any = [{"role": "user", "content": content}]
    to = {
        client.audio.speech: {"model": "tts", "voice": "alloy", "input": "Day.", "response_format": "wav"},
        client.audio.transcriptions: {"model": "hear", "file": ("a.wav", tone(2.0))},
        client.chat.completions: {"model": "gpt-5", "messages": messages},
    }
    made = [await asyncio.to_thread(api.with_raw_response.create, **body) for api, body in to.items()]
    paint = client.images.with_raw_response.generate
    made.append(await asyncio.to_thread(paint, model="paint", prompt="A dot."))
    ids = [one.headers["x-voxgate-session-id"] for one in made]
    spoken, heard, seen, painted = [
        await running.trace(one, lambda trace: trace["status"] == "complete") for one in ids
    ]
    assert spoken["audio_ms"] == {"in": 0.0, "generated": 1000.0, "heard": 1000.0}
    assert heard["audio_ms"]["in"] == 2000.0
    for trace, track, seconds in ((spoken, "assistant", 1), (heard, "user", 2)):
        wav = await running.voxgate.request("GET", f"/api/sessions/{trace['id']}/audio?track={track}")
        assert wav[44:] == tone(seconds)[44:]
    await running.voxgate.request("POST", f"/api/sessions/{spoken['id']}/rebuild")
    again = await running.voxgate.request("GET", f"/api/sessions/{spoken['id']}")
    assert again["audio_ms"] == spoken["audio_ms"]
    pictures = [
        next(image for span in seen["spans"] if span["type"] == "user" for image in span["input"]["images"]),
        next(
            image
            for span in painted["spans"]
            if span["type"] == "response"
            for image in span["output"]["images"]
        ),
    ]
    for trace, image in zip((seen, painted), pictures, strict=True):
        data = await running.voxgate.request("GET", f"/api/sessions/{trace['id']}/images/{image['digest']}")
        assert data == base64.b64decode(PIXEL)
