"""The files of the web app, as a browser gets them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from voxgate.server import WebApp

SCRIPT = b"console.log('hello');" * 50


@pytest.fixture
def browser(tmp_path: Path) -> TestClient:
    assets = tmp_path / "webapp" / "assets"
    assets.mkdir(parents=True)
    (tmp_path / "secret.js.gz").write_bytes(b"secret")
    (tmp_path / "webapp" / "index.html").write_text("<!doctype html>")
    for name in ("packed.js", "plain.js"):
        (assets / name).write_bytes(SCRIPT)
    (assets / "packed.js.gz").write_bytes(gzip.compress(SCRIPT))
    return TestClient(Starlette(routes=WebApp(tmp_path / "webapp").routes()))


@pytest.mark.parametrize(
    ("path", "accepted", "encoding"),
    [
        ("/assets/packed.js", "gzip, br", "gzip"),
        ("/assets/packed.js", "identity", None),
        ("/assets/plain.js", "gzip", None),
    ],
)
def test_a_script_comes_packed_to_who_takes_it(
    browser: TestClient, path: str, accepted: str, encoding: str | None
) -> None:
    answer = browser.get(path, headers={"accept-encoding": accepted})
    assert (answer.status_code, answer.content) == (200, SCRIPT)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert int(answer.headers["content-length"]) < len(SCRIPT) or encoding is None


@pytest.mark.parametrize(
    "path", ["/assets/none.js", "/assets/../../secret.js", "/assets/%2e%2e/%2e%2e/secret.js"]
)
def test_what_is_not_there_or_elsewhere_is_not_given(browser: TestClient, path: str) -> None:
    answer = browser.get(f"/assets/{path}", headers={"accept-encoding": "gzip"})
    assert answer.status_code == 404 or answer.text == "<!doctype html>"
