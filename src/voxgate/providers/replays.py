"""The models `replay:<session id>`: recorded calls, which an endpoint of our own plays back behind a loopback
socket. Here is only what whoever dials it and the endpoint itself have to agree on.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

PROJECT_HEADER: Final = "x-voxgate-project"
"""The only project whose sessions the caller may replay, percent-encoded; absent: any."""
SPEED_PARAMETER: Final = "replay_speed"
MATCHING_PARAMETER: Final = "replay_matching"
_START_SECONDS: Final = 60.0
"""The endpoint is started when it is first called."""


def replay_provider(base_url: str, api_key: str) -> dict[str, Any]:
    """What a worker needs to know of the endpoint, as it goes into its orders (`ProviderSettings`)."""
    return {
        "base_url": base_url,
        "api_key": api_key,
        "connect_timeout_seconds": _START_SECONDS,
        "rest_seconds": 0.0,
        "query_parameters": [SPEED_PARAMETER, MATCHING_PARAMETER],
    }


def project_header(home: str | None) -> list[tuple[str, str]]:
    return [(PROJECT_HEADER, quote(home, safe=""))] if home is not None else []
