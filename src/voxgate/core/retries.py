"""When a server that is asked over HTTP wants to be asked again."""

from __future__ import annotations

import email.utils
import time
from typing import Final

_LONGEST_WAIT: Final = 3600.0


def retry_after_seconds(value: str | None) -> float | None:
    """`Retry-After` in seconds or as a date (RFC 9110, section 10.2.3); None for nothing that is either."""
    if value is None:
        return None
    if value.strip().isdigit():
        return min(float(value), _LONGEST_WAIT)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(max(0.0, moment.timestamp() - time.time()), _LONGEST_WAIT)
