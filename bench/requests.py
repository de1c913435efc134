"""`python -m bench.requests`: requests that are no calls, through Voxgate (recording on) and its peers, into
docs/performance-requests.md.

A provider answers at once with a chat completion of 1 KB, or with a stream of 100 events; a load keeps some
requests under way. The CPU time of the relay for each comes out, and how long they took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from bench.machine import LOAD_CORE, cpu_seconds, description, free_port, pin_to, wait_for_port
from bench.peers.litellm import litellm
from bench.peers.portkey import headers as portkey_headers
from bench.peers.portkey import portkey
from bench.peers.process import NotHere, Running, Setup
from bench.peers.proxies import direct, nginx
from bench.peers.voxgate import voxgate

_DOCS: Final = Path(__file__).parent.parent / "docs"
_EVENTS: Final = 100
_UNDER_WAY: Final = 8
_WARM: Final = 100
_PEERS: Final[dict[str, Callable[[Setup], AbstractContextManager[Running]]]] = {
    "direct": direct,
    "nginx": nginx,
    "voxgate": voxgate,
    "portkey": portkey,
    "litellm": litellm,
}
_QUESTION: Final = {"role": "user", "content": "Tell me about the order that I made. " * 20}


@dataclass(frozen=True, slots=True)
class Row:
    us: float
    """CPU of the relay for each request."""
    beside_us: float
    """And of what records it."""
    p50_ms: float
    p99_ms: float


# The provider, in a process of its own


def _body(index: int | None, text: str) -> bytes:
    part = (
        {"message": {"role": "assistant", "content": text}} if index is None else {"delta": {"content": text}}
    )
    kind = "chat.completion" if index is None else "chat.completion.chunk"
    usage = {"prompt_tokens": 150, "completion_tokens": 100, "total_tokens": 250} if index is None else None
    choices = [{"index": 0, **part, "finish_reason": "stop" if index in (None, _EVENTS - 1) else None}]
    named = {"id": "chatcmpl-bench", "object": kind, "created": 1_700_000_000, "model": "bench"}
    return json.dumps({**named, "choices": choices, "usage": usage}).encode()


_PLAIN: Final = _body(None, "word " * 150)
_STREAM: Final = [b"data: " + _body(index, "word ") + b"\n\n" for index in range(_EVENTS)] + [
    b"data: [DONE]\n\n"
]
_PLAIN_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(
    _PLAIN
)
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)


async def _provide(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.find(b"content-length:")
            body = await reader.readexactly(int(head[at + 15 : head.find(b"\r\n", at)]) if at >= 0 else 0)
            if b'"stream":true' in body.replace(b" ", b""):
                writer.write(_STREAM_HEAD)
                for event in _STREAM:
                    writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                    await asyncio.sleep(0)  # each is a piece of its own
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(_PLAIN_HEAD + _PLAIN)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_provide, "127.0.0.1", port)
    await server.serve_forever()


# The load


async def _load(url: str, headers: dict[str, str], count: int, *, streams: bool) -> list[float]:
    """How long each took, in ms."""
    body = json.dumps(
        {"model": "bench", "messages": [_QUESTION], **({"stream": True} if streams else {})}
    ).encode()
    took: list[float] = []

    async def ask(http: aiohttp.ClientSession, times: int) -> None:
        for _ in range(times):
            began = time.perf_counter()
            async with http.post(url, data=body, headers=headers) as answer:
                found = await answer.read()
            took.append((time.perf_counter() - began) * 1000)
            if answer.status != 200 or (b"word" not in found):
                raise NotHere(f"it answered {answer.status}: {found[:200]!r}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*(ask(http, count // _UNDER_WAY) for _ in range(_UNDER_WAY)))
    return took


def measure(name: str, port: int, count: int, *, streams: bool) -> Row:
    setup = Setup(port)
    with _PEERS[name](setup) as running:
        headers = {"content-type": "application/json", "authorization": f"Bearer {running.key}"}
        headers |= portkey_headers(setup) if name == "portkey" else {}
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        asyncio.run(_load(url, headers, _WARM, streams=streams))
        before, beside = _cpu(running.relay), _cpu(running.recording)
        took = sorted(asyncio.run(_load(url, headers, count, streams=streams)))
        after = _cpu(running.relay)
        time.sleep(2)  # what records it is behind
        recorded = _cpu(running.recording) - beside
    done = len(took)
    return Row((after - before) * 1e6 / done, recorded * 1e6 / done, took[done // 2], took[done * 99 // 100])


def _cpu(pids: list[int]) -> float:
    return sum(map(cpu_seconds, pids))


# The report


def _report(rows: dict[tuple[str, str], list[Row]], rounds: int) -> str:
    lines = [
        "# Performance of requests",
        "",
        f"Measured by `python -m bench.requests` on {description()}: medians of {rounds} rounds, each in",
        f"turn; {_UNDER_WAY} requests at a time, the relay alone on one core, load, provider and recorder on",
        "the other.",
        "Voxgate records every request.",
        "",
        "| load | relay | CPU of the relay, µs | of Voxgate's | recording beside it, µs | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (load, name), found in rows.items():
        middle = {field: statistics.median(getattr(one, field) for one in found) for field in Row.__slots__}
        ours = statistics.median(one.us for one in rows.get((load, "voxgate"), found))
        ratio = f"{middle['us'] / ours:.2f}" if name not in ("direct",) and ours else ""
        lines.append(
            f"| {load} | {name} | {middle['us']:,.0f} | {ratio} | {middle['beside_us']:,.0f} "
            f"| {middle['p50_ms']:.2f} | {middle['p99_ms']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="[3]")
    parser.add_argument("--requests", type=int, default=2000, help="in each round, of streams a fifth [2000]")
    parser.add_argument("--peer", action="append", choices=list(_PEERS), help="only this one, several times")
    parser.add_argument("--no-report", action="store_true", help="only print it")
    parser.add_argument("--provide", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.provide:
        asyncio.run(_serve(options.provide))
        return
    port = free_port()
    provider = subprocess.Popen([sys.executable, "-m", "bench.requests", "--provide", str(port)])
    rows: dict[tuple[str, str], list[Row]] = {}
    try:
        wait_for_port(port)
        pin_to(LOAD_CORE, [provider.pid, os.getpid()])
        for number in range(options.rounds):
            for load, streams in (("plain", False), ("stream of 100", True)):
                for name in options.peer or _PEERS:
                    count = options.requests // 5 if streams else options.requests
                    try:
                        row = measure(name, port, count, streams=streams)
                    except NotHere as missing:
                        print(f"{name} is left out: {missing}", file=sys.stderr)
                        continue
                    rows.setdefault((load, name), []).append(row)
                    print(f"{number + 1}/{options.rounds} {load}, {name}: {row}", flush=True)
    finally:
        provider.terminate()
        provider.wait()
    report = _report(rows, options.rounds)
    print(report)
    if not options.no_report and not options.peer:
        (_DOCS / "performance-requests.md").write_text(report)


if __name__ == "__main__":
    main()
