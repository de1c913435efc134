"""What a recorder does for other machines, in threads beside its own work: says that it lives. The first one
of a machine also ships its wire logs, and finishes what machines left that are gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from voxgate.core.errors import StoreUnavailable
from voxgate.jobs.machines import Machine
from voxgate.jobs.shipping import ROOT, SharedBlobs, Shipper, Takeover
from voxgate.store import Store

_SHIP_SECONDS: Final = 3.0
_LIVE_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


class Sharing:
    def __init__(self, store: Store, blobs: SharedBlobs, wire_dir: Path, machine: Machine) -> None:
        self._store = store
        self._blobs = blobs
        self._machine = machine
        self._shipper = Shipper(blobs, wire_dir, machine.id)
        self._takeover = Takeover(blobs, wire_dir)
        self._end = threading.Event()
        self._own_left: bool = True
        """Whether an earlier recorder of this machine may have left something in the store."""

    @contextmanager
    def running(self, stop: threading.Event) -> Iterator[bool]:
        """Whether this recorder may work; False when it is told to stop while another one has its place."""
        if not self._machine.enter(stop):
            yield False
            return
        works = [(self._machine.refresh, _LIVE_SECONDS)]
        if self._machine.share.is_first:
            self._takeover.begin()
            works.append((self._move_logs, _SHIP_SECONDS))
        threads = [threading.Thread(target=self._repeat, args=each, daemon=True) for each in works]
        for thread in threads:
            thread.start()
        try:
            yield True
        finally:
            self._end.set()
            for thread in threads:
                thread.join()
            if self._machine.share.is_first:
                _try(self._shipper.step)  # what is not finished here may be finished elsewhere
            self._shipper.close()
            self._machine.leave()

    def _repeat(self, work: Callable[[], None], seconds: float) -> None:
        while not self._end.wait(seconds):
            _try(work)

    def _move_logs(self) -> None:
        self._shipper.step()
        if self._own_left:
            self._finish_for(self._machine.id)
            self._own_left = False
        self._take_over()

    def _take_over(self) -> None:
        others = [each for each in self._blobs.folders(ROOT) if each != self._machine.id]
        dead = self._machine.dead(others)
        for machine_id in self._machine.give_up_claims(but=dead):
            self._takeover.leave(machine_id)
        for machine_id in dead:
            if self._machine.claim(machine_id):
                self._finish_for(machine_id)

    def _finish_for(self, machine_id: str) -> None:
        """Brings here what is not finished, and deletes what is."""
        for session_id in self._takeover.sessions(machine_id):
            if machine_id == self._machine.id and session_id in self._shipper.sessions:
                continue
            row = self._store.get_session(session_id, with_spans=False)
            if row is None or row["status"] == "live":
                self._takeover.bring(machine_id, session_id)
            else:
                self._takeover.forget(machine_id, session_id)


def _try(work: Callable[[], None]) -> None:
    try:
        work()
    except (StoreUnavailable, OSError) as error:
        logger.warning("what is shared with other machines waits: %s", error)
    except Exception:  # whatever it is, this machine's own recordings go on
        logger.exception("what is shared with other machines could not be done; it is tried again")
