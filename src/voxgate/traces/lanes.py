"""Where sound lies on the call's clock. `UserLane` maps the user's audio clock (what was appended) to the
time of sending; `AssistantLane` lays generated audio out to the time of playing and knows how much of it was
heard. Both merge what is contiguous, so that an hour's call stays small.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

_GAP_MS = 100.0
"""A chunk sent up to this much after the end of the one before continues it: that is jitter, no pause."""
_CONTIGUOUS_MS = 0.001


@dataclass(slots=True)
class Run:
    """Frames of a track that play without a pause. `heard` counts the frames until the cut; None: all."""

    start_frame: int
    frames: int
    start_ms: float
    item_id: str | None = None
    response_id: str | None = None
    heard: int | None = None

    @property
    def end_frame(self) -> int:
        return self.start_frame + self.frames

    @property
    def heard_frames(self) -> int:
        return self.frames if self.heard is None else self.heard


class UserLane:
    """Chunks lie where they were sent; what was sent faster than it sounds follows on without a pause."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.runs: list[Run] = []
        self.moved_frame: int | None = None
        """From this frame on other times may hold than when somebody last set it to None."""
        self._starts: list[int] = []

    @property
    def frames(self) -> int:
        return self.runs[-1].end_frame if self.runs else 0

    @property
    def end_ms(self) -> float:
        return self._end(self.runs[-1]) if self.runs else 0.0

    def add(self, frames: int, t_ms: float) -> None:
        if runs := self.runs:
            last = runs[-1]
            if t_ms - (last.start_ms + last.frames * 1000 / self.rate) <= _GAP_MS:
                last.frames += frames
                if len(runs) > 1:
                    self._catch_up(t_ms)
                return
        self._starts.append(self.frames)
        self.runs.append(Run(self.frames, frames, t_ms))

    def _catch_up(self, t_ms: float) -> None:
        """A stall whose backlog came in a burst was no pause of the speaker: the audio clock ran on."""
        before, last = self.runs[-2:]
        gap_ms = last.start_ms - self._end(before)
        if self._end(last) - t_ms >= gap_ms:
            before.frames += last.frames
            first = last.start_frame
            self.moved_frame = first if self.moved_frame is None else min(first, self.moved_frame)
            self.runs.pop()
            self._starts.pop()

    def frame_at(self, audio_ms: float) -> int:
        return round(audio_ms * self.rate / 1000)

    def time_of(self, audio_ms: float) -> float | None:
        """When this moment of the user's audio was sent; None if it was not (yet)."""
        frame = self.frame_at(audio_ms)
        if not self.runs or frame > self.frames:
            return None
        run = self.runs[max(bisect_right(self._starts, frame) - 1, 0)]
        return run.start_ms + (frame - run.start_frame) * 1000 / self.rate

    def _end(self, run: Run) -> float:
        return run.start_ms + run.frames * 1000 / self.rate


@dataclass(frozen=True, slots=True)
class Cut:
    """How much of an item was heard, and when that was known. `exact` if the client or the provider's buffer
    said so; `by_close` if nobody cut it but the end of the call."""

    heard_ms: float
    exact: bool
    at_ms: float
    by_close: bool = False


class AssistantLane:
    """`play_start = max(received, end of what plays before)`; a cut empties what waits to be played."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.runs: list[Run] = []
        self.frames = 0
        self.end_ms = 0.0
        self.cuts: dict[str, Cut] = {}
        self.underrun_ms: dict[str, float] = {}
        self.touched: set[str] = set()
        """Items that were played, or cut, since somebody last emptied it."""
        self._by_item: dict[str, list[Run]] = {}
        self._stopped_responses: dict[str, tuple[bool, float]] = {}
        self._closed_ms: float | None = None

    def add(self, frames: int, t_ms: float, item_id: str, response_id: str) -> None:
        self.touched.add(item_id)
        stopped = self._is_stopped(item_id, response_id)
        last = self.runs[-1] if self.runs else None
        start_ms = t_ms if stopped else max(t_ms, self.end_ms)
        if last and last.response_id == response_id and start_ms > self.end_ms and not stopped:
            gap_ms = start_ms - self.end_ms
            self.underrun_ms[response_id] = self.underrun_ms.get(response_id, 0.0) + gap_ms
        if last and self._continues(last, item_id, start_ms, stopped=stopped):
            last.frames += frames
        else:
            self._append(Run(self.frames, frames, start_ms, item_id, response_id, 0 if stopped else None))
        self.frames += frames
        if not stopped:
            self.end_ms = start_ms + frames * 1000 / self.rate

    def _continues(self, last: Run, item_id: str, start_ms: float, *, stopped: bool) -> bool:
        if last.item_id != item_id:
            return False
        if stopped:
            return last.heard == 0
        return last.heard is None and abs(self._end(last) - start_ms) < _CONTIGUOUS_MS

    def _is_stopped(self, item_id: str, response_id: str) -> bool:
        """Audio that comes after its response was stopped is generated and never heard."""
        stopped = self._stopped_responses.get(response_id)
        if stopped is not None:
            self.cuts.setdefault(item_id, Cut(self._ms(self.heard_frames(item_id)), *stopped))
        elif self._closed_ms is not None:
            heard_ms = self._ms(self.heard_frames(item_id))
            self.cuts.setdefault(item_id, Cut(heard_ms, exact=False, at_ms=self._closed_ms, by_close=True))
        return item_id in self.cuts

    def _append(self, run: Run) -> None:
        self.runs.append(run)
        if run.item_id is not None:
            self._by_item.setdefault(run.item_id, []).append(run)

    def truncate(self, item_id: str, audio_end_ms: float, t_ms: float) -> None:
        """The client heard `audio_end_ms` of the item and stopped playing, whatever waited after it."""
        if item_id in self.cuts and self.cuts[item_id].exact:
            return
        self.touched.add(item_id)
        runs = self.item_runs(item_id)
        was_playing = bool(runs) and self._end(runs[-1]) > t_ms
        left = round(audio_end_ms * self.rate / 1000)
        for run in runs:
            run.heard = min(run.frames, left)
            left -= run.heard
        self.cuts[item_id] = Cut(self._ms(self.heard_frames(item_id)), exact=True, at_ms=t_ms)
        if was_playing:
            self._stop(t_ms, exact=False)

    def stop(self, t_ms: float, response_id: str | None, *, exact: bool) -> None:
        """Playing stopped at `t_ms`, also of the response's audio that is still to come."""
        self._stop(t_ms, exact=exact)
        if response_id:
            self._stopped_responses[response_id] = exact, t_ms

    def close(self, t_ms: float) -> None:
        """The call is over: what has not played by now never does."""
        if self._closed_ms is None:
            self._closed_ms = t_ms
            self._stop(t_ms, exact=False, by_close=True)

    def _stop(self, t_ms: float, *, exact: bool, by_close: bool = False) -> None:
        touched: list[str] = []
        for run in reversed(self.runs):
            if self._end(run) <= t_ms:
                break
            if run.item_id is None or run.item_id in self.cuts:
                continue
            run.heard = min(run.frames, max(0, round((t_ms - run.start_ms) * self.rate / 1000)))
            touched.append(run.item_id)
        self.touched.update(touched)
        for item_id in touched:
            self.cuts[item_id] = Cut(self._ms(self.heard_frames(item_id)), exact, t_ms, by_close)
        self.end_ms = min(self.end_ms, t_ms)

    def item_runs(self, item_id: str) -> list[Run]:
        return self._by_item.get(item_id, [])

    @property
    def heard_end_ms(self) -> float:
        return max(
            (run.start_ms + self._ms(run.heard_frames) for run in self.runs if run.heard_frames), default=0.0
        )

    def heard_frames(self, item_id: str) -> int:
        return sum(run.heard_frames for run in self.item_runs(item_id))

    def item_frames(self, item_id: str) -> int:
        return sum(run.frames for run in self.item_runs(item_id))

    def _end(self, run: Run) -> float:
        return run.start_ms + run.frames * 1000 / self.rate

    def _ms(self, frames: int) -> float:
        return frames * 1000 / self.rate
