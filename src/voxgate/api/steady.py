"""Reads what is stored of a session while the recorder may be changing it: it is put away, made silent, or
recorded again from its wire log. What is read belongs to one state of the session, or it is no answer.

The recorder says in the session's row that it begins again, before it touches anything that is stored. So
what was opened before, and found the row unchanged afterwards, is whole; and it stays so while it is open.
"""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from voxgate.api.access import Control
from voxgate.api.answers import Conflict
from voxgate.core.errors import BlobsUnavailable, VoxgateError
from voxgate.store import BEGUN_AGAIN, Blobs

_MOST_LOOKS: Final = 5

Row = dict[str, Any]
Found = TypeVar("Found")


class RecordedAgain(VoxgateError):
    """What is asked for is just being made from the wire log, or has changed while it was read."""

    status = 503
    close_code = 1013
    code = "recorded_again"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"The sound and the event log of session {session_id} are just being made again from the log of"
            " its call, because its recorder was interrupted. Ask again in a second."
        )


class OpenBlob:
    """A blob as it was when it was opened, whatever becomes of its name. It is closed when nobody has it any
    more: what it is read for may end at any time."""

    def __init__(self, blobs: Blobs, key: str) -> None:
        self._file = blobs.open(key)
        weakref.finalize(self, self._file.close)
        self.size = self._file.seek(0, io.SEEK_END)

    def read(self, start: int, end: int) -> bytes:
        """The bytes `[start:end]`, which have to be there. NotFound where a bucket has it no more."""
        self._file.seek(start)
        data = self._file.read(end - start)
        if len(data) != end - start:
            raise BlobsUnavailable("What is stored was changed while it was read. Ask again.")
        return data


def check_readable(row: Mapping[str, Any]) -> None:
    """RecordedAgain while that is so; Conflict while what the project's rules find is still in the sound and
    in the event log."""
    if row["data"].get(BEGUN_AGAIN):
        raise RecordedAgain(row["id"])
    if (row["data"].get("redaction") or {}).get("state") == "pending":
        raise Conflict(
            f"The sound and the event log of session {row['id']} are not shown before the call is over and"
            " what its project's rules find is taken out of them."
        )


def read_steadily(control: Control, find: Callable[[], Row], read: Callable[[Row], Found]) -> Found:
    """What `read` finds for the row; both again if the row has become another one meanwhile."""
    for _ in range(_MOST_LOOKS):
        row = find()
        check_readable(row)
        try:
            with unchanged(control, row):
                return read(row)
        except RecordedAgain:
            continue
    raise RecordedAgain(row["id"])


@contextmanager
def unchanged(control: Control, row: Row) -> Iterator[None]:
    """RecordedAgain if the row of a session that is over is another one afterwards, or a call has ended, or
    is recorded again: then it does not count what was read, nor why it could not be."""
    try:
        yield
    except VoxgateError as error:
        if _has_changed(control, row):
            raise RecordedAgain(row["id"]) from error
        raise
    if _has_changed(control, row):
        raise RecordedAgain(row["id"])


def _has_changed(control: Control, row: Row) -> bool:
    if row["status"] != "live":
        return bool(control.store.session_revision(row["id"]) != row["revision"])
    now = control.store.get_session(row["id"], with_spans=False)
    return now is None or now["status"] != "live" or bool(now["data"].get(BEGUN_AGAIN))
