"""What the rules of a project want to be nowhere: found in a call's words while it is recorded, and taken out
of what is kept. Of a running call only the trace is clean; its sound and its event log are when it is over.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from voxgate.core.patterns import Rules, replaced
from voxgate.jobs.scratch import scratch_folder
from voxgate.jobs.tracks import CallMixer
from voxgate.recording.later import LATER
from voxgate.recording.reading import LOG
from voxgate.recording.redacting import LogCleaner, redact_log, silence_tracks
from voxgate.recording.soundless import restore_raw
from voxgate.recording.utterances import Stretch, Utterances
from voxgate.recording.wording import Words
from voxgate.store import Blobs
from voxgate.traces import Event, Trace, TraceBuilder, TrackLayout
from voxgate.traces.events import Json
from voxgate.traces.model import Span
from voxgate.traces.summary import title_of
from voxgate.traces.tracks import TRACKS

PENDING: Final = "pending"
_CLEANED: Final = ("items", "errors", "events", "config", "close", "error", "transcription")
"""Of a trace's data: what may repeat words."""
_CUTS: Final = frozenset((2000, 20_000))
"""Texts of these lengths were cut by the trace, perhaps within what is to be found …"""
_CUT_TAIL: Final = 200
"""… so their ends go."""
_PLANS: Final = ("lanes.json", "peaks.json", "peaks.bin")
_KEPT: Final = frozenset((LOG, LATER, *_PLANS, *(f"{name}.pcm" for name in TRACKS)))


class Redactions:
    """The rules of all projects; `scratch` is a folder for what is being made."""

    def __init__(
        self, patterns: Mapping[str, Mapping[str, str]], scratch: Path, secrets: Sequence[str] = ()
    ) -> None:
        self.secrets = secrets
        """What must not get into any event log, such as the providers' keys."""
        self._rules = {project: Rules(named) for project, named in patterns.items() if named}
        self._scratch = scratch

    def of(self, project: str) -> Redaction | None:
        """For one session of the project; None if it has no rules."""
        rules = self._rules.get(project)
        return Redaction(rules, self._scratch) if rules is not None else None


@dataclass
class _Outcome:
    stretches: list[Stretch]
    silenced_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Cleaned:
    raw: Span
    clean: Span
    counts: dict[str, int]


class Redaction:
    def __init__(self, rules: Rules, scratch: Path) -> None:
        self._rules = rules
        self._scratch = scratch
        self._utterances = Utterances()
        self._pieces: set[str] = set()
        self._outcome: _Outcome | None = None
        self._cleaned: dict[str, _Cleaned] = {}
        """By the spans' ids."""

    def see(self, event: Event, layout: TrackLayout) -> None:
        """Every event, after the layout has seen it."""
        self._utterances.see(event, layout)

    def carry_out(
        self, builder: TraceBuilder, blobs: Blobs, prefix: str, spans: Sequence[Span]
    ) -> Generator[None, None, None]:
        """In what is stored, bit by bit. May be done again after a crash: the log, which says what is to be
        found, is the last to change."""
        layout = builder.layout
        stretches, self._pieces = self._utterances.hidden(builder, self._rules)
        hides_files = self._speaks_of_it(builder, spans)
        if hides_files:
            stretches = [Stretch(name, 0, layout.frames(name)) for name in layout.present]
        stretches = [one for one in stretches if one.track in layout.present]
        words = Words(self._rules, self._pieces)
        cleaner = LogCleaner(words, self._utterances, stretches, hides_files=hides_files)
        with scratch_folder(self._scratch, builder.session.id) as folder:
            if stretches:
                yield from restore_raw(blobs, prefix, layout, folder)
                yield from silence_tracks(blobs, prefix, layout, stretches, folder)
                yield from CallMixer(blobs, prefix, layout, builder.finish()).steps()  # other peaks
                _delete_made_of_it(blobs, prefix)
            yield from redact_log(blobs, prefix, cleaner, folder)
        self._outcome = _Outcome(stretches, _lengths(stretches, layout))
        self._cleaned.clear()

    def _speaks_of_it(self, builder: TraceBuilder, spans: Sequence[Span]) -> bool:
        """Whether it is a request that heard or made sound, and something of its words is found: then all of
        that sound goes. Its files have no places for words, and tracks are made of all of a file at once."""
        opened = builder.session.opened
        is_of_sound = builder.layout.present or str(opened.get("endpoint")).startswith("audio/")
        if opened.get("transport") != "http" or not is_of_sound:
            return False
        words = Words(self._rules, self._pieces)
        said = [part for span in spans for part in (span.input, span.output) if part is not None]
        for part in said:
            words.cleaned(part)
        return bool(words.counts) or any(_shortened(part) != part for part in said)

    def clean(self, trace: Trace) -> None:
        """Its words: other spans stand in the place of its own. Those that were seen before are not looked
        through again."""
        words = Words(self._rules, self._pieces)
        trace.spans[:] = [self._clean_span(span, words) for span in trace.spans]
        trace.summary["title"] = words.cleaned(title_of(trace.spans))
        for name in _CLEANED:
            if name in trace.data:
                trace.data[name] = _shortened(words.cleaned(trace.data[name]))
        trace.data["redaction"] = {
            "state": PENDING if self._outcome is None else "done",
            "found": words.counts,
            "silenced_ms": self._outcome.silenced_ms if self._outcome is not None else {},
        }

    def add_former(self, trace: Trace, former: Json | None) -> None:
        """What an earlier one has found is not there to be found again."""
        ours = trace.data["redaction"]
        for part in ("found", "silenced_ms"):
            for name, count in ((former or {}).get(part) or {}).items():
                ours[part][name] = round(ours[part].get(name, 0) + count, 3)

    def _clean_span(self, span: Span, words: Words) -> Span:
        known = self._cleaned.get(span.id)
        if known is None or known.raw is not span:
            own = Words(self._rules, self._pieces)
            clean = replace(
                span,
                input=_shortened(own.cleaned(span.input)),
                output=_shortened(own.cleaned(_with_heard(own, span.output))),
                error=own.cleaned(span.error),
            )
            known = self._cleaned[span.id] = _Cleaned(span, clean, own.counts)
        for rule, count in known.counts.items():
            words.counts[rule] = words.counts.get(rule, 0) + count
        return known.clean


def _delete_made_of_it(blobs: Blobs, prefix: str) -> None:
    for key in blobs.list(f"{prefix}/"):
        if key.removeprefix(f"{prefix}/") not in _KEPT:
            blobs.delete_prefix(key)


def _lengths(stretches: list[Stretch], layout: TrackLayout) -> dict[str, float]:
    found = dict.fromkeys(TRACKS, 0.0)
    for one in stretches:
        found[one.track] += (one.end - one.start) * 1000 / layout.rate(one.track)
    return {name: round(ms, 3) for name, ms in found.items()}


def _with_heard(words: Words, output: Json | None) -> Json | None:
    """What was heard of an answer is its beginning, which may end within what is found in the whole."""
    heard, whole = (output or {}).get("heard_transcript"), (output or {}).get("transcript")
    if output is None or not heard or not whole:
        return output
    said = " ".join(whole.split())
    found = [one._replace(end=min(one.end, len(heard))) for one in words.find(said) if one.start < len(heard)]
    return {**output, "heard_transcript": replaced(heard, found) if said.startswith(heard) else None}


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value[:-_CUT_TAIL] if len(value) in _CUTS else value
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    return value
