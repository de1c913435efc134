"""`voxgate keys` from end to end: the commands, a whole Voxgate, and what the keys that they print may do."""

from __future__ import annotations

import re

import aiohttp
import pytest

from tests.cli.commands import Command, Outcome
from tests.running import Voxgate

pytestmark = pytest.mark.anyio


async def status_of(running: Voxgate, key: str, path: str = "/api/sessions") -> int:
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(running.url + path) as answer:
        return answer.status


async def id_of(running: Voxgate, name: str) -> str:
    items = (await running.request("GET", "/api/keys"))["items"]
    key_id: str = next(row["id"] for row in items if row["name"] == name)
    return key_id


async def test_a_key_from_its_making_to_its_end(voxgate: Voxgate) -> None:
    run = Command(voxgate, here=True)
    first = Command(voxgate)("keys", "create", "auditor", "--role", "read", "--expires", "90d").line
    assert first.startswith("vg_")
    assert await status_of(voxgate, first) == 200
    assert await status_of(voxgate, first, "/api/keys") == 403
    key_id = await id_of(voxgate, "auditor")

    rotated = run("keys", "rotate", key_id, "--grace", "2h")
    assert re.search(r"stays good until \d{4}-\d\d-\d\d \d\d:\d\d \(UTC\)", rotated.errors)
    second = rotated.line
    assert [await status_of(voxgate, key) for key in (first, second)] == [200, 200]
    listed = run("keys", "list").output
    assert key_id in listed
    assert "text before until" in listed
    assert first not in listed
    assert second not in listed

    last = run("keys", "rotate", key_id, "--grace", "0")
    assert "good no more" in last.errors
    assert [await status_of(voxgate, key) for key in (first, second, last.line)] == [401, 401, 200]

    assert run("keys", "revoke", key_id).line == f"{key_id} is revoked"
    assert await status_of(voxgate, last.line) == 401
    assert key_id not in run("keys", "list").output

    assert refusal(run("keys", "revoke", key_id)) == f"There is no API key '{key_id}'."
    assert "'soon' is no moment" in refusal(run("keys", "create", "x", "--expires", "soon"))
    assert "in the past" in refusal(run("keys", "create", "x", "--expires", "2020-01-01"))
    assert "'1 day' is no duration" in refusal(run("keys", "rotate", key_id, "--grace", "1 day"))


def refusal(outcome: Outcome) -> str:
    assert outcome.status == 2, outcome
    return outcome.errors.removeprefix("error: ").strip()
