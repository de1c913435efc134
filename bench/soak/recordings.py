"""What was recorded of a call, through the HTTP API as any user would read it: the status of its trace, the
size of its tracks, and for a sample every sound sample and every message. What was looked at is deleted, or
an hour would fill the disk.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bench.soak.judge import SURVIVED, Verdict
from bench.soak.ledger import Column, Ledger
from bench.soak.script import Direction, down_message, sound, sound_bytes, up_message

_WAV_HEAD_BYTES: Final = 44
_TRACKS: Final[dict[str, Direction]] = {"user": "up", "assistant": "down"}
_ATTEMPTS: Final = 3


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
        session = verdict.session
        try:
            trace = await self._get(f"/api/sessions/{session}")
        except aiohttp.ClientResponseError as error:
            self.findings.not_closed.append(f"{session} ({verdict.outcome}): {error.status}")
            return
        status = trace["status"]
        self.findings.checked += 1
        self.findings.statuses.setdefault(verdict.outcome, Counter())[status] += 1
        if status == "live":
            self.findings.not_closed.append(f"{session} ({verdict.outcome}) is {status}")
            return
        if trace.get("lost"):
            self.findings.incomplete.append(f"{session} ({verdict.outcome}): {trace['lost']}")
        else:
            await self._compare(verdict, trace)
        await self._delete(session)

    async def _compare(self, verdict: Verdict, trace: dict[str, Any]) -> None:
        if verdict.outcome == SURVIVED and trace["status"] != "complete":
            self._wrong(verdict, f"the call survived, its trace is {trace['status']}")
        if verdict.outcome.startswith("provider") and trace["status"] == "complete":
            self._wrong(verdict, f"its trace is complete: {trace.get('close')}, errors {trace.get('errors')}")
        for track, direction in _TRACKS.items():
            size = (trace["tracks"].get(track) or {}).get("bytes", 0)
            least, most = self._size_bounds(verdict, direction)
            if not least <= size <= most:
                self._wrong(verdict, f"the track {track} has {size} bytes, not {least} to {most}")
        chosen = random.Random(f"{self._seed}/{verdict.plan.number}/sample").random() < self._sampled_share
        if verdict.outcome == SURVIVED and chosen:
            await self._compare_tracks(verdict)
            await self._compare_log(verdict)

    def _size_bounds(self, verdict: Verdict, direction: Direction) -> tuple[int, int]:
        """What was received at least crossed the gateway, and nothing that was not sent."""
        number = verdict.plan.number
        up = direction == "up"
        received = self._ledger.get(number, Column.UP_RECEIVED if up else Column.DOWN_RECEIVED)
        sent = self._ledger.get(number, Column.UP_SENT if up else Column.DOWN_SENT)
        if verdict.outcome == SURVIVED:
            received = sent
        plan = verdict.plan
        return sound_bytes(plan, direction, received), sound_bytes(plan, direction, sent)

    async def _compare_tracks(self, verdict: Verdict) -> None:
        for track, direction in _TRACKS.items():
            expected = b"".join(sound(verdict.plan, direction, self._sent(verdict, direction)))
            path = f"/api/sessions/{verdict.session}/audio?track={track}&format=wav"
            at = -_WAV_HEAD_BYTES
            same = True
            async for piece in self._stream(path):
                begin = max(at, 0)
                body = piece[begin - at :] if at < 0 else piece
                at += len(piece)
                same = same and expected[begin : begin + len(body)] == body
            if same and at == len(expected):
                self.findings.exact_tracks += 1
            else:
                self._wrong(verdict, f"the track {track} is not the sound that was sent")

    async def _compare_log(self, verdict: Verdict) -> None:
        """Every message once, in order, as it was sent."""
        messages = {"client": 0, "server": 0}
        makers = {"client": up_message, "server": down_message}
        rest = b""
        async for piece in self._stream(f"/api/sessions/{verdict.session}/events"):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                head, _, message = line.partition(b',"msg":')
                side = "client" if head.endswith(b'"client"') else "server"
                if not message or head.endswith(b'"gateway"'):
                    continue
                if message[:-1] != makers[side](verdict.plan, messages[side]):
                    self._wrong(verdict, f"the event log's {side} message {messages[side]} is another")
                    return
                messages[side] += 1
        self.findings.recorded_messages += sum(messages.values())
        if (messages["client"], messages["server"]) == (
            self._sent(verdict, "up"),
            self._sent(verdict, "down"),
        ):
            self.findings.exact_logs += 1
        else:
            self._wrong(verdict, f"the event log has {messages}, not every message")

    def _sent(self, verdict: Verdict, direction: Direction) -> int:
        column = Column.UP_SENT if direction == "up" else Column.DOWN_SENT
        return self._ledger.get(verdict.plan.number, column)

    def _wrong(self, verdict: Verdict, what: str) -> None:
        self.findings.wrong.append(
            f"{verdict.session}, call {verdict.plan.number} ({verdict.outcome}): {what}"
        )

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
        assert self._http is not None
        async with self._http.get(path) as answer:
            answer.raise_for_status()
            async for piece in answer.content.iter_chunked(256 << 10):
                yield piece

    async def _delete(self, session: str | None) -> None:
        assert self._http is not None
        for _ in range(_ATTEMPTS):
            async with self._http.delete(f"/api/sessions/{session}") as answer:
                if answer.status < 500:
                    answer.raise_for_status()
                    return
