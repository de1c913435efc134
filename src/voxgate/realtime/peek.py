"""Recognises the messages that carry a call's sound, nearly all of them, without decoding: JSON text in, the
event's type out.

Strict on purpose: a rule that lets a message pass for what it looks like must not be talked into it. So all
of the text is accounted for: members with plain strings or small numbers, the type and the sound once each.
Whatever is written in another way is None, and has to be decoded.
"""

from __future__ import annotations

import re
from typing import Final

_MEMBER: Final = rb'"[a-z_]{1,32}"\s*:\s*(?:"[\w .:/+=-]{0,256}"|\d{1,12})\s*'
_BEFORE: Final = re.compile(rb"\s*\{\s*(?:" + _MEMBER + rb',\s*)*"(audio|delta)"\s*:\s*"')
_BEHIND: Final = re.compile(rb'"\s*(?:,\s*' + _MEMBER + rb")*\}\s*")
_TYPE: Final = re.compile(rb'"type"\s*:\s*"([a-z_.]+)"')
_SOUND: Final = {
    b"input_audio_buffer.append": b"audio",
    b"response.output_audio.delta": b"delta",
    b"response.audio.delta": b"delta",
}


def kind_of(text: bytes) -> bytes | None:
    """`input_audio_buffer.append`, `response.output_audio.delta` or `response.audio.delta` if the message is
    surely that and nothing else; else None."""
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
    return kind[1] if _SOUND.get(kind[1]) == before[1] else None
