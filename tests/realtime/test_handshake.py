"""What is kept of a client's request: values that are known to be harmless, of anything else the name."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxgate.realtime.handshake import Request, parse_request


def request(target: str = "/v1/realtime", *headers: str) -> Request:
    lines = [f"GET {target} HTTP/1.1", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13", *headers, "", ""]
    return parse_request("\r\n".join(lines).encode())


def test_a_header_that_nobody_knows_is_kept_by_name_only() -> None:
    kept = request("/", "User-Agent: app/1", "X-Tenant-Token: s3cret", "Cookie: a=s3cret").public_headers()
    assert kept == [
        ["sec-websocket-key", "…"],
        ["sec-websocket-version", "13"],
        ["user-agent", "app/1"],
        ["x-tenant-token", "…"],
        ["cookie", "…"],
    ]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("model=gpt%20x&intent=transcription", "model=gpt%20x&intent=transcription"),
        ("model=m&api-key=s3cret&jwt=s3cret", "model=m&api-key=…&jwt=…"),
        ("MODEL=m&Voice=a", "MODEL=m&Voice=a"),
        ("ek_" + "s3cret" * 8, "…=…"),
        ("ek_s3cret%20x=1", "…=…"),
        ("", ""),
    ],
)
def test_a_parameter_that_nobody_knows_is_kept_by_name_only(query: str, kept: str) -> None:
    assert request(f"/v1/realtime?{query}").public_query() == kept


def test_a_subprotocol_that_nobody_knows_may_be_a_key() -> None:
    offered = "realtime, openai-insecure-api-key.s3cret, xai-client-secret.s3cret, openai-agents-sdk.0.20.0"
    kept = dict(request("/", f"Sec-WebSocket-Protocol: {offered}").public_headers())
    assert (
        kept["sec-websocket-protocol"] == "realtime, openai-insecure-api-key.…, …, openai-agents-sdk.0.20.0"
    )


def test_no_key_of_a_recorded_handshake_is_kept_but_what_says_which_client_it_is(shared: Path) -> None:
    heads = [
        text.partition("\n\n")[0]
        for path in sorted((shared / "fixtures/realtime/handshakes").glob("*.http"))
        if "\nGET " in (text := path.read_text())
    ]
    requests = [
        request(head.partition("GET ")[2].partition(" ")[0], *head.split("HTTP/1.1\n")[1].splitlines())
        for head in heads
    ]
    assert len(requests) >= 25
    for each in requests:
        kept = str([each.public_headers(), each.public_query()])
        assert each.key is not None
        assert each.key not in kept
        assert (each.header("user-agent") or "") in kept
        assert (each.parameter("model") or "") in kept
