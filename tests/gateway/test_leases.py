"""How many calls a worker, a key and a credential may have at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.conftest import ADMIN_KEY, RunningGateway, StartGateway
from tests.gateway.limited import call_of, end_of, metric, refusal_of, until, works
from voxgate.core import clock
from voxgate.gateway import leases, limits
from voxgate.testing.provider import ScriptedProvider

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One event loop is enough: nothing here depends on its transports."""
    return "asyncio", {"use_uvloop": True}


async def test_a_full_worker_takes_no_more_calls_until_one_ends(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"calls_per_worker": 2}) as gateway,
        call_of(gateway) as first,
    ):
        async with call_of(gateway) as second:
            await works(second)
            assert await refusal_of(gateway) == ("overloaded", 1013, "server_error.overloaded")
            await works(first)
            assert len(provider.calls) == 2
        await until(lambda: gateway.worker.gateway.calls.running == 1)
        async with call_of(gateway) as third:
            await works(third)
        assert await metric(gateway, "voxgate_calls_refused_total", "overloaded") == 1


async def test_calls_that_are_being_opened_count_too(start_gateway: StartGateway) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, start_gateway(f"http://127.0.0.1:{port}", limits={"calls_per_worker": 1}) as gateway:
        opening = asyncio.ensure_future(call_of(gateway).__aenter__())
        await until(lambda: gateway.worker.gateway.calls.being_opened)
        assert (await refusal_of(gateway))[0] == "overloaded"
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)


def test_a_worker_takes_no_more_calls_than_it_may_open_files_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _: (1024, 4096))
    assert limits.most_calls(limits.LimitSettings()) == 461
    assert limits.most_calls(limits.LimitSettings(calls_per_worker=5)) == 5


async def test_an_api_key_has_so_many_calls_at_once_and_others_have_theirs(
    start_gateway: StartGateway,
) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"calls_per_api_key": 1}) as gateway,
    ):
        keys = gateway.worker.gateway.admission.gatekeeper._keys
        _, other = keys.create("other", "connect")
        async with call_of(gateway) as first, call_of(gateway, other) as second:
            for key in (ADMIN_KEY, other):
                code = await refusal_of(gateway, key)
                assert code == ("too_many_calls", 4029, "rate_limit_error.too_many_calls")
            credential = await gateway.mint()
            async with call_of(gateway, credential) as third:
                for socket in (first, second, third):
                    await works(socket)
        async with call_of(gateway) as again:
            await works(again)
        assert len(provider.calls) == 4


async def test_each_providers_own_key_has_its_calls(start_gateway: StartGateway) -> None:
    async with ScriptedProvider() as provider:
        providers = {"own": {"base_url": provider.base_url, "accepts_client_keys": True}}
        routes = [{"model": "fake", "providers": ["own"]}]
        settings = {"providers": providers, "routes": routes, "limits": {"calls_per_api_key": 1}}
        async with start_gateway(**settings) as gateway:
            async with call_of(gateway, "sk-first"), call_of(gateway, "sk-second") as second:
                await works(second)
                assert (await refusal_of(gateway, "sk-first"))[0] == "too_many_calls"
            database = (gateway.worker.settings.data_dir / "voxgate.db-wal").read_bytes()
            assert b"provider_key:" in database
            assert b"sk-first" not in database


async def test_a_refused_call_too_many_leaves_its_trace(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"calls_per_credential": 1}) as gateway,
    ):
        key = await gateway.mint(logging={"project_name": "shop"})
        async with call_of(gateway, key), call_of(gateway, key) as second:
            assert second.response is not None
            session_id = second.response.headers["x-voxgate-session-id"]
            assert (await end_of(second))[1] == 4029
            records = await gateway.records(session_id)
            facts = [json.loads(record.data) for record in records]
            assert [fact["type"] for fact in facts] == ["gateway.opened", "gateway.error", "gateway.closed"]


async def test_a_credential_with_max_concurrent_has_so_many_calls_at_once(
    start_gateway: StartGateway,
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        key = await gateway.mint(max_concurrent=2)
        for _ in range(3):  # what ended is given back
            async with call_of(gateway, key) as first, call_of(gateway, key) as second:
                await works(first)
                await works(second)
                assert (await refusal_of(gateway, key))[:2] == ("too_many_calls", 4029)


async def test_the_settings_bound_what_a_credential_may_ask_for(start_gateway: StartGateway) -> None:
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"calls_per_credential": 1}) as gateway,
    ):
        key = await gateway.mint(max_concurrent=5)
        async with call_of(gateway, key):
            assert (await refusal_of(gateway, key))[0] == "too_many_calls"


async def test_a_call_whose_provider_does_not_answer_gives_back_what_it_took(
    start_gateway: StartGateway,
) -> None:
    async with (
        ScriptedProvider(refuse_status=500) as provider,
        start_gateway(provider.base_url, limits={"calls_per_api_key": 1}) as gateway,
    ):
        for _ in range(2):
            assert (await refusal_of(gateway))[0] == "upstream_refused"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_concurrent", 0),
        ("max_concurrent", "2"),
        ("max_session_seconds", 0),
        ("max_session_seconds", 1.5),
    ],
)
async def test_wrong_scopes_are_named(start_gateway: StartGateway, field: str, value: Any) -> None:
    async with start_gateway() as gateway:
        status, answer = await gateway.post("/v1/credentials", {"model": "fake", field: value})
        assert (status, answer["error"]["param"]) == (400, field)


async def test_the_scopes_of_a_credential_are_shown(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        scopes = {"max_concurrent": 3, "max_session_seconds": 90}
        _, minted = await gateway.post("/v1/credentials", {"model": "fake", **scopes})
        _, shown = await gateway.get(f"/v1/credentials/{minted['id']}")
        for answer in (minted, shown):
            assert {name: answer[name] for name in scopes} == scopes


# When the database is away


@contextlib.contextmanager
def locked_database(gateway: RunningGateway) -> Iterator[None]:
    other = sqlite3.connect(gateway.worker.settings.data_dir / "voxgate.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def test_a_database_that_is_away_lets_the_settings_limits_wait_and_refuses_where_a_credential_has_one(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leases, "_WAIT_SECONDS", 0.1)
    settings = {"calls_per_credential": 1, "calls_per_api_key": 1}
    async with ScriptedProvider() as provider, start_gateway(provider.base_url, limits=settings) as gateway:
        plain = await gateway.mint()
        limited = await gateway.mint(max_concurrent=1)
        with locked_database(gateway):
            async with call_of(gateway, plain) as first, call_of(gateway, plain) as second:
                await works(first)
                await works(second)
                assert await refusal_of(gateway, limited) == (
                    "limit_unknown", 1013, "server_error.limit_unknown",
                )  # fmt: skip
        assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
            "running calls cannot be counted now: TimeoutError"
        ]
        async with call_of(gateway, limited) as third:
            await works(third)
            assert (await refusal_of(gateway, limited))[0] == "too_many_calls"


async def test_a_call_without_such_a_limit_does_not_ask_the_database(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedProvider() as provider, start_gateway(provider.base_url) as gateway:
        with sqlite3.connect(gateway.worker.settings.data_dir / "voxgate.db") as other:
            other.execute("DROP TABLE leases")
        key = await gateway.mint()
        async with call_of(gateway, key) as first, call_of(gateway) as second:
            await works(first)
            await works(second)
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
        limited = await gateway.mint(max_concurrent=1)
        assert (await refusal_of(gateway, limited))[0] == "limit_unknown"


async def test_the_lease_of_a_running_call_is_refreshed(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(limits, "_SWEEPS_PER_REFRESH", 1)
    async with (
        ScriptedProvider() as provider,
        start_gateway(provider.base_url, limits={"calls_per_api_key": 1}) as gateway,
        call_of(gateway) as socket,
    ):
        start = clock.unix_seconds()
        with contextlib.closing(sqlite3.connect(gateway.worker.settings.data_dir / "voxgate.db")) as other:
            for later in (15, 30, 45):  # a lease lasts 20 s
                monkeypatch.setattr(clock, "unix_seconds", lambda now=start + later: now)
                await until(
                    lambda end=start + later + 20: (
                        other.execute("SELECT expires_at FROM leases").fetchall() == [(end,)]
                    )
                )
        assert (await refusal_of(gateway))[0] == "too_many_calls"
        await works(socket)
