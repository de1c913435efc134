"""What was recorded of a call, through the HTTP API as any user would read it: the status of its trace, the
size of its tracks, and for a sample every sound sample and every message. What was looked at is deleted, or
an hour would fill the disk.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import aiohttp

from bench.soak import judge
from bench.soak.judge import SURVIVED, WORKER_KILLED, Verdict
from bench.soak.ledger import Column, Ledger
from bench.soak.script import Direction, down_message, sound, sound_bytes, up_message

_WAV_HEAD_BYTES: Final = 44
_TRACKS: Final[dict[str, Direction]] = {"user": "up", "assistant": "down"}
_ATTEMPTS: Final = 3
_LOOKS: Final = 200
_PAUSE_SECONDS: Final = 1.5
"""A worker that is killed in the middle of an answer is no fault of the recording: it is asked again."""
_GONE: Final = 404


class _RecordedAgain(Exception):
    """The recorder was killed just before a log was gone: what it has stored is made anew."""


_Found = TypeVar("_Found")

_LATER = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, _RecordedAgain)


@dataclass(slots=True)
class Findings:
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    checked: int = 0
    exact_tracks: int = 0
    exact_logs: int = 0
    recorded_messages: int = 0
    incomplete: list[str] = field(default_factory=list)
    """Traces that say themselves that something is missing."""
    wrong: list[str] = field(default_factory=list)
    not_closed: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        for outcome, statuses in other.statuses.items():
            self.statuses.setdefault(outcome, Counter()).update(statuses)
        for name in ("checked", "exact_tracks", "exact_logs", "recorded_messages"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("incomplete", "wrong", "not_closed"):
            getattr(self, name).extend(getattr(other, name))


class Recordings:
    def __init__(self, url: str, key: str, ledger: Ledger, sampled_share: float, seed: int) -> None:
        self.findings = Findings()
        self._url = url
        self._headers = {"authorization": f"Bearer {key}"}
        self._ledger = ledger
        self._sampled_share = sampled_share
        self._seed = seed
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Recordings:
        self._http = aiohttp.ClientSession(
            self._url, headers=self._headers, timeout=aiohttp.ClientTimeout(120)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def check(self, verdict: Verdict) -> None:
        """A finished session: looks at it and deletes it."""
        found = await _patiently(partial(self._look, verdict))
        self.findings.add(found)
        if found.checked and not found.not_closed:
            await _patiently(partial(self._delete, verdict.session))

    async def _look(self, verdict: Verdict) -> Findings:
        found = Findings()
        session = verdict.session
        try:
            trace = await self._get(f"/api/sessions/{session}")
        except aiohttp.ClientResponseError as error:
            found.not_closed.append(f"{session} ({verdict.outcome}): {error.status}")
            return found
        status = trace["status"]
        if trace.get("begun_again"):
            raise _RecordedAgain
        found.checked += 1
        found.statuses.setdefault(verdict.outcome, Counter())[status] += 1
        if status == "live":
            found.not_closed.append(f"{session} ({verdict.outcome}) is {status}")
            return found
        if trace.get("lost"):
            found.incomplete.append(f"{session} ({verdict.outcome}): {trace['lost']}")
        else:
            await self._compare(verdict, trace, found)
        return found

    async def _compare(self, verdict: Verdict, trace: dict[str, Any], found: Findings) -> None:
        if verdict.outcome == SURVIVED and trace["status"] != "complete":
            _wrong(found, verdict, f"the call survived, its trace is {trace['status']}")
        if verdict.outcome.startswith("provider") and trace["status"] == "complete":
            close = trace.get("close")
            _wrong(found, verdict, f"its trace is complete: {close}, errors {trace.get('errors')}")
        for track, direction in _TRACKS.items():
            size = (trace["tracks"].get(track) or {}).get("bytes", 0)
            least, most = (sound_bytes(verdict.plan, direction, n) for n in self._bounds(verdict, direction))
            if not least <= size <= most:
                _wrong(found, verdict, f"the track {track} has {size} bytes, not {least} to {most}")
        if verdict.outcome in (SURVIVED, WORKER_KILLED) and self._is_chosen(verdict):
            recorded = await self._compare_log(verdict, found)
            if recorded is not None:
                await self._compare_tracks(verdict, recorded, found)

    def _is_chosen(self, verdict: Verdict) -> bool:
        chance = random.Random(f"{self._seed}/{verdict.plan.number}/sample").random()
        return chance < self._sampled_share

    def _bounds(self, verdict: Verdict, direction: Direction) -> tuple[int, int]:
        """Of messages: what was received at least crossed the gateway, and nothing that was not sent."""
        up = direction == "up"
        sent = self._count(verdict, Column.UP_SENT if up else Column.DOWN_SENT)
        match verdict.outcome:
            case judge.SURVIVED:
                return sent, sent
            case judge.WORKER_KILLED:
                return self._count(verdict, Column.KEPT_UP if up else Column.KEPT_DOWN), sent
        return self._count(verdict, Column.UP_RECEIVED if up else Column.DOWN_RECEIVED), sent

    def _count(self, verdict: Verdict, column: Column) -> int:
        return self._ledger.get(verdict.plan.number, column)

    async def _compare_tracks(
        self, verdict: Verdict, recorded: dict[Direction, int], found: Findings
    ) -> None:
        for track, direction in _TRACKS.items():
            expected = b"".join(sound(verdict.plan, direction, recorded[direction]))
            if not expected:
                continue
            path = f"/api/sessions/{verdict.session}/audio?track={track}&format=wav"
            at = -_WAV_HEAD_BYTES
            same = True
            async for piece in self._stream(path):
                begin = max(at, 0)
                body = piece[begin - at :] if at < 0 else piece
                at += len(piece)
                same = same and expected[begin : begin + len(body)] == body
            if same and at == len(expected):
                found.exact_tracks += 1
            else:
                _wrong(found, verdict, f"the track {track} is not the sound that was sent")

    async def _compare_log(self, verdict: Verdict, found: Findings) -> dict[Direction, int] | None:
        """Every message once, in order, as it was sent; of a call whose worker was killed those until then.
        How many there are of each direction; None if one of them is another."""
        messages: dict[Direction, int] = {"up": 0, "down": 0}
        makers = {"up": up_message, "down": down_message}
        rest = b""
        async for piece in self._stream(f"/api/sessions/{verdict.session}/events"):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                head, _, message = line.partition(b',"msg":')
                if not message or head.endswith(b'"gateway"'):
                    continue
                side: Direction = "up" if head.endswith(b'"client"') else "down"
                if message[:-1] != makers[side](verdict.plan, messages[side]):
                    _wrong(found, verdict, f"message {messages[side]} {side} in the event log is another")
                    return None
                messages[side] += 1
        found.recorded_messages += sum(messages.values())
        bounds = {side: self._bounds(verdict, side) for side in messages}
        if all(bounds[side][0] <= count <= bounds[side][1] for side, count in messages.items()):
            found.exact_logs += 1
        else:
            _wrong(found, verdict, f"the event log has {messages} messages, not {bounds}")
        return messages

    async def left(self) -> list[dict[str, Any]]:
        """The sessions that are still in the list, at most 500."""
        page = await self._get("/api/sessions?limit=500")
        items: list[dict[str, Any]] = page["items"]
        return items

    async def _get(self, path: str) -> dict[str, Any]:
        assert self._http is not None
        async with self._http.get(path) as answer:
            answer.raise_for_status()
            found: dict[str, Any] = await answer.json()
            return found

    async def _stream(self, path: str) -> AsyncIterator[bytes]:
        """A recording that cannot be read just now is asked for again; what the answer was is said."""
        assert self._http is not None
        for attempt in range(_ATTEMPTS):
            async with self._http.get(path) as answer:
                if answer.status == 503 and (await answer.json())["error"]["code"] == "recorded_again":
                    raise _RecordedAgain
                if answer.status < 500 or attempt == _ATTEMPTS - 1:
                    answer.raise_for_status()
                    async for piece in answer.content.iter_chunked(256 << 10):
                        yield piece
                    return
                print(f"  asked again: {path}: {answer.status} {await answer.text()}", flush=True)
            await asyncio.sleep(1)

    async def _delete(self, session: str | None) -> None:
        assert self._http is not None
        for _ in range(_ATTEMPTS):
            async with self._http.delete(f"/api/sessions/{session}") as answer:
                if answer.status < 500:
                    if answer.status != _GONE:  # an answer before this one may have been cut off
                        answer.raise_for_status()
                    return


async def _patiently(what: Callable[[], Awaitable[_Found]]) -> _Found:
    for _ in range(_LOOKS - 1):
        with suppress(*_LATER):
            return await what()
        await asyncio.sleep(_PAUSE_SECONDS)
    return await what()


def _wrong(found: Findings, verdict: Verdict, what: str) -> None:
    found.wrong.append(f"{verdict.session}, call {verdict.plan.number} ({verdict.outcome}): {what}")
