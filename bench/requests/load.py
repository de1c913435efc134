"""The load: requests over connections that stay open, as fast as they are answered or at a pace, and each
answer compared with what the provider sends. Its orders are an argument of the process, its result a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

from bench.machine import LOAD_CORE, pin_to
from bench.requests import bodies

_PRIORITY: Final = 1
"""Of the real-time class, as in `bench.drive`: the load stands for clients on other machines."""
_ANSWER_SECONDS: Final = 60.0
_SHOWN_BYTES: Final = 200
_READ_BYTES: Final = 1 << 18


class Broken(Exception):
    """An answer that is none."""


@dataclass
class Tally:
    whole_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    """To the first byte of the body."""
    late_ms: list[float] = field(default_factory=list)
    """How much later than planned it was sent."""
    found: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    said: str = ""
    """Of an answer that is not what was sent, or that there was none."""

    def result(self) -> dict[str, Any]:
        return {
            "requests": len(self.whole_ms) + self.failed,
            "lost": self.failed,
            **{name: self.found.get(name, 0) for name in ("unchanged", "anew", "wrong")},
            "said": self.said,
            **_percentiles("", self.whole_ms),
            **_percentiles("first_", self.first_ms),
            "late_p99_ms": _at(sorted(self.late_ms), 0.99),
        }


def _percentiles(name: str, values: list[float]) -> dict[str, float | None]:
    ordered = sorted(values)
    return {f"{name}p50_ms": _at(ordered, 0.5), f"{name}p99_ms": _at(ordered, 0.99)}


def _at(ordered: list[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


class Asker:
    """One connection."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> tuple[bytes, float, float]:
        """The body, and after how many ms it began and was whole."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=_READ_BYTES)
        reader, writer = self._streams
        began = time.perf_counter()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        raw = await reader.read(_READ_BYTES)
        first = time.perf_counter()
        size, is_chunked = _length(head), b"transfer-encoding: chunked" in head
        while len(raw) < size or (is_chunked and not raw.endswith(b"0\r\n\r\n")):
            if not (more := await reader.read(_READ_BYTES)):
                raise Broken(f"it broke off behind {raw[-_SHOWN_BYTES:]!r}")
            raw += more
        whole = time.perf_counter()
        body = _joined(raw) if is_chunked else raw
        if not head.startswith(b"http/1.1 200 "):
            raise Broken(f"it answered {head[9:12].decode()}: {body[:_SHOWN_BYTES]!r}")
        if b"connection: close" in head:
            self.close()
        return body, (first - began) * 1000, (whole - began) * 1000

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _length(head: bytes) -> int:
    at = head.find(b"content-length:")
    return int(head[at + 15 : head.find(b"\r\n", at)]) if at >= 0 else 0


def _joined(raw: bytes) -> bytes:
    """What is in the chunks."""
    pieces, at = [], 0
    while size := int(raw[at : (end := raw.index(b"\r\n", at))].partition(b";")[0], 16):
        pieces.append(raw[end + 2 : end + 2 + size])
        at = end + 4 + size
    return b"".join(pieces)


class Load:
    def __init__(self, orders: dict[str, Any]) -> None:
        self._orders = orders
        self._streams: bool = orders["streams"]
        body = bodies.question(streams=self._streams)
        told = {
            "host": "127.0.0.1",
            "content-type": "application/json",
            "authorization": f"Bearer {orders['key']}",
            "content-length": str(len(body)),
            **orders.get("headers", {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._request = f"POST {bodies.PATH} HTTP/1.1\r\n{head}\r\n".encode() + body
        self.tally = Tally()

    def _asker(self) -> Asker:
        return Asker(self._orders["port"], self._request)

    async def _ask(self, asker: Asker) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                body, first, whole = await asker.ask()
        except (OSError, ValueError, TimeoutError, Broken, asyncio.IncompleteReadError) as error:
            self.tally.failed += 1
            self.tally.said = self.tally.said or f"{type(error).__name__}: {error}"
            asker.close()
            return
        found = bodies.of_answer(body, streams=self._streams)
        self.tally.found[found] = self.tally.found.get(found, 0) + 1
        if found == "wrong":
            self.tally.said = self.tally.said or repr(body[:_SHOWN_BYTES])
        self.tally.first_ms.append(first)
        self.tally.whole_ms.append(whole)

    async def saturate(self, at_once: int, count: int) -> None:
        """So many requests, so many of them under way."""

        async def one_after_the_other(times: int) -> None:
            asker = self._asker()
            for _ in range(times):
                await self._ask(asker)
            asker.close()

        share, more = divmod(count, at_once)
        await asyncio.gather(*(one_after_the_other(share + (n < more)) for n in range(at_once)))

    async def pace(self, rate: float, seconds: float) -> None:
        """Each at its moment, whether the others are answered or not."""
        chance, idle, all_askers = random.Random(7), list[Asker](), list[Asker]()
        begin = time.perf_counter() + 0.05

        async def at(due: float) -> None:
            if not idle:
                all_askers.append(self._asker())
                idle.append(all_askers[-1])
            asker = idle.pop()
            self.tally.late_ms.append((time.perf_counter() - due) * 1000)
            await self._ask(asker)
            idle.append(asker)

        asked = []
        for number in range(int(rate * seconds)):
            due = begin + (number + chance.random()) / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(at(due)))
        await asyncio.gather(*asked)
        for asker in all_askers:
            asker.close()


async def run(orders: dict[str, Any]) -> dict[str, Any]:
    load = Load(orders)
    await load.saturate(min(8, orders["warm"]), orders["warm"])
    load.tally = Tally()
    print("warm", flush=True)
    sys.stdin.readline()
    gc.collect()
    gc.freeze()
    gc.disable()
    cpu, began = time.process_time(), time.perf_counter()
    if orders["rate"] is None:
        await load.saturate(orders["at_once"], orders["count"])
    else:
        await load.pace(orders["rate"], orders["seconds"])
    seconds, taken = time.perf_counter() - began, time.process_time() - cpu
    return {**load.tally.result(), "seconds": seconds, "load_seconds": taken, "load_share": taken / seconds}


if __name__ == "__main__":
    pin_to(LOAD_CORE, [os.getpid()])
    ordered = json.loads(sys.argv[1])
    paced = ordered["rate"] is not None
    policy = (
        os.SCHED_FIFO if paced else os.SCHED_OTHER
    )  # at full speed the recorder must have its part of the core
    for each in (0, ordered["provider_pid"]):
        with contextlib.suppress(PermissionError):  # then it has to do without
            os.sched_setscheduler(each, policy, os.sched_param(_PRIORITY if paced else 0))
    print(json.dumps(asyncio.run(run(ordered))), flush=True)
