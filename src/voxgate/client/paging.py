"""Lists of the API, page by page: only one page is held at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voxgate.client.http import Client, Query

PAGE: Final = 200


def items(client: Client, path: str, query: Query = None) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = client.call("GET", path, query={"limit": PAGE, **(query or {}), "cursor": cursor})
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
