"""Imports a file: looks at all of it, says what is wrong with which line, and writes each of its calls as a
wire log, which the recorder takes up like that of any call.

    file → records → entries ─ first pass ──> calls: id, times, model, what is wrong
                             └ second pass ─> wire/imports/<id>.vgw

A call's id follows from its content and its project, or is the one that our own log has, so that a file that
is imported twice makes one session.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

from voxgate.core.clock import iso_utc
from voxgate.core.errors import InvalidRequest
from voxgate.core.prices import PriceTable
from voxgate.realtime.frames import BINARY, TEXT, encode_close, encode_frame
from voxgate.recording.foreign.files import records
from voxgate.recording.foreign.orders import Options
from voxgate.recording.foreign.shapes import Entry, NoEntry, dump, entry_of
from voxgate.recording.foreign.times import Clock, Survey
from voxgate.recording.masks import apply_mask
from voxgate.recording.wirelog import CLIENT, FACT, MAGIC, RECORD, SERVER, SUFFIX
from voxgate.traces.events import CLIENT as FROM_CLIENT
from voxgate.traces.events import GATEWAY, Json, name_of, number, obj, string

FOLDER: Final = "imports"
"""In the folder of wire logs, beside those of the workers."""
MOST_PROBLEMS: Final = 5
_OWN_ID: Final = re.compile(r"sess_[A-Za-z0-9_-]{1,80}")
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_CUT: Final = re.compile(r"\[truncated \d+ chars\]$")
"""What the OpenAI cookbook's harness leaves of long texts, sound among them."""
_MOST_CALLS: Final = 200


@dataclass(slots=True)
class ImportedCall:
    """What the first pass knows of a call."""

    group: str
    survey: Survey = field(default_factory=Survey)
    events: int = 0
    from_client: int = 0
    is_own: bool = False
    opened: Json = field(default_factory=dict)
    is_closed: bool = False
    model: str | None = None
    cut: int = 0
    id: str = ""
    started_at: datetime | None = None
    duration_ms: float = 0.0
    reordered: int = 0
    _content: Any = field(default_factory=lambda: blake2b(digest_size=16))

    def see(self, entry: Entry) -> None:
        self.events += entry.direction != GATEWAY
        self.from_client += entry.direction == FROM_CLIENT
        self.survey.see(entry.stamp)
        self._content.update(
            repr((entry.direction, entry.stamp, entry.raw, entry.close)).encode() + entry.text
        )
        kind = string(entry.msg, "type") or ""
        if entry.direction == GATEWAY:
            self.is_own = True
            if kind == "gateway.opened" and not self.opened:
                self.opened = entry.msg or {}
            self.is_closed = self.is_closed or kind == "gateway.closed"
        elif kind in ("session.created", "session.updated"):
            self.model = name_of(obj(entry.msg, "session"), "model") or self.model
        text = string(entry.msg, "delta") or string(entry.msg, "audio") or ""
        self.cut += bool(_CUT.search(text[-40:]))

    def project(self, options: Options) -> str:
        return options.project or name_of(self.opened, "project") or "default"

    def settle(self, options: Options, now: datetime) -> None:
        """Once all of it was seen."""
        own = name_of(self.opened, "session_id") or ""
        if _OWN_ID.fullmatch(own):
            self.id = own
        else:
            self._content.update(self.project(options).encode())
            self.id = f"sess_{_base32(int.from_bytes(self._content.digest(), 'big'))}"
        self.started_at = _moment(string(self.opened, "started_at")) or options.started_at
        self.started_at = self.started_at or self.survey.started_at or now

    def warnings(self) -> list[str]:
        found = []
        if self.survey.quality == "made up":
            found.append(
                "it has no times: the trace's are made up, and nothing that depends on them is measured"
            )
        if self.survey.kind == "unsure":
            found.append("its times have no unit; if the length is wrong, name the unit")
        if self.reordered:
            found.append(f"{self.reordered} events are older than those before them; they keep their places")
        if self.cut:
            found.append(
                f"{self.cut} messages were cut when the log was written: their sound or words are lost"
            )
        if not self.from_client:
            found.append("nothing in it is from the client: what the user said as sound is not there")
        return found

    def shown(self, options: Options, status: str) -> Json:
        return {
            "id": self.id,
            "status": status,
            "project": self.project(options),
            "model": options.model or name_of(self.opened, "model") or self.model,
            "events": self.events,
            "started_at": iso_utc(self.started_at) if self.started_at else None,
            "duration_ms": self.duration_ms,
            "times": self.survey.quality,
            "warnings": self.warnings(),
        }


def read_calls(path: Path, options: Options, now: datetime) -> list[ImportedCall]:
    """The calls of a file. InvalidRequest names the lines that are none of the shapes we know."""
    calls: dict[str, ImportedCall] = {}
    problems: list[str] = []
    for group, entry in _entries(path, options, problems.append):
        if group not in calls and len(calls) >= _MOST_CALLS:
            raise InvalidRequest(f"{options.name} has more than {_MOST_CALLS} calls; split it.", param="file")
        calls.setdefault(group, ImportedCall(group)).see(entry)
        if len(problems) > MOST_PROBLEMS and not options.skip_bad_lines:
            break
    if problems and not options.skip_bad_lines:
        raise InvalidRequest(_listed(options.name, problems), param="file")
    found = [call for call in calls.values() if call.events]
    if not found:
        raise InvalidRequest(f"{options.name} has no Realtime events in it.", param="file")
    for call in found:
        call.settle(options, now)
    _measure(path, options, {call.group: call for call in found})
    return found


def _listed(name: str, problems: list[str]) -> str:
    shown = problems[:MOST_PROBLEMS] + (["and more"] if len(problems) > MOST_PROBLEMS else [])
    return "\n".join(f"{name}, {problem}" if problem != "and more" else problem for problem in shown)


def _measure(path: Path, options: Options, calls: dict[str, ImportedCall]) -> None:
    clocks = {group: Clock(call.survey, options.time_unit) for group, call in calls.items()}
    for group, entry in _entries(path, options):
        if group in clocks:
            calls[group].duration_ms = clocks[group].time_of(entry) / 1e6
            calls[group].reordered = clocks[group].reordered


def _entries(
    path: Path, options: Options, complain: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[str, Entry]]:
    """The entries with the calls that they belong to: by what the log says, and where a second session is
    created, the next one begins."""
    created: dict[str, str | None] = {}
    begun: dict[str, int] = {}
    for record in records(path, options.name):
        try:
            if record.error is not None:
                raise NoEntry(record.error)
            entry = entry_of(record.value)
        except NoEntry as error:
            complain(f"{record.place} {error}")
            continue
        if entry is None:
            continue
        group = entry.group
        if (session := _created(entry)) is not None:
            if group in created and created[group] != session:
                begun[group] = begun.get(group, 0) + 1
            created[group] = session
        yield (f"{group} {begun[group]}" if begun.get(group) else group), entry


def _created(entry: Entry) -> str | None:
    """Ours are sessions that the gateway opened; of others those that the provider created."""
    kind = string(entry.msg, "type")
    if entry.direction == GATEWAY:
        return string(entry.msg, "session_id") if kind == "gateway.opened" else None
    if entry.stamp is not None and entry.stamp.kind == "exact":
        return None
    return string(obj(entry.msg, "session"), "id") if kind == "session.created" else None


def check_retention(call: ImportedCall, days: float | None, now: datetime) -> None:
    """InvalidRequest for a call that would be deleted as soon as it was there."""
    own = number(call.opened, "retention_days")
    limits = [limit for limit in (days, own) if limit is not None]
    if limits and call.started_at is not None and call.started_at + timedelta(days=min(limits)) <= now:
        raise InvalidRequest(
            f"The call {call.id} began at {iso_utc(call.started_at)} and recordings are kept for"
            f" {min(limits):g} days: it would be deleted at once.",
            param="file",
        )


# The second pass


def write_wire_logs(
    path: Path,
    options: Options,
    calls: list[ImportedCall],
    wire_dir: Path,
    *,
    prices: PriceTable,
    now: datetime,
) -> None:
    """A log appears as a whole, under its final name, when it is on the disk."""
    folder = wire_dir / FOLDER
    with ExitStack() as stack:
        writers = {call.group: _Writer(call, options, folder, prices, now, stack) for call in calls}
        for group, entry in _entries(path, options):
            if group in writers:
                writers[group].write(entry)
        for writer in writers.values():
            writer.finish()


class _Writer:
    def __init__(
        self,
        call: ImportedCall,
        options: Options,
        folder: Path,
        prices: PriceTable,
        now: datetime,
        stack: ExitStack,
    ) -> None:
        self._call = call
        self._options = options
        self._target = folder / f"{call.id}{SUFFIX}"
        self._part = folder / f".{call.id}.{secrets.token_hex(4)}"
        self._clock = Clock(call.survey, options.time_unit)
        self._last_ns = 0
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # one that is empty and has not changed for a while is tidied away
        self._file: BinaryIO = stack.enter_context(self._part.open("xb"))
        stack.callback(self._part.unlink, missing_ok=True)
        self._file.write(MAGIC)
        self._fact(0, _opened(call, options, now))
        if not call.is_own:
            names = [name for name in (options.model, call.model) if name]
            quote = prices.quote(names) if names else {"model": None, "price": None, "transcription": {}}
            self._fact(0, {"type": "gateway.prices", **quote})

    def write(self, entry: Entry) -> None:
        self._last_ns = self._clock.time_of(entry)
        if entry.direction == GATEWAY:
            self._gateway(entry)
            return
        kind = CLIENT if entry.direction == FROM_CLIENT else SERVER
        self._record(self._last_ns, kind, _frame(entry, masked=kind == CLIENT))

    def _gateway(self, entry: Entry) -> None:
        """`skip` and `torn` of a gap are about bytes on a wire that are not here."""
        fact = {key: value for key, value in (entry.msg or {}).items() if key not in ("skip", "torn")}
        if fact.get("type") != "gateway.opened":
            self._fact(self._last_ns, fact)

    def finish(self) -> None:
        if not self._call.is_own:
            self._fact(self._last_ns, {"type": "gateway.closed", "code": None, "reason": None, "side": None})
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.rename(self._target)

    def _fact(self, t_ns: int, fact: Json) -> None:
        self._record(t_ns, FACT, dump(fact))

    def _record(self, t_ns: int, kind: int, data: bytes) -> None:
        self._file.write(RECORD.pack(max(t_ns, 0), kind, len(data)))
        self._file.write(data)


def _opened(call: ImportedCall, options: Options, now: datetime) -> Json:
    """With the mark of an import; what our own log says of the call stays as it was."""
    own = call.opened
    tags = own.get("tags") if isinstance(own.get("tags"), list) else []
    return {
        "type": "gateway.opened",
        "version": 1,
        **own,
        "session_id": call.id,
        "started_at": iso_utc(call.started_at or now),
        "project": call.project(options),
        **({"model": options.model} if options.model else {}),
        **({"provider": options.provider} if options.provider else {}),
        "metadata": {**obj(own, "metadata"), **options.metadata},
        "tags": list(dict.fromkeys([*(tags or []), *options.tags])),
        "imported": {"at": iso_utc(now), "file": options.name, "times": call.survey.quality},
    }


def _frame(entry: Entry, *, masked: bool) -> bytes:
    if entry.close is not None:
        code = number(entry.close, "code")
        if code is None or not 0 <= code < 1 << 16 or code == 1005:
            return encode_frame(8, b"", masked=masked, mask_with=apply_mask)
        return encode_close(int(code), string(entry.close, "reason") or "", masked=masked)
    if entry.raw is not None:
        if entry.mark == "broken":
            return entry.raw
        opcode = BINARY if entry.mark == "binary" else TEXT
        return encode_frame(opcode, entry.raw, masked=masked, mask_with=apply_mask)
    return encode_frame(TEXT, entry.text, masked=masked, mask_with=apply_mask)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _base32(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
