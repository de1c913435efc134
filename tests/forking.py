"""The process of the `nursery`: imports what the processes of a Voxgate import, and forks into one whenever
it is asked to. What comes of it is an ordinary process, with its own arguments (as `ps` shows them),
environment, folder, signals, files and exit code, but for the interpreter, which is there already. Where such
a Voxgate starts processes of its own, these come to be in the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import inspect
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from tests.nursery import MOST_ORDERS_BYTES, PID_BYTES

_MODULES: Final = (
    "uvloop",
    "voxgate.cli.children",
    "voxgate.cli.main",
    "voxgate.cli.startup",
    "voxgate.export.outbox",
    "voxgate.gateway.scoreboard",
    "voxgate.jobs.process",
    "voxgate.jobs.shares",
    "voxgate.providers.local.server",
    "voxgate.recording.writer",
    "voxgate.server",
)
_OWN: Final = {"voxgate.cli.children", "voxgate.recording.writer"}
"""What a Voxgate starts itself."""

_MOST_FILES: Final = 64

Files = Mapping[int, int]
"""Of the process that forks, by the numbers that they shall have. The first three stay what is not said."""


def main() -> None:
    door = socket.socket(fileno=int(sys.argv[1]))
    # A parent that starts a child again has threads, which wait for what its children say and hold nothing.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    gc.disable()
    for name in _MODULES:
        importlib.import_module(name)
    assert not _has_foreign_threads()
    gc.collect()
    gc.freeze()
    gc.enable()
    _serve(door)


def _serve(door: socket.socket) -> None:
    """Until whoever gives orders is gone, and then no process is left."""
    running: dict[int, tuple[int, int]] = {}  # by the descriptor of each: its pid, and where its end is told
    while True:
        for ready in select.select([door, *running], [], [])[0]:
            if ready is not door:
                _tell_end(ready, *running.pop(ready))
            elif not _take_orders(door, running):
                for pid, _ in running.values():
                    os.kill(pid, signal.SIGKILL)
                return


def _take_orders(door: socket.socket, running: dict[int, tuple[int, int]]) -> bool:
    text, files, _, _ = socket.recv_fds(door, MOST_ORDERS_BYTES, _MOST_FILES)
    if not text:
        return False
    orders = json.loads(text)
    ends, *others = files
    pid = _fork(
        orders["arguments"],
        orders["environ"],
        dict(zip(orders["files"], others, strict=True)),
        folder=orders["folder"],
        leads_session=orders["leads_session"],
    )
    for file in others:
        os.close(file)
    os.write(ends, str(pid).rjust(PID_BYTES).encode())
    running[os.pidfd_open(pid)] = pid, ends
    return True


def _tell_end(descriptor: int, pid: int, ends: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
        os.write(ends, str(code).encode())
    os.close(ends)
    os.close(descriptor)


def _fork(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    files: Files,
    *,
    folder: str | None = None,
    leads_session: bool = False,
) -> int:
    """The pid of a process that runs `python -m …`."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with _no_signals() as before:
        pid = os.fork()
        if pid:
            return pid
        try:
            _forget_signals()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if leads_session:
                os.setsid()
            _take_files(files)
            os.environ.clear()
            os.environ.update(environ)
            if folder is not None:
                os.chdir(folder)
                sys.path[0] = folder
            _show([sys.executable, "-m", *arguments])
            _run(*arguments)
        finally:
            os._exit(1)


@contextlib.contextmanager
def _no_signals() -> Iterator[set[signal.Signals]]:
    """Until a new process has forgotten its parent's handlers, which would tell the parent of its signals."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forget_signals() -> None:
    """As a new program: what had a handler has none any more, what was ignored still is."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)


def _take_files(files: Files) -> None:
    beyond = max(files, default=0) + 3
    taken = {number: fcntl.fcntl(file, fcntl.F_DUPFD, beyond) for number, file in files.items()}
    for path in list(Path("/proc/self/fd").iterdir()):
        number = int(path.name)
        if number > 2 and number not in taken.values():
            with contextlib.suppress(OSError):  # the one of the listing itself
                os.close(number)
    for number, file in taken.items():
        os.dup2(file, number)
        os.close(file)


def _show(arguments: Sequence[str]) -> None:
    """Where the kernel reads them: in the place of those that the nursery was started with."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # `arg_start` and `arg_end` of proc(5)
    text = b"\0".join(os.fsencode(each) for each in arguments)[: end - start - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, text, len(text))


def _run(module: str, *arguments: str) -> NoReturn:
    """What `python -m` does, from its streams to its exit code."""
    _open_streams()
    subprocess.Popen = _Popen  # type: ignore[misc]
    sys.argv[1:] = arguments
    sys.modules.pop(module, None)  # it becomes `__main__`
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as a program that crashes
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _open_streams() -> None:
    is_unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False), "utf-8")
    for number, name in ((1, "stdout"), (2, "stderr")):
        raw = os.fdopen(number, "wb", 0 if is_unbuffered else -1, closefd=False)
        setattr(
            sys, name, io.TextIOWrapper(raw, "utf-8", line_buffering=number == 2, write_through=is_unbuffered)
        )


_POPEN: Final = subprocess.Popen
_GIVEN: Final = inspect.signature(_POPEN._execute_child)  # type: ignore[attr-defined]
_PIPES: Final = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


def _has_foreign_threads() -> bool:
    """As those of Rust's runtime, once a bucket was asked: it would be dead in a process that is forked."""
    return len(list(Path("/proc/self/task").iterdir())) != threading.active_count()


class _Popen(_POPEN):  # type: ignore[type-arg, misc]
    """Forks where a new interpreter would run what is imported here already, if it can."""

    def _execute_child(self, *given: Any) -> None:
        how = _GIVEN.bind(self, *given).arguments
        command = list(how["args"])
        if command[:2] != [sys.executable, "-m"] or command[2] not in _OWN or _has_foreign_threads():
            super()._execute_child(*given)
            return
        streams = enumerate(how[name] for name in ("p2cread", "c2pwrite", "errwrite"))
        given_files = {number: file for number, file in streams if file >= 0}
        self.pid = _fork(
            command[2:],
            dict(os.environ if how["env"] is None else how["env"]),
            given_files | {file: file for file in how["pass_fds"]},
            leads_session=how["start_new_session"],
        )
        self._child_created = True
        self._close_pipe_fds(*(how[name] for name in _PIPES))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
