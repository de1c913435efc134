"""The name of an event from the first bytes of its message, and its replacement there. The rest of the
message, audio for the most part, is not looked at.
"""

from __future__ import annotations

import re
from typing import Final

_FIRST: Final = b'{"type":"'
_SECOND: Final = b'{"event_id":"'
_NEXT: Final = b'","type":"'
_LONGEST: Final = 128
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_BEGINNING: Final = re.compile(
    rb"""[ \t\r\n]*+ \{ [ \t\r\n]*+
    (?: "(?!type")[^"\\]{1,64}" [ \t\r\n]*+ : [ \t\r\n]*+
        (?: "[^"\\]{0,256}" | -?[0-9]{1,20} | null | true | false )
        [ \t\r\n]*+ , [ \t\r\n]*+ ){0,8}+
    "type" [ \t\r\n]*+ : [ \t\r\n]*+ "([^"\\]{1,128})" """,
    re.VERBOSE,
)


def find_name(text: bytes) -> tuple[bytes, int] | None:
    """The value of `type` and where it begins, if it comes first or after short and plain members only, as
    with all clients and services known; None if the message must be decoded to know."""
    start = 0
    if text.startswith(_FIRST):
        start = len(_FIRST)
    elif text.startswith(_SECOND):
        end = text.find(_QUOTE, len(_SECOND), len(_SECOND) + _LONGEST)
        start = end + len(_NEXT) if end > 0 and text.startswith(_NEXT, end) else 0
    if start:
        name = text[start : start + _LONGEST].partition(b'"')[0]
        return None if _BACKSLASH in name else (name, start)
    found = _BEGINNING.match(text)
    return (found[1], found.start(1)) if found else None


def replace_name(text: bytes, name: bytes, start: int, new: bytes) -> bytes:
    """The message with the name that `find_name` found replaced; everything else is copied once, unread."""
    if text.find(name) == start:
        return text.replace(name, new, 1)  # half the time of putting slices together
    return text[:start] + new + text[start + len(name) :]
