"""Recognises the messages that carry a call's sound, nearly all of them, without decoding: JSON text in, the
event's type out; or, for who keeps the sound, the message without it and the sound.

Strict on purpose: a rule that lets a message pass for what it looks like must not be talked into it. So all
of the text is accounted for: members with plain strings or small numbers, the type and the sound once each.
Whatever is written in another way is None, and has to be decoded.
"""

from __future__ import annotations

import binascii
import re
from typing import Any, Final

import orjson
import pybase64

_GAP: Final = rb"[ \t\r\n]*"
"""What JSON takes for white space; `\\s` is more."""
_CLOSES: Final = ord("}")
_ESCAPES: Final = ord("\\")
_IS: Final = _GAP + rb":" + _GAP
_MEMBER: Final = rb'"[a-z_]{1,32}"' + _IS + rb'(?:"[\w .:/+=-]{0,256}"|0|[1-9][0-9]{0,11})' + _GAP
_BEFORE: Final = re.compile(
    _GAP + rb"\{" + _GAP + rb"(?:" + _MEMBER + rb"," + _GAP + rb')*"(audio|delta)"' + _IS + rb'"'
)
_BEHIND: Final = re.compile(rb'"' + _GAP + rb"(?:," + _GAP + _MEMBER + rb")*\}" + _GAP)
_USUAL: Final = re.compile(
    rb'\{"type":"([a-z_.]+)"'
    rb'(?:,"(?!type"|audio"|delta")[a-z_]{1,32}":(?:"[\w .:/+=-]{0,256}"|0|[1-9][0-9]{0,11}))*'
    rb',"(audio|delta)":"'
)
"""As nearly everybody writes it: the type first, the sound last, and nothing twice."""
_TYPE: Final = re.compile(rb'"type"' + _IS + rb'"([a-z_.]+)"')
SOUND: Final = {
    b"input_audio_buffer.append": b"audio",
    b"response.output_audio.delta": b"delta",
    b"response.audio.delta": b"delta",
}
SOUND_KINDS: Final = frozenset(SOUND)
_Found = tuple[bytes, int, int]
_last: tuple[bytes, _Found | None] = (b"", None)
_BEGIN: Final = re.compile(rb'"(audio|delta)"\s*:\s*"')
_SOUND_BEGINS_BYTES: Final = 1024
_MOST_AROUND_BYTES: Final = 4096
_SHORT_BYTES: Final = 1024
"""Most messages without sound are shorter, and most with sound longer: those are not looked through."""
_MEMBERS: Final = {kind.decode(): member.decode() for kind, member in SOUND.items()}
_APPEND: Final = "input_audio_buffer.append"
_USUAL_APPEND: Final = re.compile(
    rb'\{"type":"input_audio_buffer\.append"(?:,"event_id":"([\w.-]{0,128})")?,"audio":"'
)
_USUAL_BEGINS: Final = ((b"audio", b'"audio":"'), (b"delta", b'"delta":"'))
"""Where nobody put white space."""


def kind_of(text: bytes) -> bytes | None:
    """`input_audio_buffer.append`, `response.output_audio.delta` or `response.audio.delta` if the message is
    surely that and nothing else; else None."""
    found = _find(text)
    return found[0] if found else None


def sound_bytes(text: bytes) -> int | None:
    """How many bytes of sound such a message carries, undecoded; None if it is none."""
    found = _find(text)
    return base64_bytes(text, found[1], found[2]) if found else None


def find_sound(text: bytes) -> tuple[bytes, int] | None:
    """Both: the kind, and how many bytes of sound. For who asks once."""
    found = _look(text)
    return (found[0], base64_bytes(text, found[1], found[2])) if found else None


def base64_bytes(text: bytes, start: int, end: int) -> int:
    """How many bytes the base64 between two places stands for."""
    padding = text.count(b"=", max(start, end - 2), end)
    return max(0, (end - start - padding) * 3 // 4)


def _find(text: bytes) -> _Found | None:
    """The kind, and where the sound stands. Several rules look at a message, one after the other: so the last
    answer is kept."""
    global _last
    last = _last  # read once: what another thread asks meanwhile is no answer to this
    if text is not last[0]:
        last = _last = text, _look(text)
    return last[1]


def _look(text: bytes) -> _Found | None:
    usual = _USUAL.match(text)
    if usual is not None and SOUND.get(usual[1]) == usual[2]:
        start, end = usual.end(), len(text) - 2
        # Only the sound's last byte can make a quote of its own out of the one that ends it.
        if text.find(b'"', start) == end and text[end + 1] == _CLOSES and text[end - 1] != _ESCAPES:
            return usual[1], start, end
    return _look_closely(text)


def _look_closely(text: bytes) -> _Found | None:
    before = _BEFORE.match(text)
    if before is None:
        return None
    start = before.end()
    end = text.find(b'"', start)
    if end < 0 or text.find(b"\\", start, end) >= 0 or _BEHIND.fullmatch(text, end) is None:
        return None
    around = text[:start] + text[end:]
    kind = _TYPE.search(around)
    if kind is None or around.count(b'"type"') != 1 or around.count(b'"' + before[1] + b'"') != 1:
        return None
    return (kind[1], start, end) if SOUND.get(kind[1]) == before[1] else None


def begin_of_sound(text: bytes) -> tuple[bytes, int] | None:
    """The name of the member that may be sound, and where its text begins; None where there is none in the
    first KB."""
    for name, begin in _USUAL_BEGINS:
        if (at := text.find(begin, 0, _SOUND_BEGINS_BYTES)) >= 0:
            return name, at + len(begin)
    found = _BEGIN.search(text, 0, _SOUND_BEGINS_BYTES)
    return (found[1], found.end()) if found is not None else None


def _lift_append(text: bytes) -> tuple[dict[str, Any], bytes] | None:
    """What nearly every client says nearly always, in fewer steps."""
    found = _USUAL_APPEND.match(text)
    if found is None or not text.endswith(b'"}') or text.find(b'"', found.end()) != len(text) - 2:
        return None
    try:
        sound = pybase64.b64decode(text[found.end() : -2], validate=True)
    except (binascii.Error, ValueError):
        return None
    name = found[1]
    if name is None:
        return {"type": _APPEND, "audio": ""}, sound
    return {"type": _APPEND, "event_id": name.decode(), "audio": ""}, sound


def lift_sound(text: bytes) -> tuple[dict[str, Any], bytes] | None:
    """The message with nothing in the sound's place, and the decoded sound; None unless it is surely one of
    those. Only what is around the sound is decoded as JSON: without escapes a name stands there as it is."""
    if (usual := _lift_append(text)) is not None:
        return usual
    if len(text) < _SHORT_BYTES and b"audio" not in text:  # of all the types, which stand there as they are
        return None
    if (begin := begin_of_sound(text)) is None:
        return None
    name, start = begin
    end = text.find(b'"', start)
    if end < 0 or start + len(text) - end > _MOST_AROUND_BYTES:
        return None
    around = text[:start] + text[end:]
    if b"\\" in around or around.count(b'"%b"' % name) != 1:
        return None
    try:
        message: Any = orjson.loads(around)
        sound = pybase64.b64decode(text[start:end], validate=True)
    except (orjson.JSONDecodeError, binascii.Error, ValueError):
        return None
    if not isinstance(message, dict):
        return None
    kind = message.get("type")
    member = _MEMBERS.get(kind) if isinstance(kind, str) else None
    return (message, sound) if member is not None and message.get(member) == "" else None


_LONG_SOUND: Final = re.compile(rb'("(?:audio|delta|raw)"\s*:\s*")([A-Za-z0-9+/]{256,}={0,2})"')


def without_sound(text: bytes) -> bytes:
    """A message, or a line of the event log, with the size of its sound in the place of it."""
    return _LONG_SOUND.sub(_size_of_sound, text)


def _size_of_sound(found: re.Match[bytes]) -> bytes:
    return b'%b[%d characters of base64]"' % (found[1], len(found[2]))
