"""What was revoked starts no call, not even one that is being opened just then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve

from tests.gateway.conftest import ADMIN_KEY, ON_UVLOOP, RunningGateway, StartGateway
from tests.gateway.limited import call_of, end_of, refusal_of, until, works
from voxgate.server import follow_signals
from voxgate.testing.provider import ScriptedProvider

pytestmark = [pytest.mark.anyio, ON_UVLOOP]

REVOKED = ("invalid_api_key", 3000, "invalid_request_error.invalid_api_key")
ENDED = ("session_ended", 4001, "invalid_request_error.session_ended")


class HesitantProvider:
    """Takes connections and answers their upgrade when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.opened = 0
        self.may_answer = asyncio.Event()

    async def _hold(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked += 1
        await self.may_answer.wait()
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        self.opened += 1
        await connection.wait_closed()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with serve(self._talk, "127.0.0.1", 0, process_request=self._hold) as server:
            yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1"


@contextlib.asynccontextmanager
async def following(gateway: RunningGateway) -> AsyncIterator[None]:
    """As a worker process does."""
    follower = follow_signals(gateway.worker)
    try:
        yield
    finally:
        await follower.stop()


async def delete(gateway: RunningGateway, path: str, status: int = 200) -> Any:
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    url = f"http://127.0.0.1:{gateway.port}{path}"
    async with gateway.http.delete(url, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def a_credential(gateway: RunningGateway, by: str = ADMIN_KEY) -> tuple[str, str]:
    """Its id and its key."""
    _, made = await gateway.post("/v1/credentials", {"model": "fake"}, key=by)
    return made["id"], made["key"]


async def an_api_key(gateway: RunningGateway, role: str = "mint", **body: Any) -> tuple[str, str]:
    _, made = await gateway.post("/api/keys", {"name": "backend", "role": role, **body})
    return made["id"], made["key"]


def ending(answer: tuple[dict[str, Any], int | None, str | None]) -> tuple[str, int | None, str | None]:
    error, code, reason = answer
    return error["code"], code, reason


@pytest.mark.parametrize("kind", ["credential", "API key", "credential by its API key"])
async def test_a_call_that_is_being_opened_is_refused(start_gateway: StartGateway, kind: str) -> None:
    provider = HesitantProvider()
    async with provider.serving() as url, start_gateway(url) as gateway, following(gateway):
        key_id, raw = await an_api_key(gateway)
        credential_id, temporary = await a_credential(gateway, by=raw)
        opening = asyncio.create_task(refusal_of(gateway, raw if kind == "API key" else temporary))
        await until(lambda: provider.asked)
        if kind == "credential":
            await delete(gateway, f"/v1/credentials/{credential_id}")
        else:
            await delete(gateway, f"/api/keys/{key_id}?credentials=true")
        known = key_id if kind == "API key" else credential_id
        await until(lambda: known in gateway.worker.revoked)
        provider.may_answer.set()
        assert await opening == REVOKED
        assert not gateway.worker.gateway.calls.running


@pytest.mark.parametrize("end_sessions", [False, True])
async def test_running_calls_of_a_revoked_credential_end_if_asked_to(
    start_gateway: StartGateway, end_sessions: bool
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with following(gateway):
            credential_id, key = await a_credential(gateway)
            _, other = await a_credential(gateway)
            async with call_of(gateway, key) as call, call_of(gateway, other) as bystander:
                await works(call)
                query = f"?end_sessions={str(end_sessions).lower()}"
                await delete(gateway, f"/v1/credentials/{credential_id}{query}")
                if end_sessions:
                    assert ending(await end_of(call)) == ENDED
                else:
                    await until(lambda: credential_id in gateway.worker.revoked)
                    await works(call)
                assert await refusal_of(gateway, key) == REVOKED
                await works(bystander)


async def test_a_doubtful_wish_to_end_sessions_is_refused_and_revokes_nothing(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as gateway:
        credential_id, _ = await a_credential(gateway)
        answer = await delete(gateway, f"/v1/credentials/{credential_id}?end_sessions=yes", status=400)
        assert answer["error"]["param"] == "end_sessions"
        _, shown = await gateway.get(f"/v1/credentials/{credential_id}")
        assert shown["revoked_at"] is None


@pytest.mark.parametrize("credentials", [False, True])
@pytest.mark.parametrize("end_sessions", [False, True])
async def test_what_a_revoked_api_key_takes_along(
    start_gateway: StartGateway, credentials: bool, end_sessions: bool
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        async with following(gateway):
            key_id, raw = await an_api_key(gateway)
            credential_id, temporary = await a_credential(gateway, by=raw)
            async with call_of(gateway, raw) as own, call_of(gateway, temporary) as users:
                await works(own)
                await works(users)
                query = f"credentials={credentials}&end_sessions={end_sessions}".lower()
                await delete(gateway, f"/api/keys/{key_id}?{query}")
                expected = {key_id, credential_id} if credentials else {key_id}
                await until(lambda: gateway.worker.revoked == expected)
                assert await refusal_of(gateway, raw) == REVOKED
                assert (ending(await end_of(own)) == ENDED) if end_sessions else not await works(own)
                if credentials:
                    assert await refusal_of(gateway, temporary) == REVOKED
                else:
                    async with call_of(gateway, temporary) as another:
                        await works(another)
                gone = credentials and end_sessions
                assert (ending(await end_of(users)) == ENDED) if gone else not await works(users)
            _, shown = await gateway.get(f"/v1/credentials/{credential_id}")
            assert bool(shown["revoked_at"]) is credentials


async def test_a_key_of_a_project_sees_and_revokes_what_it_made_and_nothing_of_others(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as gateway:
        _, shop = await an_api_key(gateway, project="shop")
        _, other = await an_api_key(gateway, project="other")
        credential_id, _ = await a_credential(gateway, by=shop)  # not recorded, so in no project itself
        for key, status in ((shop, 200), (other, 404)):
            assert (await gateway.get(f"/v1/credentials/{credential_id}", key=key))[0] == status
            listed = (await gateway.get("/v1/credentials", key=key))[1]["items"]
            assert [row["id"] for row in listed] == ([credential_id] if status == 200 else [])
