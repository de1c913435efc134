"""One request to an endpoint, which takes it, refuses it, is busy or is not there."""

from __future__ import annotations

import email.utils
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import make_certificate
from tests.export.calls import row_of, tool_call
from tests.export.collector import Answer, Collector, collecting, partial_success, spans_of
from voxgate.export.otlp import OtlpEncoder, conventions, request_bytes
from voxgate.export.sender import OtlpSender
from voxgate.export.target import OtlpTarget


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def body() -> bytes:
    encoder = OtlpEncoder(conventions(["gen_ai"], content=True, kinds={}))
    return request_bytes([encoder.encode(row_of(tool_call().trace()))])


@pytest.mark.parametrize("gzip", [True, False])
def test_a_request_arrives_whole_with_its_headers(collector: Collector, gzip: bool) -> None:
    target = OtlpTarget(f"{collector.url}/v1/traces", {"x-key": "secret"}, gzip=gzip)
    data = body()
    assert OtlpSender(target).send(data).what == "sent"
    [got] = collector.received
    assert got.path == "/v1/traces"
    assert got.headers["x-key"] == "secret"
    assert got.headers["content-type"] == "application/x-protobuf"
    assert got.request.SerializeToString() == data
    assert (got.headers.get("content-encoding"), got.size < len(data)) == (
        ("gzip", True) if gzip else (None, False)
    )
    assert len(spans_of(got.request.resource_spans[0])) == 8


def test_two_bodies_one_after_the_other_are_one_request_of_both(collector: Collector) -> None:
    OtlpSender(OtlpTarget(collector.url)).send(body() + body())
    assert len(collector.received[0].request.resource_spans) == 2


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_endpoint_is_tried_again_later(collector: Collector, status: int) -> None:
    collector.answers.append(Answer(status, {"retry-after": "17"}))
    outcome = OtlpSender(OtlpTarget(collector.url)).send(body())
    assert (outcome.what, outcome.wait_seconds) == ("later", 17)
    assert str(status) in outcome.message


def test_retry_after_may_be_a_date(collector: Collector) -> None:
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    collector.answers.append(Answer(503, {"retry-after": in_a_minute}))
    wait = OtlpSender(OtlpTarget(collector.url)).send(body()).wait_seconds
    assert wait is not None
    assert 0 < wait <= 60


@pytest.mark.parametrize("header", ["soon", "-5", ""])
def test_a_retry_after_that_says_nothing_is_none(collector: Collector, header: str) -> None:
    collector.answers.append(Answer(429, {"retry-after": header}))
    assert OtlpSender(OtlpTarget(collector.url)).send(body()).wait_seconds is None


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_what_is_refused_would_be_refused_again(collector: Collector, status: int) -> None:
    collector.answers.append(Answer(status, body=b"no \x1b[31m such\nproject"))
    outcome = OtlpSender(OtlpTarget(collector.url)).send(body())
    assert outcome.what == "refused"
    assert outcome.message.endswith("no [31m such project")


def test_a_redirect_is_not_followed(collector: Collector) -> None:
    collector.answers.append(Answer(302, {"location": f"{collector.url}/elsewhere"}))
    assert OtlpSender(OtlpTarget(collector.url)).send(body()).what == "refused"
    assert len(collector.received) == 1


def test_spans_that_were_left_out_are_counted(collector: Collector) -> None:
    collector.answers.append(Answer(200, body=partial_success(3, "too old")))
    outcome = OtlpSender(OtlpTarget(collector.url)).send(body())
    assert (outcome.what, outcome.rejected, outcome.message) == ("sent", 3, "too old")


def test_an_answer_that_is_no_protobuf_counts_as_taken(collector: Collector) -> None:
    collector.answers.append(Answer(200, body=b"<html>thank you</html>"))
    assert OtlpSender(OtlpTarget(collector.url)).send(body()).what == "sent"


def test_an_endpoint_that_is_away_is_tried_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    outcome = OtlpSender(OtlpTarget(url)).send(body())
    assert outcome.what == "later"
    assert url in outcome.message


def test_an_endpoint_that_never_answers_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = OtlpTarget(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.2)
        assert OtlpSender(target).send(body()).what == "later"


def test_only_a_certificate_that_is_trusted_gets_anything(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with collecting(certificate, key) as collector:
        outcome = OtlpSender(OtlpTarget(collector.url)).send(body())
        assert outcome.what == "later"
        assert "CERTIFICATE_VERIFY_FAILED" in outcome.message
        assert collector.received == []
        assert OtlpSender(OtlpTarget(collector.url, certificate=certificate)).send(body()).what == "sent"
    assert len(collector.received) == 1
