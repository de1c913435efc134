"""One record of somebody's log becomes one entry: an event of the Realtime protocol, who sent it, and when.
Pure. The shapes that are known:

    {"t": ns, "dir": "client", "msg": {…}}                            ours: `recording.eventlog`
    {"timestamp": "2026-11-22T10:00:00Z", "direction": "sent", "event": {…}}    and many names for each
    {"type": "response.done", "event_time_ms": 812.5, "event": {…}}   of the OpenAI cookbook's eval harness
    {"kind": "message", "direction": "received", "data": {…}}         of test cassettes
    {"type": "response.done", …, "timestamp": "10:00:01 AM"}          the events themselves
"""

from __future__ import annotations

import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
import pybase64

from voxgate.recording.foreign.files import parse
from voxgate.traces.events import CLIENT, GATEWAY, SERVER, Json, string

CLIENT_EVENTS: Final = frozenset(
    {
        "conversation.item.create",
        "conversation.item.delete",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "decision.create",
        "decision.item.create",
        "decision.item.delete",
        "input_audio_buffer.append",
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "output_audio_buffer.clear",
        "response.cancel",
        "response.create",
        "response.item.create",
        "session.close",
        "session.commentary.append",
        "session.input_audio.mute",
        "session.input_audio.unmute",
        "session.input_audio_buffer.append",
        "session.instructions.append",
        "session.output_audio.fixture.play",
        "session.start",
        "session.thinking.append",
        "session.update",
        "transcription_session.update",
    }
)
"""No event of the server is called like one of these, so a name says who sent it, whatever the log says."""
_SERVER_EVENT: Final = re.compile(
    r"error|rate_limits\.updated|mcp_list_tools\..+|(?:transcription_)?session\.(?:created|updated|closed)"
    r"|conversation\.created|conversation\.item\.(?:added|created|done|deleted|retrieved|truncated)"
    r"|conversation\.item\.input_audio_transcription\..+"
    r"|input_audio_buffer\.(?:committed|cleared|speech_started|speech_stopped|timeout_triggered|dtmf_.+)"
    r"|output_audio_buffer\.(?:started|stopped|cleared)|response\.(?:created|done|.+\.(?:added|delta|done))"
)
_LOOKS_LIKE_EVENT: Final = re.compile(
    r"error|(?:session|conversation|response|rate_limits|input_audio_buffer|output_audio_buffer"
    r"|transcription_session|mcp_\w+)(?:\.\w+)*"
)
_EVENT_KEYS: Final = ("event", "ev", "msg", "message", "data", "payload", "body", "frame", "json", "content")
_DIRECTION_KEYS: Final = (
    "direction",
    "dir",
    "source",
    "from",
    "sender",
    "origin",
    "side",
    "type",
    "kind",
    "event_type",
)
_GROUP_KEYS: Final = ("session_id", "call_id", "connection_id", "conversation_id")
_TIMES: Final[dict[str, int | None]] = {
    # Nanoseconds in the unit; None where only its size tells.
    "t_ns": 1, "timestamp_ns": 1, "time_ns": 1, "ts_ns": 1,
    "t_us": 1000, "timestamp_us": 1000, "ts_us": 1000,
    "t_ms": 10**6, "timestamp_ms": 10**6, "time_ms": 10**6, "ts_ms": 10**6, "event_time_ms": 10**6,
    "elapsed_ms": 10**6, "offset_ms": 10**6, "relative_ms": 10**6, "at_ms": 10**6, "ms": 10**6,
    "t_s": 10**9, "elapsed_s": 10**9, "elapsed_seconds": 10**9, "offset_s": 10**9, "seconds": 10**9,
    "timestamp": None, "time": None, "ts": None, "t": None, "at": None, "datetime": None, "date": None,
    "received_at": None, "sent_at": None, "created_at": None, "logged_at": None, "elapsed": None,
    "offset": None,
}  # fmt: skip
_WORDS: Final = {
    **dict.fromkeys(
        ("client", "sent", "send", "out", "outgoing", "outbound", "c2s", "tx", "request", ">", "->"), CLIENT
    ),
    **dict.fromkeys(
        ("client_to_server", "to_server", "to_openai", "user", "app", "browser", "write"), CLIENT
    ),
    **dict.fromkeys(
        ("server", "received", "receive", "recv", "in", "incoming", "inbound", "s2c", "rx", "<"), SERVER
    ),
    **dict.fromkeys(
        ("server_to_client", "from_server", "from_openai", "openai", "provider", "response"), SERVER
    ),
    **dict.fromkeys(("model", "read", "<-"), SERVER),
}
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?\s*([AaPp]\.?[Mm]\.?)?")

StampKind = Literal["exact", "moment", "clock", "since", "unsure"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time in ns: `exact`, since the session began, by our own clock; `moment`, Unix time; `clock`, since
    midnight; `since` something, in a known unit; `unsure`, a number whose unit is not known."""

    kind: StampKind
    value: float


@dataclass(slots=True)
class Entry:
    """`text` is the message as JSON; or there are bytes (`raw`), or the code and reason of a close frame.
    `group` tells apart the calls of one file."""

    direction: str
    stamp: Stamp | None = None
    msg: Json | None = None
    text: bytes = b""
    raw: bytes | None = None
    mark: Literal["", "binary", "broken"] = ""
    close: Json | None = None
    group: str = ""


class NoEntry(Exception):
    """The record is none of the known shapes; the message says what is missing."""


def entry_of(record: Any) -> Entry | None:
    """None for what a log may hold beside events. NoEntry says what is wrong."""
    if not isinstance(record, dict):
        raise NoEntry(f"is a {type(record).__name__}, not an object")
    if is_own(record):
        return _own(record)
    if string(record, "kind") not in (None, "message") and "data" in record and "direction" not in record:
        return None  # a cassette's HTTP requests
    key, event = _event(record)
    if event is None:
        if "datachannel" in record or "eof" in record or not record:
            return None
        if (close := _close(record.get("close"))) is not None:
            return Entry(
                _direction(record, None, ""), _stamp(record), close=close, group=_group(record, None)
            )
        shown = ", ".join(list(record)[:6])
        raise NoEntry(
            f"has no Realtime event: no object with a 'type' under {', '.join(_EVENT_KEYS[:5])};"
            f" it has {shown}"
        )
    wrapper = record if key is not None else _meta(record, event)
    return _foreign(wrapper, key, event)


def is_own(record: Json) -> bool:
    t_ns = record.get("t")
    has_time = isinstance(t_ns, int) and not isinstance(t_ns, bool)
    content = len({"msg", "raw", "close"} & record.keys()) == 1
    return has_time and content and record.get("dir") in (CLIENT, SERVER, GATEWAY)


def _own(record: Json) -> Entry:
    entry = Entry(record["dir"], Stamp("exact", record["t"]))
    if "raw" in record:
        try:
            entry.raw = pybase64.b64decode(record["raw"], validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise NoEntry(f"has no base64 under 'raw': {error}") from error
        entry.mark = "binary" if record.get("binary") else "broken" if record.get("broken") else ""
    elif "close" in record:
        entry.close = record["close"] if isinstance(record["close"], dict) else {}
    else:
        entry.text, msg = dump(record["msg"]), record["msg"]
        entry.msg = msg if isinstance(msg, dict) else None
    return entry


def _foreign(wrapper: Json, key: str | None, event: Json) -> Entry:
    return Entry(
        _direction(wrapper, key, string(event, "type") or ""),
        _stamp(wrapper),
        event,
        dump(event),
        group=_group(wrapper, key),
    )


def _event(record: Json) -> tuple[str | None, Json | None]:
    """The event and where it was: None for a record that is one itself."""
    for key in _EVENT_KEYS:
        value = record.get(key)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = _parsed(value)
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            return key, value
    kind = record.get("type")
    if isinstance(kind, str) and _LOOKS_LIKE_EVENT.fullmatch(kind) and "event" not in record:
        return None, record
    return None, None


def _close(value: Any) -> Json | None:
    """`{"code", "reason"}`, or both as a list."""
    if isinstance(value, list) and value:
        value = {"code": value[0], "reason": value[1] if len(value) > 1 else ""}
    return value if isinstance(value, dict) and isinstance(value.get("code"), int) else None


def _meta(record: Json, event: Json) -> Json:
    """What a log put into the events themselves: times and directions. They are taken out of the event."""
    keys = [key for key in (*_TIMES, "direction", "dir") if key in record and key != "type"]
    found = {key: event[key] for key in keys}
    for key in keys:
        del event[key]
    return found


def _direction(wrapper: Json, key: str | None, event_type: str) -> str:
    if event_type in CLIENT_EVENTS:
        return CLIENT
    if _SERVER_EVENT.fullmatch(event_type):
        return SERVER
    for name in _DIRECTION_KEYS:
        word = wrapper.get(name)
        if name != key and isinstance(word, str) and word.strip().lower() in _WORDS:
            return _WORDS[word.strip().lower()]
    return SERVER


def _group(wrapper: Json, key: str | None) -> str:
    """Which call of the file it belongs to: its id, or a source that is no direction, as two sides of a
    simulated call have their own connections."""
    named = [str(wrapper[name]) for name in _GROUP_KEYS if isinstance(wrapper.get(name), str | int)]
    source = wrapper.get("source") if key != "source" else None
    if isinstance(source, str) and source.strip().lower() not in _WORDS:
        named.append(source)
    return " ".join(named)


# Times


def _stamp(wrapper: Json) -> Stamp | None:
    for key, unit in _TIMES.items():
        if (stamp := _stamp_of(wrapper.get(key), unit)) is not None:
            return stamp
    return None


def _stamp_of(value: Any, unit: int | None) -> Stamp | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):  # YAML reads dates by itself
        return Stamp("moment", _unix_ns(value))
    if isinstance(value, int | float):
        return _number(value, unit) if value == value and abs(value) < 1e20 else None
    return _text(value) if isinstance(value, str) else None


def _number(value: float, unit: int | None) -> Stamp | None:
    """What is large enough is Unix time, in the unit that makes it one of our days (1980 to 2100)."""
    units = (1, 1000, 10**6, 10**9) if unit is None else (unit,)
    for one in units:
        if 3.15e17 < value * one < 4.1e18:
            return Stamp("moment", value * one)
    return Stamp("unsure", value) if unit is None else Stamp("since", value * unit)


def _text(text: str) -> Stamp | None:
    text = text.strip()
    if (match := _CLOCK.fullmatch(text)) is not None:
        return Stamp("clock", _clock_ns(match))
    try:
        return _number(float(text), None)
    except ValueError:
        pass
    try:
        return Stamp("moment", _unix_ns(datetime.fromisoformat(text)))
    except ValueError:
        return None


def _clock_ns(match: re.Match[str]) -> float:
    hour, half = int(match[1]), (match[5] or "").lower().replace(".", "")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    fraction = int((match[4] or "0").ljust(9, "0"))
    return (hour * 3600 + int(match[2]) * 60 + int(match[3])) * 10**9 + fraction


def _unix_ns(moment: datetime) -> int:
    """A time without its zone counts as UTC. In whole numbers: a float of today has steps of 256 ns."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    gone = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((gone.days * 86_400 + gone.seconds) * 10**6 + gone.microseconds) * 1000


def dump(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a half surrogate pair, or a number beyond 64 bits: the recorder keeps it as it is
        return json.dumps(value, default=str, separators=(",", ":")).encode()


def _parsed(text: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        return None
