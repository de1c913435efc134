"""Opaque cursors of keyset pagination: the sort key of the last row on a page, as URL-safe text and back."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from voxgate.core.errors import InvalidRequest

_TOO_LARGE = 1 << 63


def encode_cursor(key: Sequence[str | float | None]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: Sequence[type | tuple[type, ...]]) -> list[Any]:
    """The sort key again; its parts must be of these kinds, or the cursor is not one of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _invalid(cursor) from error
    if not isinstance(key, list) or len(key) != len(kinds):
        raise _invalid(cursor)
    if not all(_is_one_of(part, kind) for part, kind in zip(key, kinds, strict=True)):
        raise _invalid(cursor)
    return key


def _is_one_of(part: object, kind: type | tuple[type, ...]) -> bool:
    """True is no int here; a number that is too large for any database, or none, is not ours either."""
    if isinstance(part, int | float) and not abs(part) < _TOO_LARGE:
        return False
    return type(part) in (kind if isinstance(kind, tuple) else (kind,))


def _invalid(cursor: str) -> InvalidRequest:
    return InvalidRequest(
        f"The cursor {cursor[:60]!r} was not given out by this server; without one the newest come first.",
        param="cursor",
    )
