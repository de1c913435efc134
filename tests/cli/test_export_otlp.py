"""A whole Voxgate whose calls end at an OpenTelemetry collector."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from tests.export.collector import Answer, Collector, attributes, collecting, root_of, spans_of
from tests.running import Voxgate, start_voxgate
from voxgate.testing.provider import ScriptedProvider, Upstreamed

SECONDS = 60
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def converse(call: Upstreamed) -> None:
    """One text turn."""
    config = {"id": "s", "model": "fake-1", "instructions": "Be brief."}
    await call.send(json.dumps({"type": "session.created", "session": config}))
    async for text in call:
        message = json.loads(text)
        if message["type"] == "conversation.item.create":
            item = {**message["item"], "id": "item_u"}
            await call.send(json.dumps({"type": "conversation.item.added", "item": item}))
        if message["type"] == "response.create":
            await answer(call)


async def answer(call: Upstreamed) -> None:
    names = {"response_id": "resp_1", "item_id": "item_a"}
    usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    done = {"id": "resp_1", "status": "completed", "usage": usage}
    for event in (
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_text.delta", "delta": "Good day.", **names},
        {"type": "response.done", "response": done},
    ):
        await call.send(json.dumps(event))


async def call_once(voxgate: Voxgate) -> str:
    headers = {**voxgate.auth, "traceparent": TRACEPARENT}
    async with connect(f"{voxgate.ws_url}?model=fake", additional_headers=headers) as call:
        assert call.response is not None
        content = [{"type": "input_text", "text": "Hello there"}]
        item = {"type": "message", "role": "user", "content": content}
        await call.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await call.send(json.dumps({"type": "response.create"}))
        while json.loads(await call.recv())["type"] != "response.done":
            pass
        return call.response.headers["x-voxgate-session-id"]


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await anyio.sleep(0.05)


def configure(folder: Path, provider: ScriptedProvider, more: str) -> Path:
    config = folder / "voxgate.toml"
    config.write_text(
        f'[providers.fake]\nbase_url = "{provider.base_url}"\n'
        f'[[routes]]\nmodel = "fake"\nproviders = ["fake"]\n{more}'
    )
    return config


async def metric(voxgate: Voxgate, name: str) -> float:
    text = (await voxgate.request("GET", "/metrics")).decode()
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


@pytest.mark.anyio
async def test_a_call_that_ended_is_at_the_collector_with_the_clients_trace(tmp_path: Path) -> None:
    with collecting() as collector:
        collector.answers.append(Answer(503, {"retry-after": "1"}))
        async with ScriptedProvider(converse) as provider:
            more = (
                '[export]\npublic_url = "https://voice.example"\n'
                f'[export.otlp]\nendpoint = "{collector.url}"\nheaders_env = "COLLECTOR_KEYS"\n'
            )
            config = configure(tmp_path, provider, more)
            environ = {"COLLECTOR_KEYS": "x-key=PLUM"}
            voxgate = start_voxgate(tmp_path, "--config", str(config), environ=environ, local=False)
            try:
                session_id = await call_once(voxgate)
                await until(lambda: collector.sessions() == [session_id])
                check(collector, session_id)
                deadline = time.monotonic() + SECONDS
                while await metric(voxgate, "voxgate_export_sessions_sent_total") != 1:
                    assert time.monotonic() < deadline
                    await anyio.sleep(0.1)
                assert await metric(voxgate, "voxgate_export_failed_attempts_total") == 1
                assert await metric(voxgate, "voxgate_export_waiting_sessions") == 0
                assert not list((tmp_path / "outbox").iterdir())
            finally:
                assert voxgate.stop() == 0
            assert f"Traces     to {collector.url}/v1/traces" in "".join(voxgate.output)
            assert "PLUM" not in "".join(voxgate.output)


def check(collector: Collector, session_id: str) -> None:
    assert len(collector.received) == 2
    assert {got.headers["x-key"] for got in collector.received} == {"PLUM"}
    [sent] = collector.taken
    root = root_of(sent)
    assert root.trace_id.hex() == TRACEPARENT.split("-")[1]
    assert root.parent_span_id.hex() == TRACEPARENT.split("-")[2]
    assert attributes(root)["url.full"] == f"https://voice.example/sessions/{session_id}"
    [response] = [span for span in spans_of(sent) if span.name == "chat fake"]
    found = attributes(response)
    assert found["gen_ai.usage.input_tokens"] == 7
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"][0]["content"] == "Hello there"
    assert found["output.value"] == "Good day."


@pytest.mark.anyio
async def test_calls_of_a_time_without_a_collector_are_sent_after_the_next_start(tmp_path: Path) -> None:
    """And the standard variable alone switches it on."""
    async with ScriptedProvider(converse) as provider:
        config = configure(tmp_path, provider, "")
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        voxgate = start_voxgate(tmp_path, "--config", str(config), environ=environ, local=False)
        try:
            session_id = await call_once(voxgate)
            await voxgate.finished_session(session_id, SECONDS)
            await until((tmp_path / "outbox" / session_id).exists)
        finally:
            assert voxgate.stop() == 0
        with collecting() as collector:
            environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            voxgate = start_voxgate(tmp_path, "--config", str(config), environ=environ, local=False)
            try:
                await until(lambda: collector.sessions() == [session_id])
            finally:
                assert voxgate.stop() == 0


def test_a_target_that_is_wrong_stops_the_start_with_its_name(tmp_path: Path) -> None:
    config = tmp_path / "voxgate.toml"
    config.write_text('[export.otlp]\nendpoint = "http://127.0.0.1:9"\nheaders_env = "NOT_SET_ANYWHERE"\n')
    command = [sys.executable, "-m", "voxgate", "serve", "--port", "0", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 2
    assert "NOT_SET_ANYWHERE is not set" in done.stderr
