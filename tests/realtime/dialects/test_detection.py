from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.realtime.dialects.speaking import BETA, GA

from voxgate.realtime.dialects import Dialect, detect, detect_from_update
from voxgate.realtime.handshake import Request, parse_request


def handshake(path: str = "/v1/realtime", **headers: str) -> Request:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request("GET", path, (("model", "gpt-realtime"),), named)


def recorded(shared: Path, name: str) -> Request:
    text = (shared / f"fixtures/realtime/handshakes/{name}.http").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return parse_request("\r\n".join([*lines, "", ""]).encode())


def test_the_beta_header_tells_by_its_value() -> None:
    assert detect(handshake(openai_beta="realtime=v1")) is BETA
    assert detect(handshake(openai_beta="assistants=v2, realtime=v1")) is BETA
    assert detect(handshake(openai_beta="assistants=v2")) is None


def test_the_beta_subprotocol_tells() -> None:
    assert detect(handshake(sec_websocket_protocol="realtime, openai-beta.realtime-v1")) is BETA
    assert detect(handshake(sec_websocket_protocol="realtime")) is None


def test_paths_of_azure() -> None:
    assert detect(handshake("/openai/v1/realtime")) is GA
    assert detect(handshake("/openai/realtime")) is None
    assert detect(handshake("/voice-live/realtime")) is BETA


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("chromium-147_rtbeta-browser.02", BETA),
        ("openai-node-7.57.0_native-beta.01", BETA),
        ("openai-node-7.57.0_azure-ws-beta.01", BETA),
        ("openai-python-1.59.9_beta.01", BETA),
        ("openai-python-1.109.1_beta.01", BETA),
        ("openai-python-3.54.0_azure-beta.01", BETA),
        ("openai-python-3.54.0_azure-ga-v1.01", GA),
        ("openai-python-3.54.0_azure-ga.01", None),
        ("openai-python-3.54.0_ga.01", None),
        ("openai-node-7.57.0_ws-ga.01", None),
    ],
)
def test_recorded_handshakes(shared: Path, name: str, dialect: Dialect | None) -> None:
    assert detect(recorded(shared, name)) is dialect


def test_the_first_session_update_of_every_recorded_client(shared: Path) -> None:
    found = {}
    for path in sorted((shared / "fixtures/realtime/handshakes").glob("*.frames.jsonl")):
        frames = [json.loads(line) for line in path.read_text().splitlines()]
        sent = [
            frame["ev"] for frame in frames if frame["dir"] == "c2s" and isinstance(frame.get("ev"), dict)
        ]
        updates = [event for event in sent if event.get("type") == "session.update"]
        if updates and "live" not in path.name and "translation" not in path.name:
            found[path.name] = detect_from_update(json.dumps(updates[0]).encode())
    speakers_of_beta = {name for name, dialect in found.items() if dialect is BETA}
    assert speakers_of_beta == {name for name in found if "beta" in name}
    assert len(speakers_of_beta) > 5
    assert len(found) - len(speakers_of_beta) > 5
    assert None not in found.values()


@pytest.mark.parametrize(
    ("event", "dialect"),
    [
        ({"type": "session.update", "session": {"type": "realtime"}}, GA),
        ({"type": "session.update", "session": {"type": "transcription"}}, GA),
        ({"type": "session.update", "session": {"audio": {"output": {"voice": "alloy"}}}}, GA),
        ({"type": "session.update", "session": {"output_modalities": ["text"]}}, GA),
        ({"type": "session.update", "session": {"modalities": ["text"]}}, BETA),
        ({"type": "session.update", "session": {"temperature": 0.7}}, BETA),
        ({"type": "session.update", "session": {"instructions": "GA would need a type"}}, BETA),
        ({"type": "session.update", "session": {}}, None),
        ({"type": "session.update", "session": None}, None),
        ({"type": "session.update"}, None),
        ({"type": "transcription_session.update", "session": {}}, BETA),
        ({"session": {"type": "realtime"}, "type": "session.update"}, GA),
        ({"type": "response.create"}, None),
        ({"type": "response.create", "response": {"instructions": "both"}}, None),
        ({"type": "response.create", "response": {"modalities": ["text"]}}, BETA),
        ({"type": "response.create", "response": {"output_modalities": ["text"]}}, GA),
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, None),
        ({"type": "conversation.item.create", "item": {"type": "message"}}, None),
        ({"type": 5}, None),
        ([], None),
    ],
)
def test_what_a_client_says_tells(event: object, dialect: Dialect | None) -> None:
    assert detect_from_update(json.dumps(event).encode()) is dialect


def test_what_is_no_json_tells_nothing() -> None:
    assert detect_from_update(b"\xff{") is None
    assert detect_from_update(b'{"type":"session.update",') is None
