"""What it means when an OpenAI-compatible endpoint refuses: a status, headers and a body in, whether the same
may be asked again, and a message without secrets out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxgate.core.retries import retry_after_seconds
from voxgate.realtime.redaction import REDACTED, without_keys

LARGEST_ANSWER_BYTES: Final = 4 << 20
_LATER: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SHOWN: Final = 300
_SHORTEST_SECRET: Final = 8


@dataclass(frozen=True, slots=True)
class Refusal:
    """`is_final`: it would be refused again. `wait_seconds`: when it wants to be asked again. `param`: the
    field of the request that it does not like."""

    message: str
    is_final: bool
    status: int | None = None
    wait_seconds: float | None = None
    param: str | None = None
    code: str | None = None


class Refusals:
    """`secrets` are texts that no message repeats, such as keys."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]

    def of(self, status: int, reason: str, retry_after: str | None, text: str) -> Refusal:
        error = _error(text)
        said = str(error.get("message") or "") or text
        return Refusal(
            self.shown(f"{status} {reason}" + (f": {said}" if said else "")),
            is_final=status not in _LATER or _is_over(text),
            status=status,
            wait_seconds=retry_after_seconds(retry_after),
            param=_string(error, "param"),
            code=_string(error, "code"),
        )

    def shown(self, text: str) -> str:
        """As much of it as may be shown and read."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return without_keys(" ".join("".join(c if c.isprintable() else " " for c in text).split()))[:_SHOWN]


def _error(text: str) -> dict[str, Any]:
    """An error in OpenAI's shape; empty for anything else."""
    try:
        error = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _string(error: dict[str, Any], name: str) -> str | None:
    value = error.get(name)
    return value if isinstance(value, str) else None


def _is_over(text: str) -> bool:
    """A 429 that no waiting ends: nothing is left on the account."""
    return '"insufficient_quota"' in text
