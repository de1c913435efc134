"""The object store: bytes under keys such as `sessions/<id>/events.jsonl`, here as files of one folder.

`Blobs` is what a backend must do; `FolderBlobs` is the one for a single machine or a folder that machines
share, `staged` the one for a bucket.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from voxgate.core.errors import InvalidRequest, NotFound

# No segment starts with a dot: neither `..` nor the temporary files of `put`.
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_READ_BYTES: Final = 64 << 10
"""At once: the lines of an event log are longer than what files read by default."""
_WRITE_BYTES: Final = 128 << 10
"""At once. Many kernels take the core from nobody in the middle of a system call: a megabyte would keep
whatever shares the core, such as a call, waiting for a millisecond and more."""

_MANY_FILES: Final = 4
_MOST_REMOVALS: Final = 20
_NO_LINKS: Final = frozenset((errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS))
"""A file system that makes no second name for a file, or another one than the file's."""


class InvalidBlobKey(InvalidRequest, ValueError):
    """A key that could leave the store's folder, or that not every backend takes."""


class Blobs(Protocol):
    """Prefixes are whole path segments: `sessions/a` does not mean `sessions/ab`. Missing blobs: NotFound."""

    def append(self, key: str, data: bytes) -> None:
        """Add to the end; the first append makes the blob. Readers on this machine may see it at once, those
        of others after `sync`."""

    def put(self, key: str, data: bytes) -> None:
        """Replace the blob as a whole: a reader sees the old bytes or the new ones, never a mixture. Readers
        of other machines may have to wait for `sync`."""

    def put_file(self, key: str, source: Path) -> None:
        """As `put`, from a local file of any size, which stays. Afterwards everybody sees it."""

    def take_file(self, key: str, source: Path) -> None:
        """As `put_file`, from one that nobody writes to any more: the blob may be this very file."""

    def open(self, key: str) -> BinaryIO:
        """Read from the start; the caller closes it."""

    def size(self, key: str) -> int | None:
        """In bytes; None if there is no such blob."""

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes `[start:end]` as far as they are there."""

    def delete_prefix(self, prefix: str) -> int:
        """Delete every blob under the prefix; how many there were."""

    def clear(self, prefix: str) -> None:
        """Forget what an earlier attempt left under the prefix, at the latest before anything new is stored
        there. Waits for no network."""

    def unsynced(self, prefix: str) -> Sequence[str]:
        """What is under the prefix and may need `sync`."""

    def sync(self, key: str) -> bool:
        """Whether the blob's bytes would survive: a power cut, and the machine where the store is shared. If
        not it is under way: ask again."""

    def sync_all(self, keys: Sequence[str]) -> Sequence[str]:
        """As `sync` of each; those that are still under way. May be asked in a thread of its own."""

    def folders(self, prefix: str) -> Sequence[str]:
        """The names right under the prefix under which there are blobs, sorted."""

    def tidy(self) -> None:
        """What is to be done from time to time."""

    def list(self, prefix: str = "") -> Sequence[str]:
        """The keys under the prefix, sorted."""


class FolderBlobs:
    """Blobs as files under one folder. Safe to use from many threads and processes."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def append(self, key: str, data: bytes) -> None:
        path = self._name(key)
        try:
            _append(path, data)
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            _append(path, data)

    def put(self, key: str, data: bytes) -> None:
        self._replace(key, io.BytesIO(data))

    def put_file(self, key: str, source: Path) -> None:
        with source.open("rb") as file:
            self._replace(key, file)

    def take_file(self, key: str, source: Path) -> None:
        try:
            with self._replacing(key) as temporary:
                os.link(source, temporary)
                _fsync(temporary)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self.put_file(key, source)

    def _replace(self, key: str, source: BinaryIO) -> None:
        with self._replacing(key) as temporary:
            _write_through(temporary, source)

    @contextmanager
    def _replacing(self, key: str) -> Iterator[Path]:
        """The name of a file that becomes the blob once it is there."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def open(self, key: str) -> BinaryIO:
        with _named(key):
            return self._path(key).open("rb", buffering=_READ_BYTES)

    def size(self, key: str) -> int | None:
        try:
            found = os.stat(self._name(key))  # noqa: PTH116 - asked often
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read_range(self, key: str, start: int, end: int) -> bytes:
        with self.open(key) as file:
            file.seek(start)
            return file.read(max(end - start, 0))

    def delete_prefix(self, prefix: str) -> int:
        keys = self.list(prefix)
        _remove(self._path(prefix.rstrip("/")))
        return len(keys)

    def clear(self, prefix: str) -> None:
        if os.path.exists(self._name(prefix.rstrip("/"))):  # noqa: PTH110 - asked for each session
            self.delete_prefix(prefix)

    def unsynced(self, prefix: str) -> Sequence[str]:
        return self.list(prefix)

    def sync(self, key: str) -> bool:
        path = self._path(key)
        with _named(key):
            _fsync(path)
        # The name too: a file that was just made is in its folder only once the folder is written.
        _fsync(path.parent)
        return True

    def sync_all(self, keys: Sequence[str]) -> Sequence[str]:
        """Few one by one. Many by writing whatever of the file system is not written: of each file it costs
        a twentieth."""
        if len(keys) < _MANY_FILES or not sync_file_system(self.root):
            for key in keys:
                self.sync(key)
        return ()

    def tidy(self) -> None:
        """Nothing has to be."""

    def folders(self, prefix: str) -> Sequence[str]:
        base = self._path(prefix.rstrip("/"))
        if not base.is_dir():
            return []
        found = (path for path in base.iterdir() if path.is_dir() and not path.name.startswith("."))
        return sorted(path.name for path in found if any(True for _ in _files(path)))

    def path(self, key: str) -> Path:
        """Where the blob is a file."""
        return self._path(key)

    def changed_at(self, key: str) -> float | None:
        """In seconds since 1970; None if there is no such blob."""
        try:
            return self._path(key).stat().st_mtime
        except FileNotFoundError:
            return None

    def list(self, prefix: str = "") -> Sequence[str]:
        base = self._path(prefix.rstrip("/")) if prefix else self.root
        if base.is_file():
            return [prefix.rstrip("/")]
        return sorted(path.relative_to(self.root).as_posix() for path in _files(base))

    def _path(self, key: str) -> Path:
        return Path(self._name(key))

    def _name(self, key: str) -> str:
        return f"{self.root}/{check_key(key)}"


def check_key(key: str) -> str:
    """The key, if every backend takes it."""
    if not _KEY.fullmatch(key):
        raise InvalidBlobKey(
            f"{key[:100]!r} is not a key of a blob: names of letters, digits, '.', '_' and '-', none"
            " starting with '.', with '/' between them."
        )
    return key


def _remove(path: Path) -> None:
    """A file, or a folder with what is in it, also while another process writes there: what that one adds or
    takes away meanwhile is met again."""
    for _ in range(_MOST_REMOVALS):
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except (FileNotFoundError, IsADirectoryError):
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return
    if path.exists():
        shutil.rmtree(path)


def _append(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:_WRITE_BYTES]) :]
    finally:
        os.close(descriptor)


def _write_through(path: Path, source: BinaryIO) -> None:
    with path.open("xb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        # Without this a power cut after the rename may leave an empty file under the final name.
        os.fsync(file.fileno())


def _find_syncfs() -> Callable[[int], int] | None:
    """syncfs(2) says what could not be written since Linux 5.8; one that does not say it is of no use."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or release is None or (int(release[1]), int(release[2])) < (5, 8):
        return None
    try:
        found: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return None
    return found


_syncfs: Final = _find_syncfs()


def sync_file_system(folder: Path) -> bool:
    """Puts everything on the disk that was written to its file system before; False where that cannot be
    done. OSError where something could not be written."""
    if _syncfs is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if _syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
    return True


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(base: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(base):
        names[:] = [name for name in names if not name.startswith(".")]
        yield from (Path(folder, name) for name in files if not name.startswith("."))


@contextmanager
def _named(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"There is no blob {key}.") from error
