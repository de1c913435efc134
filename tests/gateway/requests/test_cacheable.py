"""What may be answered from the cache, what an answer depends on, and how long it is good for."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from voxgate.auth.credentials import Grant
from voxgate.core.caching import CacheSettings
from voxgate.core.errors import InvalidRequest
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.requests import cache
from voxgate.gateway.requests.bodies import Wanted
from voxgate.gateway.requests.cache import AnswerCache
from voxgate.gateway.requests.cacheable import is_whole, parts_of, refusal, ttl_of
from voxgate.gateway.requests.cached import Asked, Plan
from voxgate.gateway.requests.endpoints import ENDPOINTS, Endpoint
from voxgate.store.cached import CacheFolder

CHAT = ENDPOINTS["/v1/chat/completions"]
FUNCTION = {"type": "function", "function": {"name": "f"}}


def endpoint(name: str) -> Endpoint:
    return ENDPOINTS[f"/v1/{name}"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("chat/completions", {"temperature": 0}),
        ("chat/completions", {"temperature": 0.0, "n": 3, "tools": [FUNCTION], "store": False}),
        ("chat/completions", {"seed": 0, "temperature": 1}),
        ("completions", {"temperature": 0, "prompt": "Once"}),
        ("embeddings", {"input": ["a"]}),
        ("messages", {"temperature": 0, "tools": [{"name": "f"}, {"type": "custom", "name": "g"}]}),
        (
            "responses",
            {"temperature": 0, "store": False, "input": [{"type": "message"}], "background": False},
        ),
    ],
)
def test_what_is_the_same_each_time_is_cached(name: str, fields: dict[str, Any]) -> None:
    for wish in ("auto", "always", "refresh"):
        assert refusal(endpoint(name), Wanted("m", fields), wish) is None


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("chat/completions", {}, "neither"),
        ("chat/completions", {"temperature": 0.1, "seed": None}, "neither"),
        ("chat/completions", {"temperature": False, "seed": True}, "neither"),
        ("chat/completions", {"seed": 1, "modalities": ["text", "audio"]}, "sound"),
        ("chat/completions", {"seed": 1, "web_search_options": {"a": 1}}, "web_search_options"),
        ("responses", {"temperature": 0}, "stored"),
        ("responses", {"temperature": 0, "store": False, "tools": [{"type": "web_search"}]}, "web_search"),
        ("responses", {"temperature": 0, "store": False, "prompt": {"id": "p"}}, "prompt"),
        ("messages", {"temperature": 0, "tools": [{"type": "code_execution_20250522"}]}, "code_execution"),
        ("messages", {"temperature": 0, "mcp_servers": [{"url": "u"}]}, "mcp_servers"),
        ("messages/count_tokens", {}, "always"),
        ("moderations", {"input": "a"}, "always"),
        ("audio/speech", {"input": "a", "seed": 1}, "always"),
        ("images/generations", {"prompt": "a", "seed": 1}, "always"),
    ],
)
def test_what_may_be_another_one_is_cached_only_if_asked_for(
    name: str, fields: dict[str, Any], said: str
) -> None:
    assert said in (refusal(endpoint(name), Wanted("m", fields), "auto") or "")
    assert refusal(endpoint(name), Wanted("m", fields), "always") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"store": True},
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"background": True},
        {"container": "c"},
        {"input": [{"type": "message"}, {"type": "item_reference", "id": "i"}]},
    ],
)
def test_what_is_stored_or_continued_at_the_provider_is_never_cached(fields: dict[str, Any]) -> None:
    body = {"temperature": 0, "store": False, **fields}
    for wish in ("auto", "always", "refresh"):
        assert refusal(endpoint("responses"), Wanted("m", body), wish) is not None


def test_a_form_whose_parts_are_cut_elsewhere_is_another_one() -> None:
    form = endpoint("audio/transcriptions")

    def parts(boundary: str, body: bytes, more: str = "") -> list[bytes]:
        kind = f"multipart/form-data; boundary={boundary}{more}"
        return list(parts_of(form, "m", [], {"content-type": kind}, body))

    assert parts("aa", b"--aa\r\nx\r\n--aa--") == parts("bb", b"--bb\r\nx\r\n--bb--")
    assert parts("aa", b"--aa\r\nx--bb\r\n--aa--") != parts("bb", b"--bb\r\nx--bb\r\n--bb--")
    assert parts("aa", b"--aa\r\nx\r\n--aa--") != parts("aa", b"--aa\r\nx\r\n--aa--", "; boundary=x")


@pytest.mark.parametrize(
    ("name", "body", "whole"),
    [
        ("chat/completions", b'data: {"a": 1}\n\ndata: [DONE]\n\n', True),
        ("chat/completions", b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', True),
        ("chat/completions", b'data: {"a": 1}\n\n', False),
        ("chat/completions", b'data: {"a": 1, "error": {"code": 1}}\n\ndata: [DONE]\n\n', False),
        ("chat/completions", b'data: {"a": \n\ndata: [DONE]\n\n', False),
        ("messages", b'data: {"type": "message_stop"}\n\n', True),
        ("messages", b'data: {"type": "error"}\n\ndata: {"type": "message_stop"}\n\n', False),
        ("messages", b'data: {"type": "message_delta"}\n\ndata: [DONE]\n\n', False),
        ("responses", b'data: {"type": "response.completed"}\n\n', True),
        ("responses", b'data: {"type": "response.incomplete"}\n\ndata: [DONE]\n\n', False),
        ("audio/transcriptions", b'data: {"type": "transcript.text.done"}\n\n', True),
        ("audio/transcriptions", b'data: {"type": "transcript.text.delta"}\n\n', False),
    ],
)
def test_a_stream_is_whole_when_the_provider_says_so(name: str, body: bytes, whole: bool) -> None:
    assert is_whole(endpoint(name), {"content-type": "text/event-stream"}, body) is whole


@pytest.mark.parametrize(
    ("name", "headers", "body", "whole"),
    [
        ("chat/completions", {"content-type": "application/json"}, b'{"choices": []}', True),
        ("chat/completions", {"content-type": "application/json"}, b'{"choices": [', False),
        (
            "chat/completions",
            {"content-type": "application/json", "content-length": "9"},
            b'{"error": 1}',
            False,
        ),
        ("chat/completions", {"content-type": "application/json", "content-length": "9"}, b'{"e": 1}', True),
        ("chat/completions", {"content-type": "application/json", "content-encoding": "br"}, b"{}", False),
        (
            "responses",
            {"content-type": "application/json", "content-length": "9"},
            b'{"status": "queued"}',
            False,
        ),
        ("responses", {"content-type": "application/json"}, b'{"status": "completed", "error": null}', True),
        ("audio/speech", {"content-type": "audio/mpeg", "transfer-encoding": "chunked"}, b"x", True),
        ("audio/speech", {"content-type": "audio/mpeg", "content-length": "1"}, b"x", True),
        ("audio/speech", {"content-type": "audio/mpeg"}, b"x", False),
        ("audio/speech", {"content-type": "audio/mpeg", "content-length": "0"}, b"", False),
    ],
)
def test_an_answer_is_whole_when_its_end_is_known(
    name: str, headers: dict[str, str], body: bytes, whole: bool
) -> None:
    assert is_whole(endpoint(name), headers, body) is whole


def test_the_time_is_the_settings_unless_a_request_says_less_or_as_much_as_it_may() -> None:
    header = "x-voxgate-cache-ttl"
    assert ttl_of({}, 60, 600) == 60
    assert ttl_of({header: " 90 "}, 60, 600) == 90
    assert ttl_of({header: "601"}, 60, 600) == 600
    for wrong in ("0", "-1", "1.5", "soon", "٣", "9" * 30):
        with pytest.raises(InvalidRequest):
            ttl_of({header: wrong}, 60, 600)


def plan_of(answers: AnswerCache, **headers: str) -> Plan:
    """For a chat with a seed."""
    asked = Asked(
        CHAT,
        Grant("api_key", "key_1", project="p"),
        "vg_1",
        "m",
        {"x-voxgate-cache": "auto", **headers},
        b"{}",
        Wanted("m", {"seed": 1}),
        [],
        True,
    )
    made = answers.plan(asked)
    assert made is not None
    return made


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_answer_is_given_until_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setattr(cache, "_WAIT_SECONDS", 60.0)
    now = [1000.0]
    answers = AnswerCache(CacheFolder(tmp_path), CacheSettings(), {}, Metrics(), lambda: now[0])

    ttl = {"x-voxgate-cache-ttl": "60"}
    first = plan_of(answers, **ttl)
    assert await answers.find(first) is None
    first.feed(b'{"choices": []}')
    answers.keep(
        first, 200, [(b"content-type", b"application/json")], {"Content-Type": "application/json"}, None
    )
    for moment, there in ((1000.0, True), (1059.5, True), (1060.0, False), (900.0, False), (1001.0, True)):
        now[0] = moment
        again = plan_of(answers, **ttl)
        found = await answers.find(again)
        assert (found is not None) is there, moment
        assert again.outcome == ("hit" if there else "miss")
    async with asyncio.timeout(60):
        while answers._waiting:
            await asyncio.sleep(0.005)
    assert answers._waiting_bytes == 0


class HangingCache(CacheFolder):
    """Answers nobody until it is let go."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked = 0
        self.let_go = threading.Event()

    def get(self, name: str, ttl_seconds: int, largest_bytes: int) -> bytes | None:
        self.asked += 1
        self.let_go.wait(60)
        return None


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_store_that_hangs_is_a_miss_and_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setattr(cache, "_REST_SECONDS", 600.0)
    store = HangingCache(tmp_path)
    answers = AnswerCache(store, CacheSettings(), {}, Metrics())
    try:
        for _ in range(20):
            plan = plan_of(answers)
            async with asyncio.timeout(30):
                assert await answers.find(plan) is None
            assert plan.outcome == "miss"
        assert store.asked <= 1
    finally:
        store.let_go.set()
