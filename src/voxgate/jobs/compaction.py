"""Puts recordings away whose calls are over: raw tracks become FLAC, the event log what is left without them.

The recorder marks a session when its trace is saved; the mark goes when all is done, so what a crash cut off
is begun again. Nothing raw is deleted before what replaces it is on the disk and was read back and compared,
byte by byte: first the log, which says from then on that the rest is proven, then the tracks.

    events.jsonl, user.pcm, assistant.pcm → events.zst, user.flac, assistant.flac
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from voxgate.core.errors import NotFound, StoreUnavailable
from voxgate.recording.compact import prove_compact, write_compact
from voxgate.recording.tracks import FlacTrack, FlacWriter, StoredTrack, open_track
from voxgate.store import Blobs, Store
from voxgate.traces.tracks import TRACKS, Track

_SLICE_SECONDS: Final = 0.01
"""Running calls have to wait so long at most."""
_LOOK_SECONDS: Final = 1.0
_STEP_BYTES: Final = 1 << 17
"""Of sound: a ms or two of encoding."""
_MOST_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 30.0
_MARK: Final = ".todo"

Steps = Generator[Literal["worked", "waits"], None, None]

logger = logging.getLogger(__name__)


class NotTheSame(Exception):
    """What was read back is not what was there before. What was there before stays."""


class _Deleted(Exception):
    """Somebody deleted the session meanwhile."""


@dataclass(slots=True)
class _Work:
    session_id: str
    mark: int
    """The descriptor of its mark: who has the lock of it does the work."""
    steps: Steps


class Compactor:
    """`step` does a bounded piece; the disk is waited for in a thread."""

    def __init__(
        self, store: Store, blobs: Blobs, folder: Path, is_ours: Callable[[str], bool] = lambda _: True
    ) -> None:
        """`is_ours` says whether we record a session: who does puts it away, since it may begin it again."""
        self._is_ours = is_ours
        self._store = store
        self._blobs = blobs
        self._folder = folder
        self._work: _Work | None = None
        self._pauses: dict[str, tuple[int, float]] = {}
        """Attempts of a session, and when the next one is."""
        self._next_look = 0.0
        self._thread = ThreadPoolExecutor(1, "compaction")
        folder.mkdir(parents=True, exist_ok=True)
        self._remove_left_files()

    def add(self, session_id: str) -> None:
        """Its trace is saved: it may be put away. A disk that has no room even for the mark keeps it raw."""
        try:
            self._mark(session_id).touch()
        except OSError as error:
            logger.warning("session %s is not put away: %s", session_id, error)
        self._next_look = 0.0

    def forget(self, session_id: str) -> None:
        """It is begun again from its wire log."""
        if self._work is not None and self._work.session_id == session_id:
            self._end()
        self._mark(session_id).unlink(missing_ok=True)

    def release(self, session_id: str) -> bool:
        """Whether somebody else may change what is stored of it now: not while another recorder puts it away.
        Afterwards it is to be added again."""
        if self._work is not None and self._work.session_id == session_id:
            self._end()
        mark = self._mark(session_id)
        descriptor = _lock(mark)
        if descriptor is None:
            return not mark.exists()
        mark.unlink(missing_ok=True)
        os.close(descriptor)
        return True

    def step(self) -> bool:
        """Whether there was anything to do."""
        if self._work is None and not self._begin():
            return False
        deadline = time.monotonic() + _SLICE_SECONDS
        while self._work is not None and time.monotonic() < deadline:
            if self._advance(self._work) == "waits":
                return False
        return True

    def close(self) -> None:
        """What is begun is begun again by the next one."""
        self._end()
        self._thread.shutdown()

    # Which session

    def _begin(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        for name in sorted(os.listdir(self._folder)):  # noqa: PTH208 - after a backlog there are hundreds
            session_id = name.removesuffix(_MARK)
            if session_id == name or now < self._pauses.get(session_id, (0, 0.0))[1]:
                continue
            if self._is_ours(session_id) and (lock := _lock(self._mark(session_id))) is not None:
                self._work = _Work(session_id, lock, self._put_away(session_id))
                return True
        self._next_look = now + _LOOK_SECONDS
        return False

    def _advance(self, work: _Work) -> str:
        try:
            return next(work.steps, None) or self._done(work)
        except _Deleted:
            return self._done(work)
        except (OSError, StoreUnavailable, NotFound, NotTheSame, ValueError) as error:
            self._try_later(work, error)
        except Exception as error:
            # Whatever it is, the recording stays as it is, which is whole, and the others go on.
            logger.exception("session %s cannot be put away", work.session_id)
            self._give_up(work, error)
        return "worked"

    def _done(self, work: _Work) -> str:
        self._mark(work.session_id).unlink(missing_ok=True)
        self._pauses.pop(work.session_id, None)
        self._end()
        return "worked"

    def _try_later(self, work: _Work, error: Exception) -> None:
        """A disk that is full or a database that is away passes; another reason only seldom does."""
        attempts = self._pauses.get(work.session_id, (0, 0.0))[0] + 1
        passes = isinstance(error, OSError | StoreUnavailable)
        if attempts >= _MOST_ATTEMPTS and not passes:
            self._give_up(work, error)
            return
        logger.warning("session %s is put away later: %s", work.session_id, error)
        pause = _PAUSE_SECONDS
        if attempts == 1 and isinstance(error, NotFound):
            # Perhaps it was deleted, with the rest: that is seen at the beginning.
            pause = self._next_look = 0.0
        self._pauses[work.session_id] = attempts, time.monotonic() + pause
        self._end()

    def _give_up(self, work: _Work, error: Exception) -> None:
        logger.error("session %s stays as it is: %s: %s", work.session_id, type(error).__name__, error)
        self._pauses.pop(work.session_id, None)
        with contextlib.suppress(OSError):
            self._mark(work.session_id).replace(self._folder / f"{work.session_id}.failed")
        self._end()

    def _end(self) -> None:
        if self._work is not None:
            self._work.steps.close()
            os.close(self._work.mark)
            self._work = None

    def _mark(self, session_id: str) -> Path:
        return self._folder / f"{session_id}{_MARK}"

    def _remove_left_files(self) -> None:
        """Those that a killed one was just writing."""
        for path in self._folder.glob("making-*"):
            if (descriptor := _lock(path)) is not None:
                path.unlink(missing_ok=True)
                os.close(descriptor)

    # What is done with it

    def _put_away(self, session_id: str) -> Steps:
        prefix = f"sessions/{session_id}"
        log, stored = f"{prefix}/events.jsonl", f"{prefix}/events.zst"
        rates = self._rates(session_id)
        if self._blobs.size(log) is not None:
            for name, rate in rates.items():
                yield from self._put_track_away(session_id, name, rate)
            yield from self._put_log_away(session_id, rates)
            self._check_there(session_id)
            yield from self._wait_for(self._sync, prefix)
            self._blobs.delete_prefix(log)
        if self._blobs.size(stored) is not None:
            for name in TRACKS:
                if self._blobs.size(f"{prefix}/{name}.flac") is not None:
                    self._blobs.delete_prefix(f"{prefix}/{name}.pcm")

    def _rates(self, session_id: str) -> dict[Track, int]:
        row = self._store.get_session(session_id, with_spans=False)
        if row is None:
            self._delete(session_id)
        tracks = row["data"].get("tracks") or {}
        return {
            name: int(tracks[name]["rate"])
            for name in TRACKS
            if name in tracks and self._blobs.size(f"sessions/{session_id}/{name}.pcm") is not None
        }

    def _put_track_away(self, session_id: str, name: Track, rate: int) -> Steps:
        key = f"sessions/{session_id}/{name}"
        with (
            self._scratch() as path,
            closing(open_track(self._blobs, f"sessions/{session_id}", name, rate)) as raw,
        ):
            try:
                yield from _write_flac(raw, path)
            except ValueError as error:
                logger.info("session %s keeps its raw sound: %s", session_id, error)
                self._blobs.delete_prefix(f"{key}.flac")
                return
            yield from self._wait_for(self._blobs.take_file, f"{key}.flac", path)
            with closing(FlacTrack(self._blobs.open(f"{key}.flac"))) as flac:
                yield from _compare_tracks(raw, flac)

    def _put_log_away(self, session_id: str, rates: dict[Track, int]) -> Steps:
        prefix = f"sessions/{session_id}"
        with ExitStack() as stack:
            # The raw ones: that the others are the same has just been proven.
            tracks = {
                name: stack.enter_context(closing(open_track(self._blobs, prefix, name, rate)))
                for name, rate in rates.items()
            }
            path = stack.enter_context(self._scratch())
            with self._blobs.open(f"{prefix}/events.jsonl") as raw, path.open("wb") as target:
                end = yield from _worked(write_compact(raw, tracks, target))
            yield from self._wait_for(self._blobs.take_file, f"{prefix}/events.zst", path)
            raw = stack.enter_context(self._blobs.open(f"{prefix}/events.jsonl"))
            stored = stack.enter_context(self._blobs.open(f"{prefix}/events.zst"))
            yield from _worked(prove_compact(raw, stored, tracks, end))

    def _check_there(self, session_id: str) -> None:
        """What is deleted must not come back: whoever deletes a session deletes its blobs again after its
        row. So either this sees that the row is gone, after the last that is put, or what was put before is
        deleted then."""
        if self._store.session_revision(session_id) is None:
            self._delete(session_id)

    def _delete(self, session_id: str) -> NoReturn:
        self._blobs.delete_prefix(f"sessions/{session_id}/")
        raise _Deleted

    def _sync(self, prefix: str) -> None:
        for name in ("user.flac", "assistant.flac", "events.zst"):
            if self._blobs.size(f"{prefix}/{name}") is not None:
                self._blobs.sync(f"{prefix}/{name}")

    def _wait_for(self, action: Callable[..., None], *arguments: Any) -> Steps:
        future = self._thread.submit(action, *arguments)
        try:
            while not future.done():
                yield "waits"
            future.result()
        finally:
            wait([future])  # also where it is not wanted any more: nothing may come afterwards

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        path = self._folder / f"making-{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)


def _write_flac(raw: StoredTrack, path: Path) -> Steps:
    with FlacWriter(path, raw.rate) as flac:
        for start in range(0, raw.size, _STEP_BYTES):
            flac.write(raw.read(start, start + _STEP_BYTES))
            yield "worked"


def _compare_tracks(raw: StoredTrack, stored: StoredTrack) -> Steps:
    if (raw.rate, raw.size) != (stored.rate, stored.size):
        raise NotTheSame("a track has another length or rate as FLAC")
    for start in range(0, raw.size, _STEP_BYTES):
        if raw.read(start, start + _STEP_BYTES) != stored.read(start, start + _STEP_BYTES):
            raise NotTheSame(f"a track differs as FLAC behind its byte {start}")
        yield "worked"


def _worked(steps: Iterator[Any]) -> Generator[Literal["worked"], None, Any]:
    """What a generator returns that gives something from time to time."""
    try:
        while True:
            next(steps)
            yield "worked"
    except StopIteration as ended:
        return ended.value


def _lock(mark: Path) -> int | None:
    """Its descriptor, if no other recorder has the session."""
    try:
        descriptor = os.open(mark, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
