"""docs/api.md says what there is, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

from tests.api.test_api_sessions import ROUTES
from voxgate.store.filter import KEYS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_every_endpoint_is_documented_and_every_documented_one_exists() -> None:
    endpoints = DOCUMENT[DOCUMENT.index("## Endpoints") : DOCUMENT.index("### Filter")]
    named = re.findall(r"`(GET|POST|DELETE) (/api[^` ]*)", endpoints)
    assert {(method.lower(), path) for method, path in named} == ROUTES


def test_every_key_of_the_filter_is_documented() -> None:
    table = DOCUMENT[DOCUMENT.index("### Filter") : DOCUMENT.index("### Sound")]
    assert set(re.findall(r"`(\w+):", table)) == set(KEYS)
