"""Scorers of autoevals that ask a model work unchanged, before a server that answers as OpenAI's does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import autoevals
import pytest
from autoevals.oai import LLMClient
from openai import AsyncOpenAI, OpenAI

from tests.evals.subjects import score_of


class Judge(ThreadingHTTPServer):
    """Chooses C, the same facts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Answering(BaseHTTPRequestHandler):
    server: Judge

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        chosen = {"name": "select_choice", "arguments": '{"reasons": "the same facts", "choice": "C"}'}
        call = {"id": "call_1", "type": "function", "function": chosen}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
        answer = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def judge() -> Iterator[Judge]:
    with Judge() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("client", [OpenAI, AsyncOpenAI])
@pytest.mark.parametrize("is_shared", [False, True])
def test_a_model_that_judges_is_asked_with_input_output_and_expected(
    judge: Judge, client: Any, is_shared: bool
) -> None:
    chosen = LLMClient(client(base_url=judge.url, api_key="x"))
    try:
        if is_shared:
            autoevals.init(chosen)
        factuality = autoevals.Factuality(client=None if is_shared else chosen, model="gpt-4o")
        score = score_of(factuality, value="Capital of France?", output="It is Paris", free="Paris")
    finally:
        autoevals.init(None)
    assert score.value is not None, score.reason_missing
    assert (score.name, score.value, score.explanation) == ("Factuality", 1.0, "the same facts")
    (asked,) = judge.asked
    prompt = asked["messages"][0]["content"]
    assert all(words in prompt for words in ("[Question]: Capital", "[Expert]: Paris", "[Submission]: It is"))


def test_a_model_that_cannot_be_asked_is_a_score_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    score = score_of(autoevals.Factuality, value="Capital of France?", output="Paris", free="Paris")
    assert score.value is None
    assert "api_key" in (score.reason_missing or "")
