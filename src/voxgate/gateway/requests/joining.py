"""What a request is a part of, as its caller says in headers: those of the request in, what the log's first
fact has of them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from voxgate.traces.parents import HEADERS, LONGEST

_JOINING: Final = frozenset(name.encode() for name in HEADERS)


def joining(headers: Iterable[tuple[bytes, bytes]]) -> list[list[str]]:
    """Nearly none says anything."""
    return [[name.decode(), value.decode("latin-1")[:LONGEST]] for name, value in headers if name in _JOINING]
