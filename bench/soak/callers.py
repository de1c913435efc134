"""The callers, a process of its own: `python -m bench.soak.callers ORDERS`. Keeps a number of calls running,
each for its own time; every call that ended is told to the conductor as a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import sys
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.soak.ledger import ENDED, OPEN, OPENING, Column, Ledger
from bench.soak.orders import BEFORE_FAULT_SECONDS, CallPlan, Orders, plan_call
from bench.soak.script import UP_EVERY_MS, Hearing, down_message, up_message
from bench.soak.wire import Peer, like_a_network
from voxgate.realtime.frames import Close, encode_close
from voxgate.realtime.handshake import new_key

_SESSION: Final = re.compile(r"^x-voxgate-session-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_ANSWER_SECONDS: Final = 30.0
"""How long a call may take to be opened, and to be closed once it hung up."""
_OPENED_A_SECOND: Final = 15
_SLOTS: Final = 10
_LAST_SECONDS: Final = 12.0


class Callers:
    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.ledger = Ledger(Path(orders.ledger))
        self.loop = asyncio.get_running_loop()
        self.running: set[Call] = set()
        self.slots: list[set[Call]] = [set() for _ in range(_SLOTS)]
        self.stopping = False
        self.over = asyncio.Event()
        self._next = 0
        self._chance = random.Random(f"{orders.seed}/callers")
        self._opening: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        for index in range(self.orders.calls):
            self.loop.call_later(index / _OPENED_A_SECOND, self._open_next)
        self.loop.call_soon(self._tick, 0, self.loop.time())

    def _open_next(self) -> None:
        if not self.stopping:
            call = Call(self, plan_call(self.orders, self._next))
            self._next += 1
            self.running.add(call)
            task = self.loop.create_task(call.dial())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _tick(self, slot: int, due: float) -> None:
        """Each slot of the 50 ms has its calls, so that the load is even."""
        for call in list(self.slots[slot % _SLOTS]):
            call.speak()
        due += UP_EVERY_MS / _SLOTS / 1000
        self.loop.call_at(due, self._tick, slot + 1, due)

    def ended(self, call: Call) -> None:
        self.running.discard(call)
        for slot in self.slots:
            slot.discard(call)
        if not self.stopping:
            self.loop.call_later(self._chance.uniform(0, 2), self._open_next)
        elif not self.running:
            self.over.set()

    def follow_orders(self) -> None:
        """The conductor's word that the run is over, or its end."""
        if not os.read(sys.stdin.fileno(), 100):
            self.over.set()
        self.stopping = True
        for call in list(self.running):
            call.come_to_an_end(self._chance.uniform(_LAST_SECONDS / 3, _LAST_SECONDS))
        if not self.running:
            self.over.set()


class Call(Peer):
    """The client's end of one call."""

    def __init__(self, callers: Callers, plan: CallPlan) -> None:
        super().__init__(masks=True)
        self._callers = callers
        self._plan = plan
        self._loop = callers.loop
        self._sent = 0
        self._heard = Hearing(plan, down_message)
        self._session: str | None = None
        self._began = self._loop.time()
        self._hung_up = False
        self._stalled = False
        self._struck = False
        self._close: Close | None = None
        self._error: str | None = None
        self._told = False
        self._timer: asyncio.TimerHandle | None = None

    def _set(self, column: Column, value: int) -> None:
        self._callers.ledger.set(self._plan.number, column, value)

    # Opening

    async def dial(self) -> None:
        self._set(Column.STATE, OPENING)
        sock = socket.socket()
        sock.setblocking(False)
        like_a_network(sock)
        port = self._callers.orders.gateway_port
        try:
            await self._loop.sock_connect(sock, ("127.0.0.1", port))
            await self._loop.create_connection(lambda: self, sock=sock)
        except OSError as error:
            sock.close()
            self._tell(f"no connection: {error}")
            return
        self._timer = self._loop.call_later(_ANSWER_SECONDS, self._give_up, "no answer to the upgrade")
        self.transport.write(
            f"GET /v1/realtime?model={self._plan.model} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\nUser-Agent: soak/{self._plan.number}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {new_key()}\r\n"
            f"Authorization: Bearer {self._callers.orders.key}\r\n\r\n".encode()
        )

    def on_head(self, head: str) -> None:
        if found := _SESSION.search(head):
            self._session = found[1]
        if " 101 " not in head.split("\r\n")[0]:
            self._give_up(head.split("\r\n")[0])
            return
        self._stop_timer()
        self._began = self._loop.time()
        self._set(Column.STATE, OPEN)
        self._callers.slots[self._plan.number % _SLOTS].add(self)
        life = _LAST_SECONDS / 2 if self._callers.stopping else self._plan.life_seconds
        self._timer = self._loop.call_later(life, self._hang_up)
        if self._plan.fault is not None:
            self._loop.call_later(self._plan.fault_at_seconds - BEFORE_FAULT_SECONDS, self._mark)
            if self._plan.fault.startswith("client"):
                self._loop.call_later(self._plan.fault_at_seconds, self._strike)

    # Speaking and listening

    def speak(self) -> None:
        if self._hung_up or self._close is not None or self.transport.is_closing():
            return
        for _ in range(self._plan.hurry(self._loop.time() - self._began, "provider")):
            payload = up_message(self._plan, self._sent)
            self._sent += 1
            self._set(Column.UP_SENT, self._sent)
            self.send(payload)

    def on_text(self, payload: bytes) -> None:
        if payload.startswith(b'{"type":"error"') and self._error is None:
            self._error = json.loads(payload)["error"]["message"]
            return
        heard = self._heard
        heard.hear(payload)
        self._set(Column.DOWN_RECEIVED, heard.right)
        if heard.wrong:
            self._set(Column.DOWN_WRONG, heard.wrong)

    def on_close(self, close: Close) -> None:
        self._close = close
        if not self._hung_up and not self.transport.is_closing():
            self.transport.write(encode_close(close.code, "", masked=True))

    # The faults of the plan

    def _mark(self) -> None:
        if not self._callers.stopping and not self._hung_up and not self.gone:
            number = self._plan.number
            self._set(Column.MARK_UP, self._sent)
            self._set(Column.MARK_DOWN, self._callers.ledger.get(number, Column.DOWN_SENT))
            self._set(Column.MARKED, 1)

    def _strike(self) -> None:
        if self._callers.stopping or self._hung_up or self._close is not None or self.gone:
            return
        self._struck = True
        if self._plan.stalls:
            self._stalled = True
            self.transport.pause_reading()
            self._loop.call_later(self._plan.stall_seconds, self._go_on)
            return
        self._hung_up = True
        self.leave(up_message(self._plan, self._sent), reset=self._plan.fault == "client reset")

    def _go_on(self) -> None:
        if self._stalled and not self.gone and not self.transport.is_closing():
            self._stalled = False
            self.transport.resume_reading()

    # The end

    def come_to_an_end(self, seconds: float) -> None:
        """The run is over: no more faults, and a proper end soon."""
        self._go_on()
        if self._session is not None and not self._hung_up:
            self._stop_timer()
            self._timer = self._loop.call_later(seconds, self._hang_up)

    def _hang_up(self) -> None:
        if self._close is not None or self._hung_up or self.transport.is_closing():
            return
        self._hung_up = True
        self.transport.write(encode_close(1000, "that was all", masked=True))
        self._timer = self._loop.call_later(_ANSWER_SECONDS, self._give_up, "no answer to the close frame")

    def _give_up(self, why: str) -> None:
        self._error = self._error or why
        self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def on_gone(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._tell(self._error)

    def _tell(self, error: str | None) -> None:
        if self._told:
            return
        self._told = True
        self._set(Column.STATE, ENDED)
        report: dict[str, Any] = {
            "call": self._plan.number,
            "session": self._session,
            "seconds": round(self._loop.time() - self._began, 3),
            "struck": self._struck,
            "hung_up": self._hung_up,
            "code": self._close.code if self._close else None,
            "reason": self._close.reason if self._close else None,
            "error": error,
        }
        print(json.dumps(report), flush=True)
        self._callers.ended(self)


async def run(orders: Orders) -> None:
    callers = Callers(orders)
    callers.loop.add_reader(sys.stdin.fileno(), callers.follow_orders)
    callers.begin()
    await callers.over.wait()


if __name__ == "__main__":
    uvloop.run(run(Orders.from_json(sys.argv[1])))
