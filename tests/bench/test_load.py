"""The load over real connections, to its own provider and through a relay that spoils what it carries."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.certificate import make_certificate
from bench.load import Load, Route
from bench.machine import free_port
from bench.peers.process import PATH

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


def test_every_call_speaks_and_is_answered() -> None:
    port = free_port()
    with opened(Load(Route(port, port, PATH, "x"))) as load:
        load.voice(1.0)
        load.settle()
        result = load.result()
    assert result["messages"] == CALLS * 25
    assert (result["lost"], result["wrong"], result["calls_lost"]) == (0, 0, 0)
    assert 0 < result["latency_p50_ms"] <= result["latency_p99_ms"]


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
