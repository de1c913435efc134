"""Opaque cursors of keyset pagination: the sort key of the last row on a page, as URL-safe text and back."""

from __future__ import annotations

import base64
import binascii
import json

from voxgate.core.errors import InvalidRequest


def encode_cursor(key: list[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: tuple[type, ...]) -> list[str | int]:
    """The sort key again; its parts must be of these kinds, or the cursor is not one of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _invalid(cursor) from error
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise _invalid(cursor)
    return key


def _invalid(cursor: str) -> InvalidRequest:
    return InvalidRequest(
        f"The cursor {cursor[:60]!r} was not given out by this server; without one the newest come first.",
        param="cursor",
    )
