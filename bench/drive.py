"""The load as a process: its orders are an argument, `open` and `go` come on standard input, the result goes
out as a line of JSON.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from bench.compiled import library
from bench.load import DOWN_BURST, DOWN_BYTES, UP_BYTES, Load, Route
from bench.machine import LOAD_CORE, pin_to

_PRIORITY: Final = 1
"""Of the real-time class. The load stands for clients on other machines: it shares its core with the writer
and the recorder of a relay that records, and its own waiting would be counted as the relay's latency."""


def run(orders: dict[str, Any]) -> None:
    load = Load(_route(orders), orders.get("up_bytes", UP_BYTES), orders.get("down_bytes", DOWN_BYTES))
    compiled = orders["compiled"] and library() is not None
    _told("open")
    load.open(orders["calls"], orders.get("burst", DOWN_BURST), _from_cores(orders["relay_cores"]))
    pin_to(LOAD_CORE, [os.getpid()])
    time.sleep(0.5)  # what was opened becomes quiet, so that memory and time are of the load alone
    gc.collect()
    gc.freeze()
    gc.disable()
    print("opened", flush=True)
    _told("go")
    before = time.process_time()
    if orders["kind"] == "saturate":
        load.saturate(orders["seconds"])
    else:
        load.voice(orders["seconds"], compiled=compiled)
    share = (time.process_time() - before) / max(1.0, load.seconds)
    load.settle()
    taken = {"load_share": share, "load_seconds": time.process_time() - before}
    print(json.dumps({**load.result(), **taken, "compiled": compiled}), flush=True)
    _told("close")
    load.close()


def _route(orders: dict[str, Any]) -> Route:
    where = Route(orders["port"], orders["provider"], orders["path"], orders["key"], beta=orders["beta"])
    if not orders.get("certificate"):
        return where
    client = ssl.create_default_context(cafile=orders["certificate"])
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(orders["certificate"], orders["certificate_key"])
    for context in (client, server):  # one version, so that all relays have the same cipher
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    return replace(where, caller_tls=client, provider_tls=server)


def _from_cores(count: int) -> Callable[[], None]:
    """Where a relay has several workers, each on its core, calls come from any of these cores by chance: all
    from one core would be news first to the workers on the others."""
    chance = random.Random(7)

    def move() -> None:
        pin_to(chance.randrange(count), [os.getpid()])

    return move if count > 1 else lambda: None


def _told(word: str) -> None:
    line = sys.stdin.readline()
    if line.strip() != word:
        raise SystemExit(f"expected {word!r}, was told {line!r}")


if __name__ == "__main__":
    pin_to(LOAD_CORE, [os.getpid()])
    ordered = json.loads(sys.argv[1])
    if ordered["first"]:
        with contextlib.suppress(PermissionError):  # then it has to do without
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    run(ordered)
