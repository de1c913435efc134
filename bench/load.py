"""The load: callers and the provider behind the relay, in one process, so that both ends of every message
are known (`messages` makes and checks them).

    caller ──20 messages/s of 3.2 KB──────────────> relay ──> provider
           <──once a second five of 16 KB at once──       <──

It polls its sockets itself, without an event loop: it has to be much cheaper than what it measures. Where
both ends speak plain TCP, `compiled` carries the voice.
"""

from __future__ import annotations

import random
import select
import socket
import ssl
import time
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import orjson

from bench.compiled import Carried, End, carry
from bench.connection import Connection, answer, dial, hear_answer
from bench.messages import DOWN, UP, Counts, Sink, Source, Text

UP_BYTES: Final = 3_200
UPS_PER_SECOND: Final = 20
DOWN_BYTES: Final = 16_000
DOWN_BURST: Final = 5
_SESSION: Final = {"id": "sess_bench", "object": "realtime.session", "type": "realtime", "model": "bench"}
_RESPONSE: Final = {"id": "resp_bench", "object": "realtime.response", "status": "in_progress", "output": []}
GREETINGS: Final = [
    orjson.dumps({"type": "session.created", "event_id": "event_1", "session": _SESSION}),
    orjson.dumps({"type": "response.created", "event_id": "event_2", "response": _RESPONSE}),
]
_MOST_AT_ONCE: Final = 64
"""Sends between two looks at what has arrived."""
_QUIET_SECONDS: Final = 3.0
"""When so long nothing has come of what was sent, it is lost."""
_WARM_UP_SHARE: Final = 1 / 8
"""Of a voice load. All calls begin to speak at once then, which real ones do not: how long messages take is
counted afterwards."""


@dataclass(frozen=True)
class Route:
    """Where the load goes: the relay for the callers, and where the provider listens."""

    relay_port: int
    provider_port: int
    path: str
    key: str
    caller_tls: ssl.SSLContext | None = None
    provider_tls: ssl.SSLContext | None = None
    beta: bool = False
    """Whether the callers speak the beta protocol."""


class Load:
    def __init__(self, route: Route, up_bytes: int = UP_BYTES, down_bytes: int = DOWN_BYTES) -> None:
        self._route = route
        self._bytes = (up_bytes, down_bytes)
        self._listener = socket.create_server(("127.0.0.1", route.provider_port), backlog=4096)
        self._poll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._late_ns = array("q")
        self._ends: list[End] = []
        self.callers: list[Connection] = []
        self.providers: list[Connection] = []
        self.up, self.down = Counts(), Counts()
        self.seconds = 0.0
        self._lost_callers = 0
        self._settled = False

    def open(
        self, count: int, burst: int = DOWN_BURST, before_each: Callable[[], None] = lambda: None
    ) -> None:
        """Opens calls one after the other, so that both ends of each are known to belong together."""
        route = self._route
        with ThreadPoolExecutor(1) as provider:
            for number in range(count):
                before_each()
                answering = provider.submit(answer, self._listener, route.provider_tls, GREETINGS)
                sock = dial(route.relay_port, route.path, route.key, route.caller_tls, beta=route.beta)
                far = answering.result(30)
                self._pair(number, hear_answer(sock, len(GREETINGS)), far, burst)

    def _pair(self, number: int, caller: Connection, provider: Connection, burst: int) -> None:
        route = self._route
        up, down = Text(UP, self._bytes[0], number), Text(DOWN, self._bytes[1], -number - 1)
        caller.join(
            self._poll,
            Source(up, masked=True, burst=1, counts=self.up),
            Sink(down.in_beta() if route.beta else down, masked=False, counts=self.down),
            masked=True,
        )
        provider.join(
            self._poll,
            Source(down, masked=False, burst=burst, counts=self.down),
            Sink(up, masked=True, counts=self.up),
            masked=False,
        )
        self._ends.append(End(caller.sock.fileno(), up, down, masked=True, burst=1))
        self._ends.append(End(provider.sock.fileno(), down, up, masked=False, burst=burst))
        for one, all_of_them in ((caller, self.callers), (provider, self.providers)):
            self._handlers[one.sock.fileno()] = one.on_event
            all_of_them.append(one)

    def voice(self, seconds: float, *, compiled: bool = False) -> None:
        """The realistic load: every call speaks all the time and is answered once a second, each at moments
        of its own."""
        plan = self._plan()
        if compiled:
            calls = list(zip(self._ends[::2], self._ends[1::2], strict=True))
            self._take(carry(calls, plan, seconds, _QUIET_SECONDS, seconds * _WARM_UP_SHARE))
            return
        ends = [one for pair in zip(self.callers, self.providers, strict=True) for one in pair]
        clock = time.perf_counter
        position, second, begin = 0, clock(), clock()
        due = second + plan[0][0]
        warm, end = begin + seconds * _WARM_UP_SHARE, begin + seconds
        while due < end:
            now = min(clock(), end)
            if now >= warm:
                self.up.latencies_ns, self.down.latencies_ns, warm = array("q"), array("q"), end + 1
            for _ in range(_MOST_AT_ONCE):
                if due >= now:
                    break
                self._late_ns.append(int((now - due) * 1e9))
                ends[plan[position][1]].speak()
                position += 1
                if position == len(plan):
                    position, second = 0, second + 1.0
                due = second + plan[position][0]
            self._look(due - clock())
        self.seconds = clock() - begin

    def _plan(self) -> list[tuple[float, int]]:
        """What is sent within a second, and when: callers are 0, 2, 4…, providers 1, 3, 5…"""
        chance = random.Random(7)  # the same in every run
        plan: list[tuple[float, int]] = []
        for number in range(len(self.callers)):
            first = chance.random() / UPS_PER_SECOND
            plan += [(first + beat / UPS_PER_SECOND, 2 * number) for beat in range(UPS_PER_SECOND)]
            plan.append((chance.random(), 2 * number + 1))
        return sorted(plan, key=itemgetter(0))

    def _take(self, carried: Carried) -> None:
        for direction, counts in enumerate((self.up, self.down)):
            counts.sent += carried.sent[direction]
            counts.received += carried.received[direction]
            counts.wrong += carried.wrong[direction]
        self.up.latencies_ns.extend(carried.latencies_ns)
        self._late_ns.extend(carried.late_ns)
        self._lost_callers, self.seconds, self._settled = carried.lost_callers, carried.seconds, True

    def saturate(self, seconds: float) -> None:
        """Every call sends, waits for the answer and sends again: as many messages as the relay carries."""
        begin = time.perf_counter()
        end = begin + seconds

        def answered(connection: Connection, count: int) -> None:
            if time.perf_counter() < end:
                connection.speak()

        for caller, provider in zip(self.callers, self.providers, strict=True):
            caller.on_messages = answered
            provider.on_messages = lambda connection, count: connection.speak()
            caller.speak()
        while time.perf_counter() < end:
            self._look(0.1)
        self.seconds = time.perf_counter() - begin

    def settle(self) -> None:
        """Until everything that was sent has arrived, or nothing more comes."""
        received, since = -1, time.perf_counter()
        while self.outstanding and not self._settled:
            self._look(0.05)
            if received != self.up.received + self.down.received:
                received, since = self.up.received + self.down.received, time.perf_counter()
            elif time.perf_counter() > since + _QUIET_SECONDS:
                return

    @property
    def outstanding(self) -> int:
        return self.up.sent + self.down.sent - self.up.received - self.down.received

    def _look(self, seconds: float) -> None:
        handlers = self._handlers
        for descriptor, event in self._poll.poll(max(0.0, seconds), 256):
            handlers[descriptor](event)

    def close(self) -> None:
        for one in [*self.callers, *self.providers]:
            one.close()
        self._listener.close()
        self._poll.close()

    def result(self) -> dict[str, Any]:
        latencies = sorted(self.up.latencies_ns + self.down.latencies_ns)
        return {
            "messages": self.up.sent + self.down.sent,
            "lost": self.outstanding,
            "wrong": self.up.wrong + self.down.wrong,
            "calls_lost": self._lost_callers + sum(caller.lost for caller in self.callers),
            "seconds": self.seconds,
            "latency_p50_ms": percentile_ms(latencies, 0.50),
            "latency_p99_ms": percentile_ms(latencies, 0.99),
            "late_p99_ms": percentile_ms(sorted(self._late_ns), 0.99),
        }


def percentile_ms(ordered_ns: list[int], share: float) -> float | None:
    if not ordered_ns:
        return None
    return ordered_ns[min(len(ordered_ns) - 1, int(len(ordered_ns) * share))] / 1e6
