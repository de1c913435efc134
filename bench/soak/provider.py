"""The stand-in provider, a process of its own: `python -m bench.soak.provider PORT ORDERS`. It checks what
arrives against the script, speaks its own part, and does to a call what the call's plan says.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from pathlib import Path
from typing import Final

import uvloop

from bench.soak.ledger import Column, Ledger
from bench.soak.orders import CallPlan, Orders, plan_call
from bench.soak.script import TURN_MS, Hearing, down_message, turn_moments, up_message
from bench.soak.wire import Peer, like_a_network
from voxgate.realtime.frames import Close, encode_close
from voxgate.realtime.handshake import accept_key

_NUMBER: Final = re.compile(r"user-agent:\s*soak/(\d+)", re.IGNORECASE)
_KEY: Final = re.compile(r"sec-websocket-key:\s*(\S+)", re.IGNORECASE)


class Provider:
    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.ledger = Ledger(Path(orders.ledger))
        self.stopping = False
        self.stalled: set[Upstream] = set()

    def follow_orders(self) -> None:
        """The conductor's word that the run is over, or its end."""
        if not os.read(sys.stdin.fileno(), 100):
            asyncio.get_running_loop().stop()
        self.stopping = True
        for upstream in list(self.stalled):
            upstream.go_on()


class Upstream(Peer):
    """The provider's end of one call."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(masks=False)
        self._provider = provider
        self._plan: CallPlan
        self._heard: Hearing
        self._sent = 0
        self._speaking = True
        self._began = 0.0
        self._loop = asyncio.get_running_loop()

    def _set(self, column: Column, value: int) -> None:
        self._provider.ledger.set(self._plan.number, column, value)

    def on_head(self, head: str) -> None:
        number, key = _NUMBER.search(head), _KEY.search(head)
        if number is None or key is None:
            self.transport.close()
            return
        self._plan = plan_call(self._provider.orders, int(number[1]))
        self._heard = Hearing(self._plan, up_message)
        self._set(Column.PROVIDER_PID, os.getpid())
        accept = accept_key(key[1])
        self.transport.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self._began = self._loop.time()
        self._speak(1)
        self._plan_fault()

    def on_text(self, payload: bytes) -> None:
        heard = self._heard
        heard.hear(payload)
        self._set(Column.UP_RECEIVED, heard.right)
        if heard.wrong:
            self._set(Column.UP_WRONG, heard.wrong)
        if heard.right == 1 and self._sent == 1:
            self._speak(1)
            self._turn(self._loop.time())

    def on_close(self, close: Close) -> None:
        self._speaking = False
        self.transport.write(encode_close(close.code, close.reason))
        self.transport.close()

    def on_gone(self, exc: Exception | None) -> None:
        self._speaking = False
        self._provider.stalled.discard(self)
        if hasattr(self, "_plan"):
            self._set(Column.PROVIDER_ENDED, 1)

    def _speak(self, messages: int) -> None:
        if not self._speaking or self.gone:
            return
        for _ in range(messages):
            payload = down_message(self._plan, self._sent)
            self._sent += 1
            self._set(Column.DOWN_SENT, self._sent)  # first: we may be killed at any moment
            self.send(payload)

    def _turn(self, begin: float) -> None:
        """One turn of the script, and the next one after it."""
        if not self._speaking or self.gone:
            return
        pace = 1000 * self._plan.hurry(begin - self._began, "client")
        for at_ms, messages in turn_moments():
            self._loop.call_at(begin + at_ms / pace, self._speak, messages)
        after = begin + TURN_MS / pace
        self._loop.call_at(after, self._turn, after)

    def _plan_fault(self) -> None:
        plan = self._plan
        if plan.fault is not None and plan.fault.startswith("provider"):
            self._loop.call_later(plan.fault_at_seconds, self._strike)

    def _strike(self) -> None:
        if self._provider.stopping or not self._speaking or self.gone:
            return
        if self._plan.stalls:
            self._provider.stalled.add(self)
            self.transport.pause_reading()
            self._loop.call_later(self._plan.stall_seconds, self.go_on)
            return
        self._speaking = False
        self.leave(down_message(self._plan, self._sent), reset=self._plan.fault == "provider reset")

    def go_on(self) -> None:
        """Reads again, after a stall."""
        if self in self._provider.stalled and not self.transport.is_closing():
            self._provider.stalled.discard(self)
            self.transport.resume_reading()


async def listen(port: int, provider: Provider) -> None:
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    like_a_network(sock)  # what is accepted inherits it
    sock.bind(("127.0.0.1", port))
    await loop.create_server(lambda: Upstream(provider), sock=sock, backlog=1024)
    print("ready", flush=True)


def main() -> None:
    provider = Provider(Orders.from_json(sys.argv[2]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        runner.run(listen(int(sys.argv[1]), provider))
        loop.call_soon(lambda: loop.add_reader(sys.stdin.fileno(), provider.follow_orders))
        loop.run_forever()


if __name__ == "__main__":
    main()
