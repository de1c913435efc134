"""A Chromium without a window, driven over its own protocol. Not through Playwright: that watches the
network, for which the page's process keeps the answers that it has read, and so grows by being watched.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1440,900",
)
_SECONDS: Final = 60.0
_LISTENS: Final = re.compile(r"DevTools listening on (ws://\S+)")
Fields = dict[str, Any]


class BrowserFailed(Exception):
    """With what it said."""


class DevTools:
    """A browser's connection, and one page in it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Fields]] = {}
        self._page = ""

    async def send(self, method: str, *, of_browser: bool = False, **params: Any) -> Fields:
        """To the page, or to the browser. BrowserFailed where it refuses."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        order: Fields = {"id": number, "method": method, "params": params}
        if not of_browser:
            order["sessionId"] = self._page
        await self._socket.send(json.dumps(order))
        try:
            answer = await asyncio.wait_for(self._waiting[number], _SECONDS)
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise BrowserFailed(f"{method}: {answer['error']}")
        result: Fields = answer["result"]
        return result

    async def read(self) -> None:
        """As long as the browser runs."""
        async for message in self._socket:
            told = json.loads(message)
            waiting = self._waiting.get(told.get("id", 0))
            if waiting is not None and not waiting.done():
                waiting.set_result(told)

    async def open(self, url: str) -> None:
        target = await self.send("Target.createTarget", of_browser=True, url="about:blank")
        attach = {"targetId": target["targetId"], "flatten": True}
        self._page = (await self.send("Target.attachToTarget", of_browser=True, **attach))["sessionId"]
        await self.send("Performance.enable")
        await self.send("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """The value of an expression, as if a person had asked for it: what it starts may make a sound."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise BrowserFailed(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Until this expression holds. BrowserFailed when it takes too long."""
        try:
            async with asyncio.timeout(_SECONDS):
                while not await self.run(script):  # noqa: ASYNC110 - the page does not tell
                    await asyncio.sleep(0.1)
        except TimeoutError:
            picture = await self.send("Page.captureScreenshot")
            with tempfile.NamedTemporaryFile(suffix=".png", delete=False) as file:
                file.write(base64.b64decode(picture["data"]))
            raise BrowserFailed(f"it never came so far: {script}; the page is in {file.name}") from None

    async def let_go(self) -> tuple[dict[str, float], Fields]:
        """The page's metrics and its heap's usage in bytes, after garbage was collected and memory was said
        to be short."""
        await self.send("Memory.simulatePressureNotification", level="critical")
        for _ in range(2):  # what the first one finalises is collected by the second
            await self.send("HeapProfiler.collectGarbage")
        told = await self.send("Performance.getMetrics")
        heap = await self.send("Runtime.getHeapUsage")
        return {one["name"]: one["value"] for one in told["metrics"]}, heap

    async def renderer(self) -> int:
        """The process id of the page's: the one that works when the page does. The browser has others."""
        before = await self._worked()
        await self.run("{ const end = performance.now() + 500; while (performance.now() < end); }")
        after = await self._worked()
        return max(after, key=lambda process_id: after[process_id] - before.get(process_id, 0.0))

    async def _worked(self) -> dict[int, float]:
        """Seconds of processor time of each renderer."""
        told = await self.send("SystemInfo.getProcessInfo", of_browser=True)
        return {one["id"]: one["cpuTime"] for one in told["processInfo"] if one["type"] == "renderer"}


@asynccontextmanager
async def browsing() -> AsyncIterator[DevTools]:
    """A Chromium, which ends with the block."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise BrowserFailed("needs a Chromium on the PATH (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, *FLAGS, f"--user-data-dir={profile}", stderr=asyncio.subprocess.PIPE
        )
        try:
            address = await asyncio.wait_for(_address(process), _SECONDS)
            async with connect(address, max_size=None, compression=None, ping_interval=None) as socket:
                devtools = DevTools(socket)
                reading = [asyncio.create_task(devtools.read()), asyncio.create_task(_drained(process))]
                yield devtools
                with suppress(BrowserFailed, TimeoutError):
                    await devtools.send("Browser.close", of_browser=True)
                for task in reading:
                    task.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = ""
    async for line in process.stderr:
        said += line.decode(errors="replace")
        if found := _LISTENS.search(said):
            return found[1]
    raise BrowserFailed(said)


async def _drained(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    async for _ in process.stderr:
        pass
