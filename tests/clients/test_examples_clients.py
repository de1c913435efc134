"""The command-line clients of the examples, started as programs, against a whole Voxgate."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.clients.programs import EXAMPLES, Toolchain, environment, run, session_of
from tests.running import Voxgate

pytestmark = [pytest.mark.anyio, pytest.mark.local]

CLIENT = EXAMPLES / "python-client" / "client.py"
LOGGED = {"logging": {"project_name": "examples"}}


def settings(voxgate: Voxgate, key: str) -> dict[str, str]:
    return environment(VOXGATE_URL=voxgate.url, VOXGATE_KEY=key)


async def check_recording(voxgate: Voxgate, credential_id: str, question: bytes, answer: Path) -> None:
    """What was recorded is what the program sent and what it saved."""
    trace = await session_of(voxgate, f"credential:{credential_id}")
    assert trace["status"] == "complete"
    path = f"/api/sessions/{trace['id']}/audio?format=wav&track="
    sent, _ = soundfile.read(io.BytesIO(await voxgate.request("GET", path + "user")), dtype="int16")
    came, _ = soundfile.read(io.BytesIO(await voxgate.request("GET", path + "assistant")), dtype="int16")
    saved, rate = soundfile.read(answer, dtype="int16")
    words = np.frombuffer(question, "<i2")
    assert rate == 24_000
    np.testing.assert_array_equal(sent[: len(words)], words)
    assert not sent[len(words) :].any()
    np.testing.assert_array_equal(came, saved)
    assert len(saved) > rate


async def test_the_python_client_asks_aloud_and_saves_the_answer(
    voxgate: Voxgate, question: bytes, tmp_path: Path
) -> None:
    # In stereo and at another rate, as most recordings are.
    samples = soxr.resample(np.frombuffer(question, "<i2"), 24_000, 44_100)
    soundfile.write(tmp_path / "question.flac", np.stack([samples, samples], axis=1), 44_100)
    as_sent = soxr.resample(samples, 44_100, 24_000).astype("<i2").tobytes()
    credential = await voxgate.mint(model="local", **LOGGED)
    env = settings(voxgate, credential["key"])
    finished = await run(sys.executable, CLIENT, "question.flac", cwd=tmp_path, env=env)
    assert finished.status == 0, finished.output
    assert "you:       What is the weather in Paris?" in finished.output
    assert "assistant: I heard you say: What is the weather in Paris" in finished.output
    await check_recording(voxgate, credential["id"], as_sent, tmp_path / "answer.wav")


async def test_the_python_client_says_why_it_was_refused(
    voxgate: Voxgate, spoken_question: Path, tmp_path: Path
) -> None:
    finished = await run(
        sys.executable, CLIENT, spoken_question, cwd=tmp_path, env=settings(voxgate, "ek_nonsense")
    )
    assert finished.status == 1
    assert finished.output.startswith("Error: ")
    assert len(finished.output.splitlines()) == 1


async def test_the_node_client_asks_aloud_and_saves_the_answer(
    voxgate: Voxgate,
    question: bytes,
    spoken_question: Path,
    toolchain: Toolchain,
    node_client: Path,
    tmp_path: Path,
) -> None:
    credential = await voxgate.mint(model="local", **LOGGED)
    env = settings(voxgate, credential["key"])
    answer = tmp_path / "answer.wav"
    finished = await run(toolchain.node, "client.mjs", spoken_question, answer, cwd=node_client, env=env)
    assert finished.status == 0, finished.output
    assert "you:       What is the weather in Paris?" in finished.output
    assert "assistant: I heard you say: What is the weather in Paris" in finished.output
    await check_recording(voxgate, credential["id"], question, answer)
    trace = await session_of(voxgate, f"credential:{credential['id']}")
    assert trace["client"]["user_agent"].startswith("OpenAI/JS")


async def test_the_node_client_says_why_it_was_refused(
    voxgate: Voxgate, spoken_question: Path, toolchain: Toolchain, node_client: Path
) -> None:
    env = settings(voxgate, "ek_nonsense")
    finished = await run(toolchain.node, "client.mjs", spoken_question, cwd=node_client, env=env)
    assert finished.status == 1
    assert "code=invalid_api_key" in finished.output
    assert len(finished.output.splitlines()) == 1
