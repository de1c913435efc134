"""The load as a process: `open` and `go` come on standard input, the result goes out as a line of JSON."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from typing import Any

import uvloop

from bench.load import Load


async def run(orders: dict[str, Any]) -> None:
    load = Load(orders["provider"], orders["port"], orders["path"], orders["key"])
    load.up_bytes = orders.get("up_bytes", load.up_bytes)
    load.down_bytes = orders.get("down_bytes", load.down_bytes)
    await load.start()
    await _told("open")
    await load.open(orders["calls"])
    await asyncio.sleep(0.5)  # what was opened becomes quiet, so that memory and time are of the load alone
    gc.collect()
    gc.disable()
    print("opened", flush=True)
    await _told("go")
    await (load.saturate if orders["kind"] == "saturate" else load.voice)(orders["seconds"])
    await load.settle()
    print(json.dumps(load.result()), flush=True)
    load.close()


async def _told(word: str) -> None:
    line = await asyncio.to_thread(sys.stdin.readline)
    if line.strip() != word:
        raise SystemExit(f"expected {word!r}, was told {line!r}")


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(run(json.loads(sys.argv[1])))
