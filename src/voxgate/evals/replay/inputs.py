"""Where the recorded calls and the sound of cases come from: blobs of a data set or the sessions of a running
Voxgate, over its API, or files. What was read last stays in memory: the turns of one call are many cases.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from voxgate.audio.pcm import Samples
from voxgate.client.http import ApiError, Client
from voxgate.core.errors import SettingsError
from voxgate.evals.model import Case, Clip
from voxgate.evals.protocols import TaskError
from voxgate.evals.replay.recorded import RecordedCall, read_call
from voxgate.evals.replay.sound import read_sound
from voxgate.evals.sources import lines_of
from voxgate.recording.eventlog import read_events

_DEFAULT_PROJECT: Final = "default"
_KEPT_CALLS: Final = 8
_KEPT_BYTES: Final = 256 << 20
"""Of all kept calls together; the last one stays however long it is."""


class Inputs:
    def __init__(self) -> None:
        self._client: Client | None = None
        self._project: str | None = None
        self._calls: OrderedDict[str, RecordedCall] = OrderedDict()
        self._reading: dict[str, asyncio.Lock] = {}

    @property
    def client(self) -> Client:
        """TaskError where it is not known how to reach a Voxgate."""
        if self._client is None:
            try:
                self._client = Client()
            except SettingsError as error:
                raise TaskError(error.message, retryable=False) from error
        return self._client

    async def project(self) -> str:
        """Where replays are recorded that name no project: the API key's own."""
        if self._project is None:
            found = await asyncio.to_thread(self._own_project)
            self._project = str(found or _DEFAULT_PROJECT)
        return self._project

    def _own_project(self) -> Any:
        try:
            return self.client.call("GET", "/api/me")["project"]
        except ApiError as error:
            raise _as_task_error("/api/me", error) from error

    async def call(self, case: Case) -> RecordedCall:
        """The recorded call of a case of the kinds `turn` and `session`."""
        name = self._place_of(case)
        lock = self._reading.setdefault(name, asyncio.Lock())
        async with lock:
            if name not in self._calls:
                self._calls[name] = await asyncio.to_thread(self._read_call, name)
                self._forget()
            self._calls.move_to_end(name)
        self._reading.pop(name, None)
        return self._calls[name]

    def call_now(self, case: Case) -> RecordedCall:
        """The same for those that cannot wait."""
        name = self._place_of(case)
        return self._calls.get(name) or self._read_call(name)

    async def clip(self, case: Case, clip: Clip) -> tuple[Samples, int]:
        """Samples and rate."""
        name = clip.path or (self._blob(case, clip.blob) if clip.blob else None)
        if name is None:
            raise TaskError(f"The case {case.id} has a clip without a file or a blob.", retryable=False)
        data = await asyncio.to_thread(lambda: b"".join(self._bytes(name)))
        return await asyncio.to_thread(read_sound, data, name)

    def _place_of(self, case: Case) -> str:
        if case.input.recording is not None:
            return self._blob(case, case.input.recording)
        if case.session_id is not None:
            return f"/api/sessions/{case.session_id}/events"
        raise TaskError(
            f"The case {case.id} has no recording: neither a blob nor a session.", retryable=False
        )

    @staticmethod
    def _blob(case: Case, name: str) -> str:
        if case.dataset_id is not None:
            return f"/api/datasets/{case.dataset_id}/blobs/{name}"
        if name.startswith("sess_"):
            return f"/api/sessions/{name}/events"
        return name

    def _read_call(self, name: str) -> RecordedCall:
        return read_call(read_events(lines_of(self._bytes(name))))

    def _bytes(self, name: str) -> Iterator[bytes]:
        if not name.startswith("/api/"):
            yield _file(Path(name))
            return
        try:
            yield from self.client.stream(name)
        except ApiError as error:
            raise _as_task_error(name, error) from error

    def _forget(self) -> None:
        while len(self._calls) > 1 and (
            len(self._calls) > _KEPT_CALLS or sum(_size(one) for one in self._calls.values()) > _KEPT_BYTES
        ):
            self._calls.popitem(last=False)


def _as_task_error(name: str, error: ApiError) -> TaskError:
    status = error.http_status
    final = status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR
    return TaskError(f"{name} cannot be read: {error.message}", retryable=not final)


def _size(call: RecordedCall) -> int:
    return int(call.samples.nbytes)


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}", retryable=False) from error
