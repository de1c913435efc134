"""Secrets planted wherever they may stand in a call, over a whole running Voxgate; then every file of its
data folder is searched, every row of its database, and what its processes have said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.running import Voxgate, none_left_running, start_voxgate
from voxgate.core.errors import NotFound
from voxgate.recording.reading import read_lines
from voxgate.store import FolderBlobs
from voxgate.testing.provider import ScriptedProvider, Upstreamed

pytestmark = pytest.mark.anyio

HOUSE_KEY = "0f3c9a7e5b1d4468house9e21"
"""No look by which one could know it for a key."""
FILE_KEY = "9b1e77c2d4f04aa3file5c60"


@pytest.fixture
def anyio_backend() -> str:
    """The gateway is a process of its own."""
    return "asyncio"


class Secrets:
    """New ones, each with the place where it was planted."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {HOUSE_KEY: "the provider's key", FILE_KEY: "another provider's key"}

    def __call__(self, place: str, look: str = "") -> str:
        secret = f"{look}S3CR3T{len(self.places):03}x7Qv9"
        self.places[secret] = place
        return secret


def tools(plant: Secrets, where: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "mcp",
            "server_label": "shop",
            "server_url": "https://mcp.example",
            "headers": {"X-Key": plant(f"MCP headers of {where}")},
            "authorization": plant(f"MCP authorization of {where}"),
        }
    ]


def arguments(plant: Secrets, where: str) -> str:
    names = ("password", "api_key", "token", "authorization", "client_secret", "Session-Cookie")
    inner = json.dumps({"access_token": plant(f"JSON text in arguments of {where}")})
    shown = {name: plant(f"{name} in arguments of {where}") for name in names}
    return json.dumps(
        {"city": "Bern", **shown, "deep": [{"PASSWORD": [plant(f"a list of {where}")]}], "body": inner}
    )


def service(plant: Secrets) -> Any:
    async def serve(call: Upstreamed) -> None:
        session: dict[str, Any] = {"type": "realtime", "model": "m"}
        await tell(call, "session.created", session=session)
        async for message in call:
            event = json.loads(message)
            if event["type"] == "session.update":
                await tell(call, "session.updated", session={**session, **event["session"]})
            if event["type"] == "response.create":
                await answer(call, plant)
                await call.socket.close(1000, f"goodbye {plant('a close reason', 'sk-')}")
                return

    return serve


async def tell(call: Upstreamed, kind: str, **event: Any) -> None:
    await call.send(json.dumps({"type": kind, "event_id": "e", **event}))


async def answer(call: Upstreamed, plant: Secrets) -> None:
    names = {"response_id": "r", "item_id": "i", "output_index": 0, "call_id": "c"}
    text = arguments(plant, "a call")
    item = {"id": "i", "type": "function_call", "call_id": "c", "name": "book", "arguments": text}
    await tell(call, "response.created", response={"id": "r", "tools": tools(plant, "a response")})
    for at in range(0, len(text), 5):
        await tell(call, "response.function_call_arguments.delta", delta=text[at : at + 5], **names)
    await tell(call, "response.function_call_arguments.done", arguments=text, name="book", **names)
    await tell(call, "conversation.item.done", item=item)
    await tell(call, "response.output_item.done", item=item, response_id="r")
    await tell(call, "response.done", response={"id": "r", "status": "completed", "output": [item]})
    seen = call.header("authorization") or ""
    error = {
        "type": "invalid_request_error",
        "message": f"Incorrect API key: {seen}; {plant('an error', 'sk-')}",
    }
    await tell(call, "error", error={**error, "code": plant("an error's code", "ek_")})


async def talk(voxgate: Voxgate, key: str, plant: Secrets, *, subprotocol: bool, model: str = "fake") -> None:
    """A call with something in every place."""
    query = f"?model={model}&access_token={plant('the query')}&x={plant('an unknown parameter')}"
    headers = {
        "Cookie": f"session={plant('a cookie')}",
        "X-Auth-Token": plant("a header"),
        "Proxy-Authorization": f"Basic {plant('a header for proxies')}",
        "Referer": f"https://shop.example/?token={plant('the referer')}",
    }
    protocols: Any = ["realtime", f"openai-insecure-api-key.{key}"] if subprotocol else None
    own = {} if subprotocol else {"Authorization": f"Bearer {key}"}
    try:
        async with connect(
            voxgate.ws_url + query, additional_headers=headers | own, subprotocols=protocols, proxy=None
        ) as socket:
            for event in events(plant):
                await socket.send(json.dumps(event))
            async for _ in socket:
                pass
    except ConnectionClosed:
        pass


def events(plant: Secrets) -> Iterator[dict[str, Any]]:
    yield {"type": "session.update", "session": {"type": "realtime", "tools": tools(plant, "session.update")}}
    output = json.dumps({"ok": True, "refresh_token": plant("a tool's result")})
    item = {"type": "function_call_output", "call_id": "c0", "output": output}
    yield {"type": "conversation.item.create", "item": item}
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": arguments(plant, "an item")}
    yield {"type": "conversation.item.create", "item": call}
    yield {"type": "response.create", "response": {"tools": tools(plant, "response.create")}}


def rows(path: Path) -> str:
    with sqlite3.connect(path) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return "\n".join(repr(row) for name in names for row in database.execute(f'SELECT * FROM "{name}"'))


def kept(voxgate: Voxgate) -> dict[str, str]:
    """By where it is: all files, all rows, all event logs as they come back, and the output."""
    folder = voxgate.data_dir
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "voxgate.toml"]
    found: dict[str, str] = {}
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # it is just being put away
            found[str(path.relative_to(folder))] = path.read_bytes().decode("latin-1")
    blobs = FolderBlobs(folder / "blobs")
    for name in {key.split("/")[1] for key in blobs.list("sessions/")}:
        try:
            found[f"the log of {name}"] = b"".join(read_lines(blobs, f"sessions/{name}")).decode()
        except NotFound:
            continue
    return found | {"rows": rows(folder / "voxgate.db"), "output": "".join(voxgate.output)}


async def test_no_secret_of_a_call_is_in_any_file_row_or_line_of_output(tmp_path: Path) -> None:
    plant = Secrets()
    refusal = json.dumps({"error": {"message": f"Incorrect API key provided: {FILE_KEY}"}})
    async with (
        ScriptedProvider(service(plant)) as provider,
        ScriptedProvider(refuse_status=401, refuse_body=refusal) as refusing,
    ):
        config = tmp_path / "voxgate.toml"
        config.write_text(
            f'[providers.house]\nbase_url = "{provider.base_url}"\napi_key_env = "HOUSE_KEY"\n'
            f'[providers.strict]\nbase_url = "{refusing.base_url}"\napi_key = "{FILE_KEY}"\n'
            '[[routes]]\nmodel = "fake"\nproviders = ["house"]\n'
            '[[routes]]\nmodel = "refused"\nproviders = ["strict"]\n'
        )
        admin = plant("the admin key", "vg_")
        environ = {"HOUSE_KEY": HOUSE_KEY, "VOXGATE_API_KEY": admin}
        with none_left_running():
            voxgate = start_voxgate(tmp_path, "--config", str(config), environ=environ, local=False)
            session = {"type": "realtime", "tools": tools(plant, "a credential")}
            minted = await voxgate.mint(session=session, logging={"project_name": "shop"})
            plant.places[minted["key"]] = "a temporary credential"
            await talk(voxgate, minted["key"], plant, subprotocol=True)
            await talk(voxgate, admin, plant, subprotocol=False)
            await talk(voxgate, admin, plant, subprotocol=False, model="refused")
            await wait_for_sessions(voxgate, 3)
            everything = kept(voxgate)
            assert voxgate.stop() == 0
            everything |= {f"{name}, afterwards": text for name, text in kept(voxgate).items()}
    assert len(provider.calls) == 2
    assert provider.calls[0].header("authorization") == f"Bearer {HOUSE_KEY}"
    assert "Bern" in "".join(everything.values())
    assert len(plant.places) > 60
    leaks = {
        (place, where)
        for secret, place in plant.places.items()
        for where, text in everything.items()
        if secret in text
    }
    assert not leaks, sorted(leaks)


async def wait_for_sessions(voxgate: Voxgate, count: int) -> None:
    """Until all traces are complete, and nothing waits in wire logs."""
    async with asyncio.timeout(90):
        while True:
            items = (await voxgate.request("GET", "/api/sessions"))["items"]
            left = list((voxgate.data_dir / "wire").rglob("*.vgw"))
            if len(items) == count and not left and all(item["status"] != "live" for item in items):
                return
            await asyncio.sleep(0.1)
