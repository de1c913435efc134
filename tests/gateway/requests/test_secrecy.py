"""A provider that quotes the gateway's key does not tell it to a client."""

from __future__ import annotations

import json

import pytest
from tests.gateway.conftest import StartGateway
from tests.gateway.requests.test_passing_on import CHAT, KEY, ask, house, say

from voxgate.gateway.requests.secrecy import masked

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("quoted", [KEY, f"Bearer {KEY}", KEY[:9] + "*" * 20 + KEY[-4:]])
@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_quoted_key_is_asterisks(start_gateway: StartGateway, quoted: str, status: int) -> None:
    said = {"error": {"message": f"Incorrect API key provided: {quoted}. Find yours.", "code": "x"}}
    async with house(start_gateway, say(status, said, x_seen=quoted)) as (gateway, [provider]):
        found, body, headers = await ask(gateway, "chat/completions", CHAT)
        logged = b"".join(record.data for record in await gateway.records())
    assert provider.received[0].headers["authorization"] == f"Bearer {KEY}"
    message = json.loads(body)["error"]["message"]
    assert (found, len(body)) == (status, len(json.dumps(said)))
    assert message.startswith("Incorrect API key provided: ")
    assert message.endswith("*. Find yours.")
    assert KEY not in str(headers)
    for words in (body, logged):
        assert KEY[:9].encode() not in words


async def test_the_words_of_an_answer_stay(start_gateway: StartGateway) -> None:
    said = {"choices": [{"message": {"content": f"You wrote {KEY}."}}]}
    async with house(start_gateway, say(200, said)) as (gateway, _):
        assert json.loads((await ask(gateway, "chat/completions", CHAT))[1]) == said


def test_a_word_that_begins_like_a_short_key_stays() -> None:
    assert masked(b"key and key", "key") == b"key and key"
    assert masked(b"the token-limit", "token-1234567") == b"the token-limit"
