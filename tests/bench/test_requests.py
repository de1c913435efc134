"""The harness for requests, over real connections: to its own provider, and through relays that write anew,
spoil, or lose what they carry.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from bench.figures import Results, Run
from bench.machine import free_port
from bench.peers.process import Running
from bench.requests import bodies, provider
from bench.requests.measure import carry
from bench.requests.report import text_of, write_page


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[int, int]]:
    with provider.running() as found:
        yield found


@contextmanager
def relay(upstream: int, spoil: Callable[[bytes], bytes], ask: Callable[[bytes], bytes]) -> Iterator[int]:
    """One that reads everything before it goes on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = ask(self.rfile.read(int(self.headers["content-length"])))
            connection = HTTPConnection("127.0.0.1", upstream, timeout=30)
            connection.request("POST", self.path, body, {"content-type": "application/json"})
            found = spoil(connection.getresponse().read())
            connection.close()
            self.send_response(200)
            self.send_header("content-length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def same(body: bytes) -> bytes:
    return body


def dense(body: bytes) -> bytes:
    return json.dumps(json.loads(body), separators=(",", ":")).encode()


def measured(port: int, house: tuple[int, int], *, streams: bool = False, rate: float | None = None) -> Run:
    orders = {
        "port": port, "key": "x", "streams": streams, "rate": rate, "seconds": 0.5, "count": 20, "at_once": 4,
        "warm": 4, "provider_pid": house[1],
    }  # fmt: skip
    return carry(Running(port), house[0], orders)


@pytest.mark.parametrize("streams", [False, True])
def test_what_is_not_touched_is_counted_as_unchanged(house: tuple[int, int], streams: bool) -> None:
    run = measured(house[0], house, streams=streams)
    assert (run["requests"], run["unchanged"], run["anew"], run["wrong"], run["lost"]) == (20, 20, 0, 0, 0)
    assert run["p50_ms"] <= run["p99_ms"]
    assert run["first_p50_ms"] <= run["p50_ms"]


def test_a_paced_load_asks_as_often_as_it_is_told(house: tuple[int, int]) -> None:
    run = measured(house[0], house, rate=40)
    assert (run["requests"], run["unchanged"]) == (20, 20)
    assert run["seconds"] >= 0.3


def test_a_relay_that_writes_anew_is_told_from_one_that_does_not(house: tuple[int, int]) -> None:
    with relay(house[0], dense, same) as port:
        answers = measured(port, house)
    with relay(house[0], same, dense) as port:
        questions = measured(port, house)
    assert (answers["anew"], answers["wrong"], answers["lost"]) == (20, 0, 0)
    assert (questions["anew"], questions["wrong"], questions["lost"]) == (20, 0, 0)


@pytest.mark.parametrize(
    ("spoil", "ask", "streams"),
    [
        (lambda body: body.replace(b"word", b"wort", 1), same, False),
        (lambda body: body.replace(b"250", b"251"), same, False),
        (same, lambda body: body.replace(b"order", b"offer"), False),
        (lambda body: body.replace(b"word7 ", b""), same, True),
        (lambda body: body.removesuffix(b"data: [DONE]\n\n"), same, True),
    ],
)
def test_a_relay_that_alters_has_no_figure(
    house: tuple[int, int], spoil: Callable[[bytes], bytes], ask: Callable[[bytes], bytes], streams: bool
) -> None:
    with relay(house[0], spoil, ask) as port:
        run = measured(port, house, streams=streams)
    assert run["wrong"] == 20
    load = "stream" if streams else "plain"
    page = text_of({load: {"nginx": [{**run, "round": 0}]}}, "a machine")
    assert "| nginx | none | none | none | none |" in page
    assert "20 altered" in page


def test_a_relay_that_is_not_there_loses_its_requests() -> None:
    with provider.running() as (port, pid):
        run = measured(free_port(), (port, pid))
    assert run["lost"] == 20


def test_the_page_keeps_what_people_wrote(tmp_path: Path, house: tuple[int, int]) -> None:
    run = {**measured(house[0], house), "round": 0}
    voxgate = {
        **run, "cpu_us": 700.0, "beside_us": {"recorder": 1000.0, "writer": 100.0}, "left": 12,
        "caught_up_seconds": 1.5, "recorded": 19, "unrecorded_bytes": 0,
    }  # fmt: skip
    litellm = {**run, "cpu_us": 14_000.0}
    results: Results = {"plain": {"direct": [run], "voxgate": [voxgate], "litellm": [litellm]}}
    page = tmp_path / "performance-requests.md"
    write_page(tmp_path, results, "a machine")
    page.write_text(page.read_text() + "\n## Where it stands\nBy hand.\n")
    write_page(tmp_path, results, "another machine")
    text = page.read_text()
    assert text.endswith("## Where it stands\nBy hand.\n")
    assert "another machine" in text
    assert "| CPU, plain: litellm's of ours | 20.00 | ≥ 4 | yes |" in text
    assert "| 12 | 1.5 | 1 | 0 |" in text
    assert "<svg" in (tmp_path / "images" / "performance-requests.svg").read_text()


def test_the_command_says_what_it_can(capfd: pytest.CaptureFixture[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "bench.requests",
        "--rounds",
        "1",
        "--requests",
        "10",
        "--seconds",
        "0.2",
    ]
    subprocess.run([*command, "--peer", "direct"], check=True, cwd=Path(bodies.__file__).parents[2])
    assert "## Latency: stream, paced" in capfd.readouterr().out
