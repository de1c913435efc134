"""docs/api.md says what there is, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

from tests.api.test_api_sessions import ROUTES

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_every_endpoint_is_documented_and_every_documented_one_exists() -> None:
    endpoints = DOCUMENT[DOCUMENT.index("## Endpoints") : DOCUMENT.index("### Lists of sessions")]
    named = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/api[^` ]*)", endpoints)
    assert {(method.lower(), path) for method, path in named} == ROUTES
