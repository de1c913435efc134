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
    offered = "realtime, openai-insecure-api-key.s3cret, xai-client-secret.s3cret, s3cret, openai-project.p"
    kept = dict(request("/", f"Sec-WebSocket-Protocol: {offered}").public_headers())
    assert kept["sec-websocket-protocol"] == (
        "realtime, openai-insecure-api-key.…, xai-client-secret.…, …, openai-project.p"
    )


CARRIERS = (
    "Authorization: Bearer {}",
    "api-key: {}",
    "x-api-key: {}",
    "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{}",
    "Sec-WebSocket-Protocol: xai-client-secret.{}",
    "?api-key={}",
)


def carrying(*carriers: str) -> Request:
    queries = "&".join(each[1:] for each in carriers if each.startswith("?"))
    return request(f"/v1/realtime?{queries}", *(each for each in carriers if not each.startswith("?")))


@pytest.mark.parametrize("first", range(len(CARRIERS)))
def test_of_several_keys_the_first_in_the_documented_order_counts(first: int) -> None:
    keys = [carrier.format(f"key{place}") for place, carrier in enumerate(CARRIERS)]
    assert carrying(*reversed(keys[first:])).key == f"key{first}"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_empty_key_is_none_and_hides_no_other(carrier: str) -> None:
    assert carrying(carrier.format("")).key is None
    assert carrying(carrier.format(""), "?api-key=k" if "?" not in carrier else "api-key: k").key == "k"


def test_an_authorization_that_is_no_bearer_token_is_no_key() -> None:
    assert carrying("Authorization: Basic dXNlcg==", "api-key: k").key == "k"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("openai-insecure-api-key.k, realtime", "realtime"),
        ("xai-client-secret.k", "xai-client-secret.k"),
        ("openai-insecure-api-key.k", None),
        ("", None),
    ],
)
def test_realtime_is_chosen_and_without_it_only_what_xais_clients_offer(
    offered: str, chosen: str | None
) -> None:
    assert carrying(f"Sec-WebSocket-Protocol: {offered}").chosen_subprotocol == chosen


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
