"""`python -m bench.live_page`: what the page of a running call takes of memory while the call goes on. A
whole Voxgate is started, a call through it with a spoken turn each few seconds, and the call's page in a
Chromium without a window, which listens in. Once a minute the page is looked at. All but `process_mb` is
after garbage was collected and the browser was told that memory is short, so that it let go what it could:

  process_mb   the anonymous memory of its process as it was found
  held_mb      and what is left of it
  heap_mb      of its scripts, what is used
  pages_mb     the heap's pages, also where they are not used
  dom_mb       of its documents, sound and drawings, what is used
  buffers_mb   of its array buffers
  nodes        of its documents, also those that are kept and no more shown
  listeners    of events
  cpu_s        of its main thread, since it was opened
  trace_kb     the call's trace as the API sends it (JSON): what the page shows
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import numpy as np

from bench.devtools import DevTools, browsing
from bench.live_call import Answering, Plan, Samples, calling, plan, settings
from voxgate.providers.local.voices import load_hibari
from voxgate.testing.provider import ScriptedProvider
from voxgate.testing.server import Server, running_voxgate

_BUTTON: Final = "document.querySelector('[data-testid=listen]')"
_LISTENS: Final = f"{_BUTTON}?.ariaPressed === 'true'"


@dataclass(frozen=True, slots=True)
class Look:
    """At the page, so many seconds after it was opened."""

    seconds: float
    turns: int
    spans: int
    trace_kb: float
    process_mb: float
    held_mb: float
    heap_mb: float
    pages_mb: float
    dom_mb: float
    buffers_mb: float
    nodes: int
    listeners: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class House:
    """All that runs for a measurement."""

    server: Server
    session_id: str
    answering: Answering
    devtools: DevTools
    renderer: int
    """The process id."""


@asynccontextmanager
async def opened(planned: Plan, tab: str, listen: bool) -> AsyncIterator[House]:
    """A call and its page; all of it ends with the block."""
    answering = Answering(planned)
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(ScriptedProvider(answering))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxgate-live-page-")))
        (folder / "voxgate.toml").write_text(settings(provider))
        server = stack.enter_context(running_voxgate(folder))
        session_id = await stack.enter_async_context(calling(server, planned))
        devtools = await stack.enter_async_context(browsing())
        await devtools.open(f"{server.url}/sessions/{session_id}?tab={tab}#key={server.key}")
        await devtools.until(f"!!{_BUTTON}")
        if listen:
            await devtools.run(f"{_BUTTON}.click()")
            await devtools.until(_LISTENS)
        renderer = await devtools.renderer()
        yield House(server, session_id, answering, devtools, renderer)


def voice() -> Callable[[str], Samples]:
    """The embedded provider's."""
    speak = load_hibari(0)

    def said(text: str) -> Samples:
        return np.clip(speak(text, 1.0) * 32_767, -32_768, 32_767).astype(np.int16)

    return said


async def look(house: House, seconds: float) -> Look:
    process_kb = _anonymous_kb(house.renderer)
    metrics, heap = await house.devtools.let_go()
    spans, trace_bytes = await _trace(house)
    return Look(
        seconds=round(seconds, 1),
        turns=house.answering.turns,
        spans=spans,
        trace_kb=round(trace_bytes / 1000, 1),
        process_mb=round(process_kb / 1024, 1),
        held_mb=round(_anonymous_kb(house.renderer) / 1024, 1),
        heap_mb=round(heap["usedSize"] / 1e6, 3),
        pages_mb=round(heap["totalSize"] / 1e6, 1),
        dom_mb=round(heap["embedderHeapUsedSize"] / 1e6, 2),
        buffers_mb=round(heap["backingStorageSize"] / 1e6, 2),
        nodes=int(metrics["Nodes"]),
        listeners=int(metrics["JSEventListeners"]),
        cpu_s=round(metrics["TaskDuration"], 2),
    )


async def _trace(house: House) -> tuple[int, int]:
    """Spans and bytes."""
    headers = {"Authorization": f"Bearer {house.server.key}"}
    url = f"{house.server.url}/api/sessions/{house.session_id}"
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as answer:
        answer.raise_for_status()
        body = await answer.read()
    return len(json.loads(body)["spans"]), len(body)


def _anonymous_kb(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


async def measure(options: argparse.Namespace) -> list[Look]:
    looks: list[Look] = []
    print(_line(list(Look.__slots__)), flush=True)
    planned = await asyncio.to_thread(lambda: plan(options.every, voice()))
    async with opened(planned, options.tab, options.listen) as house:
        began = time.monotonic()
        last = began + options.minutes * 60
        while True:
            if options.listen:
                # One that has lost the call says nothing of what it takes.
                await house.devtools.until(_LISTENS)
            looks.append(await look(house, time.monotonic() - began))
            print(_line(list(asdict(looks[-1]).values())), flush=True)
            if options.json:
                options.json.write_text(json.dumps([asdict(one) for one in looks], indent=1))
            due = min(last, began + len(looks) * options.look * 60)
            if time.monotonic() >= last:
                return looks
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def _line(cells: list[Any]) -> str:
    return " ".join(f"{cell!s:>11}" for cell in cells)


def growth(looks: list[Look]) -> str:
    """By the second half of the looks: what is made once is made then."""
    half = looks[len(looks) // 2 :]
    turns = half[-1].turns - half[0].turns
    if turns == 0:
        return "too short for what a turn takes"
    heap = (half[-1].heap_mb - half[0].heap_mb) * 1000 / turns
    trace = (half[-1].trace_kb - half[0].trace_kb) / turns
    return f"a turn took {heap:.2f} KB of heap and {trace:.2f} KB of trace in the second half"


async def run(options: argparse.Namespace) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print(growth(await measure(options)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.live_page", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="how long the page is watched [60]")
    parser.add_argument("--every", type=float, default=6.0, help="seconds from turn to turn [6]")
    parser.add_argument("--look", type=float, default=1.0, help="minutes from look to look [1]")
    tabs = ["conversation", "config", "usage", "metrics", "events", "scores"]
    parser.add_argument("--tab", choices=tabs, default=tabs[0], help="which one is open [conversation]")
    parser.add_argument("--no-listen", dest="listen", action="store_false", help="do not listen in")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep every look in this file")
    try:
        asyncio.run(run(parser.parse_args()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("stopped")


if __name__ == "__main__":
    main()
