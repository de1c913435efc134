"""The cache of answers through a running gateway: what is answered again, for whom, and what is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.requests.test_passing_on import KEY, ask, say, stream

from voxgate.gateway.requests import cache
from voxgate.testing.http_provider import Answering, HttpProvider, Received, say_hello

pytestmark = pytest.mark.anyio

SEED = {"model": "gpt-5", "messages": [{"role": "user", "content": "Where is the lighthouse?"}], "seed": 7}
COLD = {**SEED, "temperature": 0, "stream": True}
CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "By the xylophone."}}]}\n\n'
DONE = b"data: [DONE]\n\n"
OWN = {"x-voxgate-cache", "x-voxgate-provider", "x-voxgate-session-id", "age", "date", "x-ratelimit-left"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Nothing here is of one event loop only."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup takes as long as it takes on a machine that is full."""
    monkeypatch.setattr(cache, "_WAIT_SECONDS", 60.0)


@asynccontextmanager
async def house(
    start_gateway: StartGateway, answer: Answering = say_hello, **settings: Any
) -> AsyncIterator[tuple[RunningGateway, HttpProvider]]:
    async with HttpProvider(answer) as provider:
        known = {
            "p0": {"base_url": provider.base_url, "api_key": KEY, "rest_seconds": 0, "pass_through": True}
        }
        routes = [{"model": "*", "providers": ["p0"]}]
        async with start_gateway(providers=known, routes=routes, **settings) as gateway:
            yield gateway, provider


async def outcome(gateway: RunningGateway, body: Any, key: str = ADMIN_KEY, wish: str = "auto") -> str | None:
    """What a chat of this body is told of the cache."""
    wished = {"x_voxgate_cache": wish} if wish else {}
    status, said, headers = await ask(gateway, "chat/completions", body, key, **wished)
    assert status == 200, said
    return headers.get("x-voxgate-cache")


def sealed(gateway: RunningGateway) -> list[Path]:
    return [path for path in (gateway.worker.settings.blobs_dir / "cache").rglob("*") if path.is_file()]


async def stored(gateway: RunningGateway, count: int = 1) -> list[Path]:
    async with asyncio.timeout(60):
        while len(found := sealed(gateway)) < count or any(path.name.startswith(".") for path in found):
            await asyncio.sleep(0.005)
    return found


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


ANSWERS: dict[str, tuple[str, dict[str, Any], Answering]] = {
    "chat": ("chat/completions", SEED, say(200, {"id": "c1", "choices": []}, x_ratelimit_left="3")),
    "stream": ("chat/completions", COLD, stream(CHUNK, CHUNK[:10], CHUNK[10:], DONE)),
    "embeddings": ("embeddings", {"model": "e", "input": "a"}, say(200, {"data": [{"embedding": [0.25]}]})),
    "messages": (
        "messages",
        {"model": "claude", "messages": [], "max_tokens": 5, "temperature": 0.0, "stream": True},
        stream(event("message_start", message={"usage": {"input_tokens": 1}}), event("message_stop")),
    ),
    "responses": (
        "responses",
        {"model": "gpt-5", "input": "Hi", "temperature": 0, "store": False, "stream": True},
        stream(event("response.created"), event("response.completed", response={"status": "completed"})),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_request_that_was_answered_is_answered_again_byte_for_byte(
    start_gateway: StartGateway, name: str
) -> None:
    path, body, answer = ANSWERS[name]
    async with house(start_gateway, answer) as (gateway, provider):
        first = await ask(gateway, path, body, x_voxgate_cache="auto")
        again = await ask(gateway, path, body, x_voxgate_cache="auto")
        await stored(gateway)
        later = await ask(gateway, path, body, x_voxgate_cache="auto")
    assert len(provider.received) == 1
    told = [one[2]["x-voxgate-cache"] for one in (first, again, later)]
    assert told == ["miss", "hit", "hit"]
    for hit in (again, later):
        assert hit[:2] == first[:2]
        same = {each: value for each, value in first[2].items() if each not in OWN}
        assert {each: value for each, value in hit[2].items() if each not in OWN} == same
        assert hit[2]["age"].isdigit()
        assert "x-voxgate-provider" not in hit[2]
        assert "x-ratelimit-left" not in hit[2]  # which was true of the first
        assert hit[2]["x-voxgate-session-id"] != first[2]["x-voxgate-session-id"]


async def test_nothing_is_cached_or_said_of_it_unless_somebody_asks(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as (gateway, provider):
        assert [await outcome(gateway, SEED, wish="") for _ in range(2)] == [None, None]
        assert [await outcome(gateway, SEED, wish="never") for _ in range(2)] == [None, None]
        assert sealed(gateway) == []
    assert len(provider.received) == 4


async def test_where_the_settings_say_so_what_is_the_same_each_time_is_cached(
    start_gateway: StartGateway,
) -> None:
    async with house(start_gateway, cache={"mode": "auto"}) as (gateway, provider):
        assert [await outcome(gateway, SEED, wish="") for _ in range(2)] == ["miss", "hit"]
        warm = {**SEED, "seed": None, "temperature": 0.7}
        assert [await outcome(gateway, warm, wish="") for _ in range(2)] == [None, None]
        assert await outcome(gateway, warm, wish="auto") == "bypass"
        assert [await outcome(gateway, warm, wish="always") for _ in range(2)] == ["miss", "hit"]
        assert await outcome(gateway, SEED, wish="never") is None
    assert len(provider.received) == 6


async def test_the_settings_of_a_project_come_before_the_general_ones(start_gateway: StartGateway) -> None:
    projects = {"default": {"cache": "auto"}, "shop": {"cache": "off"}}
    async with house(start_gateway, cache={"mode": "off"}, projects=projects) as (gateway, _):
        shop = await gateway.mint(logging={"project_name": "shop"})
        other = await gateway.mint(logging={"project_name": "other"})
        assert [await outcome(gateway, SEED, wish="") for _ in range(2)] == ["miss", "hit"]
        for key in (shop, other):
            assert [await outcome(gateway, SEED, key, "always") for _ in range(2)] == ["bypass", "bypass"]


async def test_credentials_of_one_api_key_share_and_no_projects_and_no_keys_do(
    start_gateway: StartGateway,
) -> None:
    async with house(start_gateway) as (gateway, provider):
        keys = [
            gateway.worker.gateway.admission.gatekeeper._keys.create(name, "mint", "default")[1]
            for name in ("one", "two")
        ]
        in_shop = [await gateway.mint(logging={"project_name": "shop"}) for _ in range(2)]
        in_default = await gateway.mint(logging={"project_name": "default"})
        nowhere = await gateway.mint()
        for first in (ADMIN_KEY, *keys, in_shop[0], nowhere):
            assert await outcome(gateway, SEED, first) == "miss"
        assert await outcome(gateway, SEED, in_shop[1]) == "hit"
        assert await outcome(gateway, SEED, in_default) == "hit"  # as the key that made it
        await stored(gateway, 5)
        for key in (ADMIN_KEY, *keys, *in_shop, in_default, nowhere):
            assert await outcome(gateway, SEED, key) == "hit"
    assert len(provider.received) == 5


async def test_a_credential_of_another_model_gets_nothing_that_is_not_allowed_to_it(
    start_gateway: StartGateway,
) -> None:
    async with house(start_gateway) as (gateway, _):
        assert await outcome(gateway, SEED) == "miss"
        key = await gateway.mint(model="other", logging={"project_name": "default"})
        status, _, headers = await ask(gateway, "chat/completions", SEED, key, x_voxgate_cache="auto")
    assert (status, headers.get("x-voxgate-cache")) == (403, None)


@pytest.mark.parametrize(
    "other",
    [
        {"body": {**SEED, "seed": 8}},
        {"body": {**SEED, "model": "gpt-5-mini"}},
        {"path": "completions"},
        {"headers": {"openai_beta": "x"}},
        {"headers": {"x_voxgate_cache_ttl": "60"}},
    ],
)
async def test_another_request_is_another_answer(start_gateway: StartGateway, other: dict[str, Any]) -> None:
    async with house(start_gateway) as (gateway, provider):
        assert await outcome(gateway, SEED) == "miss"
        path, body = other.get("path", "chat/completions"), other.get("body", SEED)
        _, _, headers = await ask(gateway, path, body, x_voxgate_cache="auto", **other.get("headers", {}))
    assert headers["x-voxgate-cache"] == "miss"
    assert len(provider.received) == 2


async def test_what_lies_in_the_store_shows_nothing(start_gateway: StartGateway, tmp_path: Path) -> None:
    async with house(start_gateway, stream(CHUNK, DONE)) as (gateway, _):
        key = await gateway.mint(logging={"project_name": "secretproject", "text": False})
        assert await outcome(gateway, COLD, key, "always") == "miss"
        [path] = await stored(gateway)
        assert await outcome(gateway, COLD, key, "always") == "hit"
        texts = [one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()]
        names = " ".join(str(one) for one in sealed(gateway))
        blob = path.read_bytes()
    for word in (b"xylophone", b"lighthouse"):
        assert not any(word in text for text in texts)
    assert not any(word in blob for word in (b"delta", b"text/event-stream", b"created_at"))
    assert "gpt" not in names
    assert "secretproject" not in names


async def test_what_somebody_has_changed_in_the_store_is_not_given_to_anybody(
    start_gateway: StartGateway,
) -> None:
    other = {**SEED, "seed": 8}
    async with house(start_gateway) as (gateway, provider):
        assert await outcome(gateway, SEED) == "miss"
        [path] = await stored(gateway)
        await _until(lambda: _counted(gateway, "answers", "stored") == 1)
        whole = path.read_bytes()
        ways = (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], b"\x02" + whole[1:], b"")
        for number, changed in enumerate(ways, start=2):
            path.write_bytes(changed)
            assert await outcome(gateway, SEED) == "miss"
            await _until(lambda number=number: _counted(gateway, "answers", "stored") == number)
        assert await outcome(gateway, other) == "miss"
        [another] = [each for each in await stored(gateway, 2) if each != path]
        another.write_bytes(path.read_bytes())  # a whole answer, to something else
        assert await outcome(gateway, other) == "miss"
    assert len(provider.received) == 7


async def _until(is_so: Any) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.005)


async def test_a_store_that_is_away_makes_misses_and_no_errors(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    async with house(start_gateway) as (gateway, provider):
        (tmp_path / "blobs" / "cache").write_text("no folder")
        assert await outcome(gateway, SEED) == "miss"
        await _until(lambda: _counted(gateway, "answers", "failed") == 1)
        assert await outcome(gateway, SEED) == "miss"
    assert len(provider.received) == 2


async def test_an_answer_that_cannot_be_read_is_a_miss(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as (gateway, provider):
        assert await outcome(gateway, SEED) == "miss"
        await _until(lambda: _counted(gateway, "answers", "stored") == 1)
        [path] = sealed(gateway)
        path.unlink()
        path.mkdir()
        assert await outcome(gateway, SEED) == "miss"
        assert _counted(gateway, "lookups", "late") == 1
    assert len(provider.received) == 2


def _counted(gateway: RunningGateway, what: str, result: str) -> float:
    name = f'voxgate_cache_{what}_total{{result="{result}"}} '
    found = [line for line in gateway.worker.place.text().splitlines() if line.startswith(name)]
    return float(found[0].removeprefix(name)) if found else 0


BROKEN: dict[str, Answering] = {
    "error event": stream(CHUNK, b'data: {"error": {"message": "overloaded"}}\n\n', DONE),
    "no end": stream(CHUNK),
    "error": say(200, {"error": {"message": "no"}}),
    "not json": stream(b'{"choices": [', kind="application/json"),
    "too large": say(200, {"choices": ["x" * 5000]}),
    "refused": say(400, {"error": {"message": "no"}}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_only_whole_answers_are_kept(start_gateway: StartGateway, name: str) -> None:
    async with house(start_gateway, BROKEN[name], cache={"largest_answer_bytes": 4096}) as (
        gateway,
        provider,
    ):
        await ask(gateway, "chat/completions", COLD, x_voxgate_cache="always")
        count = "too_large" if name == "too large" else "unfit"
        await _until(lambda: _counted(gateway, "answers", count) == 1)
        provider.answer = stream(CHUNK, DONE)
        assert [await outcome(gateway, COLD) for _ in range(2)] == ["miss", "hit"]


async def test_a_stream_that_was_cut_is_not_kept(start_gateway: StartGateway) -> None:
    async with house(start_gateway, stream(CHUNK, DONE[:-1], cut=True)) as (gateway, provider):
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(gateway, "chat/completions", COLD, x_voxgate_cache="auto")
        provider.answer = stream(CHUNK, DONE)
        assert await outcome(gateway, COLD) == "miss"


async def test_a_hit_spends_nothing_of_a_budget_and_one_use(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as (gateway, provider):
        key = await gateway.mint(model="gpt-5", max_tokens=13, max_uses=4)
        assert [await outcome(gateway, SEED, key) for _ in range(3)] == ["miss", "hit", "hit"]
        assert await outcome(gateway, {**SEED, "seed": 8}, key) == "miss"
        status, body, _ = await ask(gateway, "chat/completions", SEED, key, x_voxgate_cache="auto")
    assert status in (403, 429), body
    assert len(provider.received) == 2


async def test_words_that_are_not_recorded_are_cached_only_for_who_asks(start_gateway: StartGateway) -> None:
    async with house(start_gateway, cache={"mode": "auto"}) as (gateway, _):
        silent = await gateway.mint(logging={"project_name": "p", "text": False})
        unlogged = await gateway.mint()
        for key in (silent, unlogged):
            assert [await outcome(gateway, SEED, key, "") for _ in range(2)] == [None, None]
            assert [await outcome(gateway, SEED, key, "auto") for _ in range(2)] == ["miss", "hit"]


async def test_a_fresh_answer_takes_the_place_of_the_one_before(start_gateway: StartGateway) -> None:
    async with house(start_gateway, say(200, {"choices": [1]})) as (gateway, provider):
        assert await outcome(gateway, SEED) == "miss"
        provider.answer = say(200, {"choices": [2]})
        assert await outcome(gateway, SEED, wish="refresh") == "miss"
        _, body, headers = await ask(gateway, "chat/completions", SEED, x_voxgate_cache="auto")
    assert (headers["x-voxgate-cache"], json.loads(body)) == ("hit", {"choices": [2]})


@pytest.mark.parametrize(
    "headers", [{"x_voxgate_cache": "yes"}, {"x_voxgate_cache": "auto", "x_voxgate_cache_ttl": "1h"}]
)
async def test_a_wish_that_is_none_is_refused(start_gateway: StartGateway, headers: dict[str, str]) -> None:
    async with house(start_gateway) as (gateway, provider):
        status, body, _ = await ask(gateway, "chat/completions", SEED, **headers)
    assert status == 400
    assert json.loads(body)["error"]["param"].startswith("x-voxgate-cache")
    assert provider.received == []


async def test_a_form_is_the_same_with_another_boundary(start_gateway: StartGateway) -> None:
    def form(boundary: str, sound: bytes) -> tuple[bytes, str]:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nw\r\n--{boundary}\r\n'
        file = (
            'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        )
        body = (head + file).encode() + sound + f"\r\n--{boundary}--\r\n".encode()
        return body, f"multipart/form-data; boundary={boundary}"

    async with house(start_gateway, say(200, {"text": "hi"})) as (gateway, provider):
        told = []
        for boundary, sound, wish in (
            ("aaa", b"\x00sound", "always"),
            ("bbb", b"\x00sound", "always"),
            ("aaa", b"\x00other", "always"),
            ("aaa", b"\x00sound", "auto"),
        ):
            body, kind = form(boundary, sound)
            answer = await ask(gateway, "audio/transcriptions", body, content_type=kind, x_voxgate_cache=wish)
            told.append(answer[2]["x-voxgate-cache"])
    assert told == ["miss", "hit", "miss", "bypass"]
    assert len(provider.received) == 3


async def test_sound_is_answered_again_where_it_is_asked_for(start_gateway: StartGateway) -> None:
    async def speak(received: Received) -> web.StreamResponse:
        return web.Response(body=bytes(range(256)) * 400, content_type="audio/mpeg")

    body = {"model": "tts-1", "input": "Hi", "voice": "alloy"}
    async with house(start_gateway, speak) as (gateway, provider):
        first = await ask(gateway, "audio/speech", body, x_voxgate_cache="always")
        again = await ask(gateway, "audio/speech", body, x_voxgate_cache="always")
    assert (again[2]["x-voxgate-cache"], again[1]) == ("hit", first[1])
    assert again[2]["content-type"] == "audio/mpeg"
    assert len(provider.received) == 1


async def test_what_passes_through_and_what_a_providers_key_asks_is_not_cached(
    start_gateway: StartGateway,
) -> None:
    async with house(start_gateway) as (gateway, provider):
        for _ in range(2):
            _, _, headers = await ask(gateway, "providers/p0/x", SEED, x_voxgate_cache="always")
            assert headers["x-voxgate-cache"] == "bypass"
        assert sealed(gateway) == []
    assert len(provider.received) == 2


async def test_the_log_says_what_the_cache_did_and_names_nobody_as_asked(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as (gateway, _):
        first = await ask(gateway, "chat/completions", SEED, x_voxgate_cache="auto")
        again = await ask(gateway, "chat/completions", SEED, x_voxgate_cache="auto")
        session_id = again[2]["x-voxgate-session-id"]
        records = await gateway.records(session_id)
    facts = [json.loads(record.data) for record in records if record.data.startswith(b'{"type":"gateway.')]
    kinds = [fact["type"] for fact in facts]
    assert "gateway.dialled" not in kinds
    assert "gateway.prices" not in kinds
    [told] = [fact for fact in facts if fact["type"] == "gateway.cache"]
    assert (told["result"], told["answer_of"]) == ("hit", first[2]["x-voxgate-session-id"])
    assert any(b"Hello." in record.data for record in records)  # what the client was answered


async def test_hits_and_misses_are_counted(start_gateway: StartGateway) -> None:
    async with house(start_gateway) as (gateway, _):
        assert [await outcome(gateway, SEED) for _ in range(3)] == ["miss", "hit", "hit"]
        await stored(gateway)
        await _until(lambda: _counted(gateway, "answers", "stored") == 1)
        assert [_counted(gateway, "lookups", result) for result in ("miss", "hit")] == [1, 2]
