"""The load over real connections, to its own provider and through a relay that spoils what it carries."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bench.certificate import make_certificate
from bench.compiled import library
from bench.load import Load, Route
from bench.machine import free_port
from bench.peers.process import PATH

from voxgate.realtime.frames import CONTINUATION, PING, TEXT, FrameDecoder, encode_frame

CALLS = 3


@contextmanager
def opened(load: Load, calls: int = CALLS) -> Iterator[Load]:
    try:
        load.open(calls)
        yield load
    finally:
        load.close()


@contextmanager
def relay(provider: int, spoil: Callable[[bytes], bytes]) -> Iterator[int]:
    """A TCP relay on a thread for each direction of a call; `spoil` gets what the provider sends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pump(source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]) -> None:
            try:
                while data := source.recv(1 << 16):
                    sink.sendall(change(data))
            except OSError:
                pass  # the call is over

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                upstream = socket.create_connection(("127.0.0.1", provider))
                sockets.extend((client, upstream))
                for pair in ((client, upstream, bytes), (upstream, client, spoil)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

        sockets: list[socket.socket] = []
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for one in sockets:
                one.close()


WAYS = pytest.mark.parametrize(
    "compiled",
    [False, pytest.param(True, marks=pytest.mark.skipif(library() is None, reason="needs a C compiler"))],
    ids=["in Python", "compiled"],
)


@WAYS
def test_every_call_speaks_and_is_answered(compiled: bool) -> None:
    port = free_port()
    with opened(Load(Route(port, port, PATH, "x"))) as load:
        load.voice(1.0, compiled=compiled)
        load.settle()
        result = load.result()
    assert result["messages"] == CALLS * 25
    assert (result["lost"], result["wrong"], result["calls_lost"]) == (0, 0, 0)
    assert 0 < result["latency_p50_ms"] <= result["latency_p99_ms"]


@WAYS
def test_how_long_messages_take_is_counted_when_all_calls_have_begun(compiled: bool) -> None:
    port = free_port()
    with opened(Load(Route(port, port, PATH, "x"))) as load:
        load.voice(1.0, compiled=compiled)
        load.settle()
        counted = len(load.up.latencies_ns) + len(load.down.latencies_ns)
    assert CALLS * 25 * 0.6 < counted < CALLS * 25


@WAYS
def test_a_relay_that_holds_messages_is_slower_by_as_much(compiled: bool) -> None:
    def hold(message: bytes) -> bytes:
        time.sleep(0.03)
        return encode_frame(TEXT, message)

    result = spoken_through(hold, compiled)
    assert 30 <= result["latency_p99_ms"] < 10_000


@WAYS
@pytest.mark.parametrize("times", [0, 2], ids=["lost", "twice"])
def test_a_voice_message_that_does_not_arrive_once_is_found_out(times: int, compiled: bool) -> None:
    spoilt = iter([1] * 2 + [times])
    result = spoken_through(lambda message: encode_frame(TEXT, message) * next(spoilt, 1), compiled)
    assert result["wrong"] + abs(result["lost"]) > 0


@WAYS
def test_a_voice_message_of_which_a_byte_is_another_is_found_out(compiled: bool) -> None:
    spoilt = iter([False] * 2 + [True])

    def spoil(message: bytes) -> bytes:
        return encode_frame(TEXT, message.replace(b"A", b"B", 1) if next(spoilt, False) else message)

    result = spoken_through(spoil, compiled)
    assert (result["wrong"], result["lost"]) == (1, 0)


@WAYS
def test_a_relay_may_cut_frames_in_another_way_and_ping_between_them(compiled: bool) -> None:
    def cut(message: bytes) -> bytes:
        first = bytearray(encode_frame(TEXT, message[:700]))
        first[0] &= 0x7F  # it is not the last of its message
        return bytes(first) + encode_frame(PING, b"there?") + encode_frame(CONTINUATION, message[700:])

    result = spoken_through(cut, compiled)
    assert (result["messages"], result["wrong"], result["lost"]) == (25, 0, 0)


def spoken_through(spoil: Callable[[bytes], bytes], compiled: bool) -> dict[str, Any]:
    """A second of a call whose relay sends on what `spoil` makes of each message of the provider."""
    provider = free_port()
    decoder, greeted = FrameDecoder(), [False]

    def change(data: bytes) -> bytes:
        if not greeted[0]:  # the answer to the handshake, with the greetings
            greeted[0] = b"response.created" in data
            return data
        return b"".join(spoil(one.payload) for one in decoder.feed(data) if one.opcode == TEXT)

    with (
        relay(provider, change) as port,
        opened(Load(Route(port, provider, PATH, "x"), 3200, 2000), 1) as load,
    ):
        load.voice(1.0, compiled=compiled)
        load.settle()
        return load.result()


def test_a_saturated_call_is_answered_message_by_message() -> None:
    port = free_port()
    with opened(Load(Route(port, port, PATH, "x"), 65_536, 65_536)) as load:
        load.saturate(0.3)
        load.settle()
    assert load.up.sent == load.up.received > CALLS
    assert (load.up.wrong, load.down.wrong) == (0, 0)


def test_the_load_speaks_tls_on_both_ends(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    client = ssl.create_default_context(cafile=certificate.path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate.path, certificate.key_path)
    port = free_port()
    with opened(Load(Route(port, port, PATH, "x", client, server))) as load:
        load.voice(0.5)
        load.settle()
    assert (load.result()["lost"], load.result()["wrong"]) == (0, 0)
    assert load.down.received > 0


def test_a_relay_that_alters_a_byte_is_found_out() -> None:
    provider = free_port()
    spoilt = iter([False] * 5 + [True])

    def spoil(data: bytes) -> bytes:
        return data.replace(b"A", b"B", 1) if b'"delta"' in data and next(spoilt, False) else data

    with (
        relay(provider, spoil) as port,
        opened(Load(Route(port, provider, PATH, "x"), 3200, 2000), 1) as load,
    ):
        load.saturate(0.3)
        load.settle()
    assert load.result()["wrong"] == 1
