"""Identifiers that sort by the time of their making: a prefix, 48 bits of milliseconds, 80 bits of chance."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case, as in ULID


def new_id(prefix: str) -> str:
    """For example `sess_01k9h7c2m8e4…`: 26 characters after the prefix, ascending with time."""
    return _id(prefix, time.time_ns() // 1_000_000, secrets.randbits(80))


def first_id(prefix: str, unix_seconds: int) -> str:
    """Ids that were made before this moment sort before it, all later ones behind it."""
    return _id(prefix, unix_seconds * 1000, 0)


def made_at_ms(identifier: str) -> int | None:
    """The Unix time at which `new_id` made it; None for what it did not make."""
    digits = identifier.rpartition("_")[2]
    if len(digits) != 26 or not set(digits) <= set(_ALPHABET):
        return None
    milliseconds = 0
    for digit in digits[:10]:
        milliseconds = milliseconds << 5 | _ALPHABET.index(digit)
    return milliseconds


def _id(prefix: str, unix_ms: int, chance: int) -> str:
    number = unix_ms << 80 | chance
    digits = [_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
