"""The conductor: starts everything, lets the faults happen, watches, has every finished call judged and its
recording checked, ends everything and says what was found.

    callers' reports → judged when the provider has read the rest → checked when the wire log is gone
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.soak.criteria import Outcome
from bench.soak.house import House
from bench.soak.judge import SURVIVED, Tally, Verdict, judge
from bench.soak.kills import Kills
from bench.soak.ledger import ENDED, OPEN, Column, Ledger
from bench.soak.recordings import Recordings
from bench.soak.trials import Trials
from bench.soak.watch import Watch, free_bytes, put_aside, wire_logs

_SAMPLE_SECONDS: Final = 10.0
_SAY_SECONDS: Final = 30.0
_SETTLE_SECONDS: Final = 4.0
"""How long after its end a call is judged."""
_CALLS_END_SECONDS: Final = 90.0
_RECORDER_END_SECONDS: Final = 600.0
_LEAST_FREE_BYTES: Final = 8 << 30
_SHORT_SECONDS: Final = 120.0
"""A run so short needs little disk."""
_LATE_SECONDS: Final = 1200.0
"""Kills wait for calls and for somebody to kill: so long, if nobody comes."""
_CHECKERS: Final = 3
# The supervisor says when a child was killed, which is what we did.
_EXPECTED: Final = re.compile(r"process ended \(-9\)|writer.* ended|another recorder works on|is begun again")
_COMPLAINT: Final = re.compile(r"Traceback|\bERROR\b|\bCRITICAL\b")


@dataclass(slots=True)
class Ended:
    report: dict[str, Any]
    judged_at: float
    at: float


class BrokenOff(Exception):
    """The run cannot go on; the message says why."""


class Conductor:
    def __init__(
        self,
        house: House,
        ledger: Ledger,
        sampled: int,
        stall_limit_seconds: float,
        kills: Kills | None = None,
    ) -> None:
        """With `kills` these are all that happens, and the run is over when the last one is done."""
        orders = house.orders
        self._kills = kills
        self._house = house
        self._ledger = ledger
        self._orders = orders
        self._stall_limit = stall_limit_seconds
        self.trials: Trials | Kills = kills or Trials(house, ledger, orders.seed)
        self.watch = Watch(house.data)
        self.tally = Tally()
        self._said: set[str] = set()
        self._ended: deque[Ended] = deque()
        self._unchecked: dict[str, float] = {}
        self._judged: dict[str, Verdict] = {}
        self._opened = 0
        mean = (orders.shortest_call_seconds + orders.longest_call_seconds) / 2
        expected = orders.calls * (1 + orders.seconds / mean)
        self.recordings = Recordings(
            house.url, house.admin_key, ledger, min(1.0, sampled / expected), orders.seed
        )
        self._checks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(_CHECKERS)

    async def run(self, seconds: float) -> Outcome:
        async with self.recordings:
            reader = asyncio.create_task(self._read_reports())
            watcher = asyncio.create_task(self._watch())
            trials = asyncio.create_task(self.trials.run(seconds))
            checker = asyncio.create_task(self._check_finished())
            try:
                await self._wait(seconds, [watcher, trials, checker])
                if self._kills is not None:
                    await asyncio.wait([trials], timeout=_LATE_SECONDS)
                trials.cancel()
                with suppress(asyncio.CancelledError):
                    await trials
                full_load = len(self.watch.samples)
                await self._end(reader)
            finally:
                self.trials.calm()
                for task in (reader, watcher, trials, checker):
                    task.cancel()
            del self.watch.samples[full_load:]
            left = await self.recordings.left()
        return self._outcome(seconds, left)

    async def _wait(self, seconds: float, tasks: list[asyncio.Task[None]]) -> None:
        """Until the time is up; a task that fails before ends the run with its error."""
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            if (error := task.exception()) is not None:
                raise error
        if (rest := seconds - self._now()) > 0:
            await asyncio.sleep(rest)

    def _now(self) -> float:
        return time.monotonic() - self.watch.began

    # What the callers say

    async def _read_reports(self) -> None:
        callers = self._house.callers
        assert callers is not None
        assert callers.stdout is not None
        stream = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), callers.stdout
        )
        while line := await stream.readline():
            report = json.loads(line)
            now = time.monotonic()
            self._ended.append(Ended(report, now + self._settle_seconds(report), now))
            if report["session"]:
                self._unchecked[report["session"]] = now

    def _settle_seconds(self, report: dict[str, Any]) -> float:
        """A provider that is stalled reads the rest when it goes on."""
        clean = report["hung_up"] and report["code"] == 1000
        return _SETTLE_SECONDS + (0.0 if clean else self._orders.longest_stall_seconds)

    async def _check_finished(self) -> None:
        while True:
            self._judge_ended()
            logs = wire_logs(self._house.data)
            for session in [session for session in self._judged if session not in logs]:
                task = asyncio.create_task(self._check(self._judged.pop(session)))
                self._checks.add(task)
                task.add_done_callback(self._forget)
            await asyncio.sleep(1)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._checks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.recordings.findings.wrong.append(f"a check failed: {type(error).__name__}: {error}")

    def _judge_ended(self) -> None:
        now = time.monotonic()
        for ended in [one for one in self._ended if one.judged_at <= now]:
            self._ended.remove(ended)
            verdict = judge(
                self._orders,
                self._ledger,
                ended.report,
                self._stall_limit,
                workers_die=self._kills is not None,
            )
            self.tally.add(verdict)
            if verdict.session is not None:
                self._judged[verdict.session] = verdict

    async def _check(self, verdict: Verdict) -> None:
        assert verdict.session is not None
        async with self._free:
            try:
                await self.recordings.check(verdict)
            finally:
                self._unchecked.pop(verdict.session, None)

    # Watching

    async def _watch(self) -> None:
        next_words = _SAY_SECONDS
        while True:
            await asyncio.sleep(_SAMPLE_SECONDS - self._now() % _SAMPLE_SECONDS)
            family = [*self._house.family(), *self._house.load()]
            self.watch.look(family, self._running(), self._unchecked)
            if not self._house.log.exists():
                raise BrokenOff(f"somebody removed the run's folder, {self._house.work}")
            if self._orders.seconds > _SHORT_SECONDS and free_bytes(self._house.work) < _LEAST_FREE_BYTES:
                raise BrokenOff(f"less than {_LEAST_FREE_BYTES >> 30} GB of disk are left")
            if self._now() >= next_words:
                next_words += _SAY_SECONDS
                self._say_what_is_wrong()
                print(self._words(), flush=True)

    def _say_what_is_wrong(self) -> None:
        """At once: an hour is long."""
        for found in self._wrong():
            if found not in self._said:
                self._said.add(found)
                print(f"  WRONG: {found}", flush=True)

    def _wrong(self) -> list[str]:
        tally = self.tally
        of_calls = [*tally.lost_on_survivors, *tally.lost_before_faults, *tally.unexpected]
        return [*of_calls, *self.recordings.findings.wrong]

    def _running(self) -> int:
        ledger = self._ledger
        used = ledger.rows_used()
        return sum(ledger.get(row, Column.STATE) == OPEN for row in range(used))

    def _words(self) -> str:
        sample, ledger = self.watch.samples[-1], self._ledger
        messages = ledger.sum(Column.UP_RECEIVED) + ledger.sum(Column.DOWN_RECEIVED)
        outcomes = self.tally.outcomes
        met = sum(outcomes.values()) - outcomes[SURVIVED] - len(self.tally.unexpected)
        memory = " ".join(f"{role} {size // 1024}" for role, size in sample.memory_kb.items())
        cores = " ".join(f"{role} {share:.2f}" for role, share in sample.cores.items() if share >= 0.01)
        return (
            f"{sample.seconds / 60:5.1f} min  {sample.calls} calls, {outcomes[SURVIVED]} survived, "
            f"{met} met a fault; {messages:,} messages; trials {sum(self.trials.struck.values())}; "
            f"MB: {memory}; cores: {cores}; busy {sample.busy:.0%}; recorder behind: {sample.waiting} calls, "
            f"{sample.oldest_seconds:.0f} s, {sample.wire_bytes >> 20} MB; "
            f"checked {self.recordings.findings.checked}; WRONG {len(self._wrong())}"
        )

    # The end

    async def _end(self, reader: asyncio.Task[None]) -> None:
        self.trials.calm()
        self._house.tell_everybody()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(reader), _CALLS_END_SECONDS)
        deadline = time.monotonic() + _RECORDER_END_SECONDS
        while time.monotonic() < deadline and self._has_work():  # noqa: ASYNC110 - no event for a file that goes
            await asyncio.sleep(0.5)

    def _has_work(self) -> bool:
        return bool(self._ended or self._judged or self._checks or wire_logs(self._house.data))

    def _outcome(self, seconds: float, left: list[dict[str, Any]]) -> Outcome:
        rows = range(self._ledger.rows_used())
        never = [row for row in rows if self._ledger.get(row, Column.STATE) != ENDED]
        left_in_wire = sorted(wire_logs(self._house.data))
        aside = put_aside(self._house.data)
        code = self._house.stop_voxgate()
        return Outcome(
            tally=self.tally,
            findings=self.recordings.findings,
            watch=self.watch,
            seconds=seconds,
            left_in_wire=left_in_wire,
            put_aside=aside,
            left_live=[item["id"] for item in left if item["status"] == "live"],
            never_ended=[f"call {row} never ended" for row in never],
            complaints=complaints(self._house.log),
            exit_code=code,
            struck=self.trials.struck,
            kills_wanted=self._kills.wanted if self._kills is not None else None,
        )


def complaints(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if _COMPLAINT.search(line) and not _EXPECTED.search(line)]
