"""The parent of all processes of `voxgate serve`: starts them, starts those again that die, replaces the
workers one after the other at a SIGHUP, and stops all in the right order at a SIGTERM or Ctrl-C.

    worker:  arriving (started, not ready) → serving → leaving (port closed, its calls go on) → ended
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

from voxgate.cli.processes import Child, stop_children
from voxgate.cli.signals import on_signals
from voxgate.core.errors import SettingsError
from voxgate.gateway.metrics import Metrics
from voxgate.gateway.scoreboard import PLACES, Place, Scoreboard

_START_SECONDS: Final = 60.0
_TICK_SECONDS: Final = 0.1
_PARENT_PLACE: Final = 0
EXPORTER_PLACE: Final = PLACES - 1

logger = logging.getLogger(__name__)


class Supervisor:
    """`others` are what the workers need: started before them, stopped after them.

    `reload` reads the settings anew and gives the workers that shall replace the present ones; a
    SettingsError leaves all as it is. `close_port` closes the parent's own copy of the port.
    """

    def __init__(
        self,
        workers: Sequence[Child],
        others: Sequence[Child],
        *,
        board: Scoreboard,
        reload: Callable[[], list[Child]],
        close_port: Callable[[], None],
    ) -> None:
        self._workers: list[Child] = []
        self._arriving: list[Child] = []
        self._leaving: list[tuple[Child, float]] = []
        """With the time at which patience ends."""
        self._others = others
        self._first_workers = workers
        self._board = board
        self._reload = reload
        self._close_port = close_port
        self._signals = 0
        self._terminal = False
        self._reload_wanted = False
        self._replacing: Iterator[None] | None = None
        self._wake = threading.Event()
        metrics = Metrics()
        self._restarts = metrics.counter(
            "voxgate_process_restarts_total", "Processes that ended by themselves, by kind.", "process"
        )
        self._replaced = metrics.counter(
            "voxgate_workers_replaced_total", "Workers that were replaced in rolling restarts."
        )
        self._place = Place(board, _PARENT_PLACE, metrics)

    def run(self, on_ready: Callable[[], None]) -> None:
        """Until a signal. SettingsError when a child does not come up at the start."""
        self._listen_to_signals()
        try:
            for child in reversed(self._others):
                if child.on_call is None:
                    child.start()
            for worker in self._first_workers:
                self._take_in(worker)
                self._workers.append(worker)
                worker.start()
            self._wait_until_ready()
            if not self._signals:
                on_ready()
            while not self._signals:
                self._wake.wait(_TICK_SECONDS)
                self._tick()
        finally:
            self._stop()

    def _listen_to_signals(self) -> None:
        on_signals((signal.SIGTERM, signal.SIGINT), self._on_stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            self._terminal = _has_terminal()
            on_signals((signal.SIGHUP,), self._on_hang_up)

    def _on_stop(self, number: int) -> None:
        self._signals += 1
        self._wake.set()

    def _on_hang_up(self, number: int) -> None:
        if self._terminal and not _has_terminal():  # it was closed: nobody asked for new workers
            self._on_stop(number)
        else:
            self._reload_wanted = True

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        at_once = [child for child in self._others if child.on_call is None]
        for child in [*self._workers, *at_once]:
            while not child.ready.wait(0.05) and not self._signals:
                if not child.running or time.monotonic() > deadline:
                    raise SettingsError(f"The {child.name} process did not start; the lines above say why.")

    def _tick(self) -> None:
        self._let_go()
        self._restart_dead()
        if self._replacing is None and self._reload_wanted:
            self._reload_wanted = False
            self._replacing = self._replace_workers()
        if self._replacing is not None and next(self._replacing, self) is self:
            self._replacing = None
        self._place.publish()

    # Children that die

    def _restart_dead(self) -> None:
        for child in [*self._workers, *self._others]:
            if child.running or not child.is_awaited:
                continue
            if child.process is None:
                self._try_start(child)
            elif not child.restart_at:
                code = child.process.returncode if child.process else None
                pause = child.plan_restart()
                self._restarts.add(child.kind)
                self._set_ended(child)
                logger.error("the %s process ended (%s); starting it again in %g s", child.name, code, pause)
            elif time.monotonic() >= child.restart_at:
                child.restart_at = 0.0
                self._try_start(child)

    @staticmethod
    def _try_start(child: Child) -> bool:
        try:
            child.start()
        except OSError as error:  # no process to be had just now: a serving child is tried again
            logger.warning("the %s process could not be started: %s", child.name, error)
        return child.running

    # A rolling restart

    def _replace_workers(self) -> Iterator[None]:
        """A step at a time. When a new worker does not come up, the old ones that are left stay."""
        try:
            fresh = self._reload()
        except SettingsError as error:
            logger.error("nothing was restarted, the settings stay as they were: %s", error.message)
            return
        if len(self._leaving) + len(self._workers) + len(fresh) >= EXPORTER_PLACE:
            logger.error("nothing was restarted: too many earlier workers still let their calls end")
            return
        logger.info("replacing %d workers by %d new ones", len(self._workers), len(fresh))
        for old, new in zip_longest(list(self._workers), fresh):
            if new is not None:
                yield from self._bring_up(new)
                if new not in self._workers:
                    logger.error("the rolling restart ends here: the new worker did not come up")
                    return
            if old is not None:
                self._send_off(old)
        logger.info("the workers are replaced; %d old ones let their calls end", len(self._leaving))

    def _bring_up(self, worker: Child) -> Iterator[None]:
        self._take_in(worker)
        self._arriving.append(worker)
        deadline = time.monotonic() + _START_SECONDS
        self._try_start(worker)
        while worker.running and not worker.ready.is_set() and time.monotonic() < deadline:
            yield
        self._arriving.remove(worker)
        if worker.running and worker.ready.is_set():
            self._workers.append(worker)
        else:
            worker.kill()
            self._set_ended(worker)

    def _send_off(self, worker: Child) -> None:
        self._replaced.add()
        self._workers.remove(worker)
        worker.tell(signal.SIGHUP)
        self._leaving.append((worker, time.monotonic() + worker.stop_seconds))

    def _let_go(self) -> None:
        now = time.monotonic()
        for worker, patience_ends in list(self._leaving):
            if worker.running and now > patience_ends:
                logger.warning("%s did not end in time and is killed", worker.name)
                worker.kill()
            if not worker.running or now > patience_ends:
                self._leaving.remove((worker, patience_ends))
                self._set_ended(worker)

    # Their numbers, which are their places on the scoreboard

    def _take_in(self, worker: Child) -> None:
        """The lowest number that is free, so that there are few label values."""
        present = [*self._workers, *self._arriving, *(leaving for leaving, _ in self._leaving)]
        taken = {each.orders["number"] for each in present if each is not worker}
        worker.orders["number"] = next(n for n in range(_PARENT_PLACE + 1, EXPORTER_PLACE) if n not in taken)
        worker.name = f"worker {worker.orders['number']}"

    def _set_ended(self, child: Child) -> None:
        if "number" in child.orders:
            self._board.set_living(child.orders["number"], False)

    # The end

    def _stop(self) -> None:
        """What takes calls stops first, then what it dialled and what writes down what they did. Each has
        its time, after which it is killed: nothing waits for ever."""
        self._close_port()  # so that it is closed when the last worker closes it
        leaving = [worker for worker, _ in self._leaving]
        for group in ([*self._workers, *self._arriving, *leaving], self._others):
            stop_children(group, lambda: self._signals > 1)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
