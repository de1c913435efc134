"""`python -m bench.recorder`: what the recorder costs, without a relay before it. Wire logs of calls, as the
soak's script speaks them, go through a real recorder in this process; CPU time for each message comes out,
and how many minutes of calls a second of CPU is enough for.

trace     whole logs of calls that have ended become event logs and saved traces, without their sound
backlog   the same with everything: tracks, peaks, metrics, and at last FLAC and the compressed event log
live      the logs grow while the recorder follows them: every call speaks, and is answered. How far it is
          behind the wire comes out as well

What is said is the embedded provider's voice: for noise (`--sound noise`) FLAC takes half as long again.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import heapq
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, Final

import orjson

from bench.soak.orders import CallPlan, Codec
from bench.soak.script import TURN_MS, UP_EVERY_MS, down_message, turn_moments, up_message
from bench.stages import Stages
from bench.voice import speak_with, write_voice
from voxgate.jobs import process as process_module
from voxgate.jobs.closing import row_of
from voxgate.jobs.compaction import Compactor
from voxgate.jobs.recorder import Recorder
from voxgate.realtime.frames import TEXT, apply_mask, encode_frame
from voxgate.recording.eventlog import EventLogBuilder
from voxgate.recording.reading import read_lines
from voxgate.recording.wirelog import CLIENT, FACT, LOCK_NAME, MAGIC, RECORD, SERVER, SUFFIX, WireLogReader
from voxgate.store import WATCHED, Change, FolderBlobs, Store
from voxgate.traces import TraceBuilder

_WRITTEN_EVERY_NS: Final = 80_000_000
"""The pace of the gateway's writer."""
_RECEIVED_BYTES: Final = 64 << 10
"""As much as the relay takes from a socket at once: a burst of the provider comes in such pieces."""

_PORTION_BYTES: Final = 1 << 20
_POLL_SECONDS: Final = 0.05
_SHARES: Final = (0.5, 0.9, 0.99, 1.0)
Lags = dict[str, list[float]]
_BEGUN_MS: Final = 2_000
"""So long after the last call has begun, the beginning is over."""

# The calls


def wire_log(number: int, seconds: float, codec: Codec) -> Iterator[tuple[int, bytes]]:
    """The records of a call in the order of their times (ns), with what stands before them."""
    plan = CallPlan(number, codec, "bench", seconds, None, 0.0, 0.0)
    chance = random.Random(number)
    opened = {
        "type": "gateway.opened",
        "session_id": session_id(number),
        "project": "bench",
        "model": "bench",
    }
    opened["started_at"] = "2026-01-01T12:00:00.000Z"
    yield _record(0, FACT, orjson.dumps(opened))
    for t_ns, kind, data in heapq.merge(_client(plan, chance), _provider(plan), key=itemgetter(0)):
        yield _record(t_ns, kind, data)
    closed = {"type": "gateway.closed", "code": 1000, "reason": "", "side": "client"}
    yield _record(int(seconds * 1e9), FACT, orjson.dumps(closed))


def session_id(number: int) -> str:
    return f"sess_{number:06}"


def _record(t_ns: int, kind: int, data: bytes) -> tuple[int, bytes]:
    return t_ns, RECORD.pack(t_ns, kind, len(data)) + data


def _client(plan: CallPlan, chance: random.Random) -> Iterator[tuple[int, int, bytes]]:
    """Real clients' frames are masked."""
    for k in range(int(plan.life_seconds * 1000 / UP_EVERY_MS)):
        payload, mask = up_message(plan, k), chance.randbytes(4)
        head = encode_frame(TEXT, payload)[: -len(payload)]
        frame = bytes((head[0], head[1] | 0x80)) + head[2:] + mask + apply_mask(payload, mask)
        yield (k * UP_EVERY_MS + chance.randrange(5)) * 1_000_000, CLIENT, frame


def _provider(plan: CallPlan) -> Iterator[tuple[int, int, bytes]]:
    greeting = b"".join(encode_frame(TEXT, down_message(plan, k)) for k in range(2))
    yield 1_000_000, SERVER, greeting
    k = 2
    for turn in range(int(plan.life_seconds * 1000 / TURN_MS) + 1):
        for at_ms, count in turn_moments():
            if (moment := turn * TURN_MS + at_ms + 10) < plan.life_seconds * 1000:
                burst = b"".join(encode_frame(TEXT, down_message(plan, one)) for one in range(k, k + count))
                for start in range(0, len(burst), _RECEIVED_BYTES):
                    yield moment * 1_000_000, SERVER, burst[start : start + _RECEIVED_BYTES]
            k += count


# The measurement


@dataclass(slots=True)
class Outcome:
    messages: int
    cpu_seconds: float
    call_seconds: float
    stages: dict[str, float]
    memory_kb: dict[str, int]
    lags: dict[str, list[float]]
    """Percentiles in ms, of what can be behind."""

    @property
    def us(self) -> float:
        return self.cpu_seconds * 1e6 / self.messages


class House:
    """A data folder with wire logs and a recorder for them."""

    watched = 0
    """How many of the calls somebody watches."""

    def __init__(self, folder: Path) -> None:
        self.worker = folder / "wire" / "worker_1"
        self.worker.mkdir(parents=True)
        self._alive = (self.worker / LOCK_NAME).open("w")
        fcntl.flock(self._alive, fcntl.LOCK_EX)
        self.store = Store(f"sqlite:///{folder / 'voxgate.db'}")
        self.blobs = FolderBlobs(folder / "blobs")
        self.marks = folder / "compact"
        self._compactor = Compactor(self.store, self.blobs, self.marks)
        self.recorder = Recorder(
            wire_dir=folder / "wire", store=self.store, blobs=self.blobs, compactor=self._compactor
        )

    def path(self, number: int) -> Path:
        return self.worker / f"{session_id(number)}{SUFFIX}"

    def close(self) -> None:
        self._alive.close()
        self._compactor.close()
        self.store.close()

    def messages(self, calls: int) -> int:
        """What is in the event logs, so nothing that was lost counts."""
        found = 0
        for number in range(calls):
            lines = read_lines(self.blobs, f"sessions/{session_id(number)}")
            found += sum(b'"dir":"gateway"' not in line[:60] for line in lines)
        return found


def trace(house: House, calls: int, seconds: float, codec: Codec) -> tuple[float, Lags]:
    _write_logs(house, calls, seconds, codec)
    _forget_peak()
    began = time.process_time()
    for number in range(calls):
        _only_trace(house, number)
    return time.process_time() - began, {}


def _only_trace(house: House, number: int) -> None:
    """As `SessionRecording` does it, but for the sound."""
    reader, log = WireLogReader(house.path(number)), EventLogBuilder()
    builder = TraceBuilder(session_id(number))
    while records := reader.read(_PORTION_BYTES):
        lines = []
        for record in records:
            for line, event in log.entries(record):
                lines.append(line)
                builder.feed(event)
        house.blobs.append(f"sessions/{session_id(number)}/events.jsonl", b"".join(lines))
    found = builder.snapshot(live=False)
    house.store.save_trace(row_of(found), [span.to_json() for span in found.spans])


def _write_logs(house: House, calls: int, seconds: float, codec: Codec) -> None:
    for number in range(calls):
        with house.path(number).open("wb") as file:
            file.write(MAGIC)
            file.writelines(record for _, record in wire_log(number, seconds, codec))


def backlog(house: House, calls: int, seconds: float, codec: Codec) -> tuple[float, Lags]:
    _write_logs(house, calls, seconds, codec)
    _forget_peak()
    return _until_done(house), {}


def _until_done(house: House) -> float:
    """Recorded and put away."""
    began, stop = time.process_time(), threading.Event()
    while _has(house.worker, SUFFIX) or _has(house.marks, ".todo"):
        if not house.recorder.step():
            stop.wait(_POLL_SECONDS)
    return time.process_time() - began


def _has(folder: Path, suffix: str) -> bool:
    """Asked after each step: it must not take the time that is measured."""
    return any(name.endswith(suffix) for name in os.listdir(folder))  # noqa: PTH208


class Behind:
    """How late what was written is in the event log, and in the trace that the store has."""

    def __init__(self, house: House, calls: int, watched: int) -> None:
        self._house = house
        self._watched = range(watched)
        self._unread: list[deque[tuple[int, float]]] = [deque() for _ in range(calls)]
        self._unsaved: list[deque[tuple[int, float]]] = [deque() for _ in range(calls)]
        self._sizes = [len(MAGIC)] * calls
        self._numbers = {house.path(number): number for number in range(calls)}
        self.event_log_ms: list[float] = []
        self.trace_ms: list[float] = []
        self.watched_ms: list[float] = []
        self._before: dict[str, int] | None = None
        """How many lags belong to the time when calls still began."""
        store = house.store
        store.refresh_leases([(WATCHED, session_id(number)) for number in self._watched], 24 * 3600)
        save, change = store.save_trace, store.save_changes

        def save_trace(row: dict[str, Any], *rest: Any, **how: Any) -> None:
            save(row, *rest, **how)
            self._saved(row["id"])

        def save_changes(changes: Sequence[Change]) -> None:
            change(changes)
            for one in changes:
                self._saved(one.session_id)

        store.save_trace, store.save_changes = save_trace, save_changes  # type: ignore[method-assign]

    def wrote(self, number: int, size: int, passed: float) -> None:
        """So many bytes, the first of which passed the wire then."""
        self._sizes[number] += size
        self._unread[number].append((self._sizes[number], passed))
        self._unsaved[number].append((self._sizes[number], passed))

    def look(self) -> None:
        now = time.perf_counter()
        for path, one in self._house.recorder._recordings.items():  # noqa: SLF001 - it tells nobody
            self._take(self._unread[self._numbers[path]], one._reader.offset, now, self.event_log_ms)  # noqa: SLF001

    def _saved(self, saved_id: str) -> None:
        path = self._house.path(int(saved_id.removeprefix("sess_")))
        one, number = self._house.recorder._recordings[path], self._numbers[path]  # noqa: SLF001
        lags = self.watched_ms if number in self._watched else self.trace_ms
        self._take(self._unsaved[number], one._reader.offset, time.perf_counter(), lags)  # noqa: SLF001

    @staticmethod
    def _take(waiting: deque[tuple[int, float]], offset: int, now: float, lags: list[float]) -> None:
        while waiting and waiting[0][0] <= offset:
            lags.append((now - waiting.popleft()[1]) * 1000)

    def all_run(self) -> None:
        """All calls have begun some time ago: what comes from now on is told apart."""
        if self._before is None:
            self._before = {name: len(values) for name, values in self._found().items()}

    def _found(self) -> Lags:
        return {
            "event log": self.event_log_ms,
            "trace in the store": self.trace_ms,
            "trace that somebody watches": self.watched_ms,
        }

    def lags(self) -> Lags:
        found = self._found()
        later = {f"{name}, when all calls run": found[name][n:] for name, n in (self._before or {}).items()}
        return {name: _percentiles(values) for name, values in (found | later).items() if values}


def _percentiles(values: list[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in _SHARES] if ordered else []


def live(house: House, calls: int, seconds: float, codec: Codec) -> tuple[float, Lags]:
    """Writes what is due, without counting that, and lets the recorder have its turns."""
    behind = Behind(house, calls, house.watched)
    with ExitStack() as stack:
        kept = stack.enter_context(tempfile.TemporaryFile())
        plan = _writes(kept, calls, seconds, codec)
        files = [stack.enter_context(house.path(number).open("ab", buffering=0)) for number in range(calls)]
        for file in files:
            file.write(MAGIC)
        cpu, begin, stop, position = 0.0, time.perf_counter(), threading.Event(), 0
        _forget_peak()
        while position < len(plan):
            elapsed_ns = (time.perf_counter() - begin) * 1e9
            if elapsed_ns > (TURN_MS + _BEGUN_MS) * 1e6:
                behind.all_run()
            while position < len(plan) and plan[position][0] <= elapsed_ns:
                due_ns, number, offset, size = plan[position]
                files[number].write(os.pread(kept.fileno(), size, offset))
                behind.wrote(number, size, begin + (due_ns - _WRITTEN_EVERY_NS) / 1e9)
                position += 1
            before = time.process_time()
            busy = house.recorder.step()
            cpu += time.process_time() - before
            behind.look()
            if not busy:
                stop.wait(_POLL_SECONDS)
        lags = behind.lags()
    return cpu + _until_done(house), lags


def _writes(kept: IO[bytes], calls: int, seconds: float, codec: Codec) -> list[tuple[int, int, int, int]]:
    """When the writer writes to which call's file, and where in `kept` that stands and how long it is."""
    plan: list[tuple[int, int, int, int]] = []
    for number in range(calls):
        later = number * TURN_MS * 1_000_000 // calls  # the calls' turns are spread
        due: dict[int, list[bytes]] = {}
        for t_ns, record in wire_log(number, seconds, codec):
            due.setdefault(-(-(t_ns + later) // _WRITTEN_EVERY_NS), []).append(record)
        for turn, records in due.items():
            plan.append((turn * _WRITTEN_EVERY_NS, number, kept.tell(), sum(map(len, records))))
            kept.write(b"".join(records))
    kept.flush()
    return sorted(plan)


_MODES: Final = {"trace": trace, "backlog": backlog, "live": live}


def measure(options: argparse.Namespace, *, by_stage: bool) -> Outcome:
    stages = Stages()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        house = House(Path(folder))
        house.watched = options.watched
        getattr(process_module, "collect_rarely", lambda: None)()
        memory = {"before": _memory_kb()}
        run = _MODES[options.mode]
        if by_stage:
            with stages.watching():
                cpu, lags = run(house, options.calls, options.seconds, options.codec)
        else:
            cpu, lags = run(house, options.calls, options.seconds, options.codec)
        memory["most"] = _peak_kb()
        memory["after"] = _memory_kb()
        ctypes.CDLL(None).malloc_trim(0)
        memory["trimmed"] = _memory_kb()
        messages = house.messages(options.calls)
        house.close()
    shares = {name: ns / 1e3 / messages for name, ns in stages.ns.items()}
    return Outcome(messages, cpu, options.calls * options.seconds, shares, memory, lags)


def _memory_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


# The command


def main() -> None:
    options = _parser().parse_args()
    if options.once:
        if options.voice is not None:
            speak_with(options.voice)
        one = measure(options, by_stage=options.once == "stages")
        fields = {name: getattr(one, name) for name in Outcome.__slots__}
        print(orjson.dumps(fields).decode())
        return
    whole, split = [], []
    with tempfile.TemporaryDirectory() as folder:
        spoken = [] if options.sound == "noise" else ["--voice", str(_voice_in(Path(folder)))]
        for number in range(options.rounds):
            whole.append(_in_a_process("whole", spoken))
            split.append(_in_a_process("stages", spoken))
            print(f"{number + 1}/{options.rounds}: {whole[-1].us:.1f} µs/message", flush=True)
    _show(whole, split)


def _voice_in(folder: Path) -> Path:
    path = folder / "voice.npy"
    write_voice(path)
    return path


def _in_a_process(what: str, more: list[str]) -> Outcome:
    """A fresh one each time, so that every measurement begins alike."""
    command = [sys.executable, "-m", "bench.recorder", "--once", what, *more, *sys.argv[1:]]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as `voxgate serve` starts it
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    return Outcome(**orjson.loads(done.stdout.splitlines()[-1]))


def _show(whole: list[Outcome], split: list[Outcome]) -> None:
    us, messages = sorted(one.us for one in whole), whole[0].messages
    minutes = sorted(one.call_seconds / 60 / one.cpu_seconds for one in whole)
    print(f"{statistics.median(us):.1f} ({us[0]:.1f}–{us[-1]:.1f}) µs of CPU a message, {messages} messages")
    print(f"{statistics.median(minutes):.1f} ({minutes[0]:.1f}–{minutes[-1]:.1f}) call-minutes a CPU-second")
    for name in whole[0].lags:
        worst = [max(values) for values in zip(*(one.lags[name] for one in whole), strict=True)]
        shown = ", ".join(f"p{share * 100:g} {ms:.0f} ms" for share, ms in zip(_SHARES, worst, strict=True))
        print(f"behind the wire, {name}: {shown}")
    for name in whole[0].memory_kb:
        print(f"memory {name}: {statistics.median(one.memory_kb[name] for one in whole) / 1024:.1f} MB")
    print("By stage, each look at the clock included:")
    names = {name for one in split for name in one.stages}
    medians = {name: statistics.median(one.stages.get(name, 0.0) for one in split) for name in names}
    for name, value in sorted(medians.items(), key=lambda pair: -pair[1]):
        print(f"  {name:14} {value:6.1f} µs")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.recorder", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("mode", choices=list(_MODES))
    parser.add_argument("--calls", type=int, default=40, help="how many calls [40]")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each lasts [60]")
    parser.add_argument("--codec", choices=["pcm", "pcmu"], default="pcm", help="[pcm]")
    parser.add_argument(
        "--watched", type=int, default=5, help="how many of the calls somebody watches, with live [5]"
    )
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many [3]")
    parser.add_argument(
        "--folder", type=Path, help="where the data folder is made [the system's for temporary files]"
    )
    parser.add_argument("--sound", choices=["voice", "noise"], default="voice", help="what is said [voice]")
    parser.add_argument("--voice", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--once", choices=["whole", "stages"], help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
