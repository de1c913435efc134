"""Programs of clients in Chromium, on a page of an origin that is not Voxgate's."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from playwright.async_api import Browser as Chromium
from playwright.async_api import Error, Playwright, async_playwright

from tests.browsers import CHROMIUM_FLAGS
from tests.clients.matrix.environments import JAVASCRIPT
from tests.clients.matrix.python.talk import MARK
from tests.clients.matrix.roster import Client

_PAGE: Final = '<!doctype html><title>app</title><script type="importmap">{importmap}</script>'
_RUN: Final = """async ({ program, variant, order, speech }) => {
  const { account } = await import("/account.mjs");
  const question = Uint8Array.from(atob(speech), (letter) => letter.charCodeAt(0));
  return account(program, { ...order, speech: question }, ...variant);
}"""


class Browser:
    def __init__(self) -> None:
        self._path = shutil.which("chromium")
        self._playwright: Playwright | None = None
        self._chromium: Chromium | None = None
        self._site: web.AppRunner | None = None
        self.version = ""

    @property
    def is_here(self) -> bool:
        return self._path is not None

    async def start(self) -> None:
        site = web.Application()
        site.add_routes([web.get("/page/{folder}", _page), web.static("/", JAVASCRIPT)])
        self._site = web.AppRunner(site)
        await self._site.setup()
        await web.TCPSite(self._site, "127.0.0.1", 0).start()
        self._playwright = await async_playwright().start()
        # The certificate of the run is of its own making.
        flags = [*CHROMIUM_FLAGS, "--ignore-certificate-errors"]
        self._chromium = await self._playwright.chromium.launch(executable_path=self._path, args=flags)
        self.version = self._chromium.version.split(".")[0]

    async def stop(self) -> None:
        if self._chromium is not None:
            await self._chromium.close()
        if self._playwright is not None:
            await self._playwright.stop()
        if self._site is not None:
            await self._site.cleanup()

    async def run(self, client: Client, env: dict[str, str], seconds: float) -> str:
        assert self._chromium is not None
        assert self._site is not None
        program, *variant = client.program
        order = {
            "url": env["CLIENT_URL"],
            "key": env["CLIENT_KEY"],
            "model": env["CLIENT_MODEL"],
            "whole": env["CLIENT_SAYS"] == "all",
        }
        speech = base64.b64encode(Path(env["CLIENT_SPEECH"]).read_bytes()).decode()
        folder = client.environment or "browser"
        wanted = {"program": f"/{folder}/{program}", "variant": variant, "order": order, "speech": speech}
        page = await self._chromium.new_page()
        try:
            port = self._site.addresses[0][1]
            await page.goto(f"http://localhost:{port}/page/{folder}")
            given: Any = await asyncio.wait_for(page.evaluate(_RUN, wanted), seconds)
        except (Error, TimeoutError) as error:
            return repr(error)
        finally:
            await page.close()
        return MARK + json.dumps(given)


async def _page(request: web.Request) -> web.Response:
    importmap = (JAVASCRIPT / request.match_info["folder"] / "importmap.json").read_text()
    return web.Response(text=_PAGE.format(importmap=importmap), content_type="text/html")
