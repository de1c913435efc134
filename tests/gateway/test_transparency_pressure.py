"""A side that does not read, or slowly: the other is held up, the gateway keeps little, other calls go on,
and in the end everything arrives, also when the sender has gone. A wire log without room changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.gateway.conftest import ADMIN_KEY
from tests.gateway.streams import over_one_gateway, parts, seeded_bytes
from tests.gateway.wire import (
    MASK,
    PATIENCE_SECONDS,
    SIDES,
    Part,
    Place,
    Side,
    Wire,
    assert_same,
    by,
    closes_in,
    go_round,
    mask_of,
    open_place,
    open_tls_place,
    other,
    running_call,
    until,
    write_close,
    write_frame,
)
from voxgate.gateway.leg import Leg
from voxgate.gateway.relay import Call
from voxgate.realtime.frames import BINARY, TEXT, Close

pytestmark = pytest.mark.anyio

BLOCK = seeded_bytes(1, 60_000)
NARROW_BYTES = 64 << 10
TIGHT_BYTES = 4 << 20
MOST_HELD_BYTES = 1 << 20
"""What the gateway may keep for a side that does not read: much less than what kernels keep."""


@pytest.fixture(scope="module")
async def plain_place(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    async with open_place(tmp_path_factory.mktemp("plain")) as place:
        yield place


@pytest.fixture(scope="module")
async def tls_place(anyio_backend: object, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with open_tls_place(tmp_path_factory.mktemp("tls"), "both") as place:
        yield place


@pytest.fixture(scope="module")
async def unrecorded_place(plain_place: Place) -> Place:
    return replace(plain_place, key=await plain_place.gateway.mint())


@pytest.fixture(params=["plain", "tls", "unrecorded"])
def place(
    request: pytest.FixtureRequest, plain_place: Place, tls_place: Place, unrecorded_place: Place
) -> Place:
    return {"plain": plain_place, "tls": tls_place, "unrecorded": unrecorded_place}[request.param]


def numbered(number: int, mask: bytes) -> bytes:
    return write_frame(BINARY, number.to_bytes(8, "big") + BLOCK, mask=mask)


class Flood:
    """Sends numbered messages as fast as they are taken, until it is told to stop."""

    def __init__(self, wire: Wire, mask: bytes) -> None:
        self._wire = wire
        self._mask = mask
        self._stopping = False
        self.sent = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        with contextlib.suppress(ConnectionError):
            while not self._stopping:
                await self._wire.send(numbered(self.sent, self._mask))
                self.sent += 1

    async def held_up(self) -> int:
        """How much was sent when no more could be for a while."""
        before = -1
        while before != self.sent:
            before = self.sent
            await asyncio.sleep(0.2)
        return before

    def stop(self) -> None:
        """No more after the message that waits to be sent."""
        self._stopping = True

    async def all_of_it(self) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._task
        return b"".join(numbered(number, self._mask) for number in range(self.sent))


def leg_of(call: Call, side: Side) -> Leg:
    return call.client if side == "client" else call.upstream


def large_part(seed: int, mask: bytes) -> Part:
    """More than the wire log of `tight_place` has room for, and than a part of any log's memory."""
    stream = b"".join(numbered(seed + number, mask) for number in range(TIGHT_BYTES * 2 // len(BLOCK)))
    return Part(stream + write_close(1000, mask=mask))


@pytest.mark.parametrize("deaf_side", SIDES)
async def test_a_side_that_stops_reading_holds_up_the_other_and_no_other_call(
    place: Place, deaf_side: Side
) -> None:
    async with place.join() as (client, upstream):
        deaf, sender, _ = by(deaf_side, client, upstream)
        deaf.narrow(NARROW_BYTES)
        leg = leg_of(running_call(place.gateway, client), deaf_side)
        flood = Flood(sender, mask_of(other(deaf_side)))
        await until(lambda: leg.stalled_since is not None)
        sent = await flood.held_up()
        assert leg.transport.get_write_buffer_size() < MOST_HELD_BYTES
        await place.carries(large_part(0, MASK), large_part(1000, b""))
        assert (flood.sent, deaf.received) == (sent, b"")

        flood.stop()
        arrived = asyncio.create_task(deaf.receive_until_end())
        expected = await flood.all_of_it() + write_close(1000, mask=mask_of(other(deaf_side)))
        await sender.send(write_close(1000, mask=mask_of(other(deaf_side))))
        await until(lambda: len(deaf.received) >= len(expected))
        await deaf.send(write_close(1000, mask=mask_of(deaf_side)))
        assert_same(await arrived, expected, f"at the {deaf_side}")
        assert await sender.receive_until_end() == write_close(1000, mask=mask_of(deaf_side))
        assert leg.stalled_since is None


@pytest.mark.parametrize("legs", ["none", "both"])
async def test_how_much_is_kept_for_a_side_that_does_not_read_is_a_setting(
    anyio_backend: object, tmp_path: Path, legs: str
) -> None:
    limits = {"held_bytes": MOST_HELD_BYTES}
    most_read_at_once = (64 << 10) if legs == "none" else (320 << 10)
    opened = open_place if legs == "none" else functools.partial(open_tls_place, legs=legs)
    async with opened(tmp_path, limits=limits) as place, place.join() as (client, upstream):
        client.narrow(NARROW_BYTES)
        leg = leg_of(running_call(place.gateway, client), "client")
        flood = Flood(upstream, b"")
        await until(lambda: leg.stalled_since is not None)
        held = leg.transport.get_write_buffer_size()
        assert MOST_HELD_BYTES < held <= MOST_HELD_BYTES + most_read_at_once
        flood.stop()
        client.reset()


@pytest.mark.parametrize("deaf_side", SIDES)
async def test_a_side_that_does_not_read_is_still_heard(place: Place, deaf_side: Side) -> None:
    """The two directions of a call do not wait for each other."""
    async with place.join() as (client, upstream):
        deaf, sender, _ = by(deaf_side, client, upstream)
        deaf.narrow(NARROW_BYTES)
        leg = leg_of(running_call(place.gateway, client), deaf_side)
        flood = Flood(sender, mask_of(other(deaf_side)))
        await until(lambda: leg.stalled_since is not None)
        said = b"".join(numbered(number, mask_of(deaf_side)) for number in range(20))
        await deaf.send(said)
        assert_same(await sender.receive_exactly(len(said)), said, "at the side that is held up")
        flood.stop()


@pytest.mark.parametrize("leaving", SIDES)
@pytest.mark.parametrize("closes", [True, False], ids=["after a close frame", "without a word"])
async def test_all_that_a_side_said_before_it_hung_up_reaches_a_slow_reader(
    place: Place, leaving: Side, closes: bool
) -> None:
    mask = mask_of(leaving)
    stream = b"".join(numbered(number, mask) for number in range(100))
    stream += write_close(4000, b"gone", mask=mask) if closes else b""
    async with place.join() as (client, upstream):
        speaker, reader, _ = by(leaving, client, upstream)
        reader.narrow(NARROW_BYTES)
        leg = leg_of(running_call(place.gateway, client), other(leaving))
        speaker.writer.write(stream)
        speaker.hang_up()
        await until(lambda: leg.stalled_since is not None)
        assert_same(await reader.receive_exactly(len(stream)), stream, f"from the {leaving}")
        if leaving == "provider":  # the client has the last word
            await reader.receive_until_close(0 if closes else len(stream))
            await reader.send(write_close(4000, mask=MASK))
        rest = (await reader.receive_until_end())[len(stream) :]
        if closes:
            assert rest == b""
            if place.key == ADMIN_KEY:
                assert await place.end_of(client.session_id) == (4000, "gone", leaving)
        else:
            reason = Close(1001, "client disconnected")
            lost = Close(1011, "server_error.upstream_lost")
            assert closes_in(rest) == [reason if leaving == "client" else lost]


async def fill(speaker: Wire, leg: Leg, mask: bytes) -> bytes:
    """Says as much as it takes until something waits in the gateway, and no more; what was said."""
    said = b""
    while not leg.transport.get_write_buffer_size():
        frame = numbered(len(said), mask)
        await speaker.send(frame)
        said += frame
        await go_round(5)
    return said


async def leave_something(place: Place, client: Wire, upstream: Wire, leaving: Side) -> bytes:
    """That side says what the other does not read yet, closes and hangs up; all that it said. Afterwards the
    call is over for the gateway but for what waits."""
    speaker, reader, mask = by(leaving, client, upstream)
    reader.narrow(NARROW_BYTES)
    said = await fill(speaker, leg_of(running_call(place.gateway, client), other(leaving)), mask)
    end = write_close(4000, b"gone", mask=mask)
    await speaker.send(end)
    speaker.hang_up()
    await until(lambda: place.gateway.worker.gateway.calls.running == 0)
    return said + end


@pytest.mark.parametrize("leaving", SIDES)
async def test_what_waits_in_the_gateway_when_a_side_ends_is_still_written_to_the_other(
    place: Place, leaving: Side
) -> None:
    async with place.join() as (client, upstream):
        said = await leave_something(place, client, upstream, leaving)
        _, reader, _ = by(leaving, client, upstream)
        assert_same(await reader.receive_exactly(len(said)), said, f"from the {leaving}")


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="between two messages"),
        pytest.param(b"\x82\xfe\x08\0\0\0\0\0", id="inside a message"),
    ],
)
async def test_a_client_that_speaks_while_its_provider_leaves_gets_all_that_it_said(
    plain_place: Place, begun: bytes
) -> None:
    """`begun` is the beginning of a frame of 2,048 bytes."""
    rest = b"\x88\x80mask" + b"x" * 2042 if begun else b""
    async with plain_place.join() as (client, upstream):
        await client.send(begun)
        assert await upstream.receive_exactly(len(begun)) == begun
        said = await leave_something(plain_place, client, upstream, "provider")
        await client.send(rest)
        for number in range(10):
            await go_round(20)
            client.writer.write(numbered(number, MASK))
        assert_same(await client.receive_exactly(len(said)), said, "from the provider")


async def test_a_provider_that_speaks_while_its_client_leaves_gets_all_that_it_said(
    plain_place: Place,
) -> None:
    async with plain_place.join() as (client, upstream):
        said = await leave_something(plain_place, client, upstream, "client")
        for number in range(10):
            upstream.writer.write(numbered(number, b""))
        assert_same(await upstream.receive_exactly(len(said)), said, "from the client")


@pytest.mark.parametrize("deaf_side", SIDES)
async def test_little_is_kept_for_a_side_that_does_not_read_when_the_other_has_gone(
    plain_place: Place, deaf_side: Side
) -> None:
    """What the kernel still holds of the side that has gone stays there: it is not fetched into memory."""
    async with plain_place.join() as (client, upstream):
        deaf, sender, _ = by(deaf_side, client, upstream)
        deaf.narrow(NARROW_BYTES)
        leg = leg_of(running_call(plain_place.gateway, client), deaf_side)
        flood = Flood(sender, mask_of(other(deaf_side)))
        await until(lambda: leg.stalled_since is not None)
        await flood.held_up()
        flood.stop()
        sender.reset()
        for number in range(100):  # what is said to nobody is how the gateway notices
            with contextlib.suppress(ConnectionError):
                await deaf.send(numbered(number, mask_of(deaf_side)))
            assert leg.transport.get_write_buffer_size() < MOST_HELD_BYTES
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def stopped(pid: int | None) -> Iterator[None]:
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
async def tight_place(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """A gateway whose wire log has little room in memory."""
    folder = tmp_path_factory.mktemp("tight")
    async with open_place(folder, recording_buffer_bytes=TIGHT_BYTES) as place:
        yield place


@pytest.fixture
async def full_place(tight_place: Place) -> AsyncIterator[Place]:
    """And has none, because its writer writes nothing."""
    spool = tight_place.gateway.worker.gateway.spool
    with stopped(spool.writer_pid):
        await tight_place.carries(large_part(0, MASK), large_part(1000, b""))
        assert spool.full
        yield tight_place
        assert spool.full
    await until(lambda: not spool.full)


@settings(over_one_gateway, max_examples=8)
@given(client=parts(masked=True), provider=parts(masked=False))
async def test_all_bytes_come_out_unchanged_while_the_log_has_no_room(
    full_place: Place, client: Part, provider: Part
) -> None:
    await full_place.carries(client, provider)


async def test_all_bytes_come_out_unchanged_while_the_log_has_room_by_turns(tight_place: Place) -> None:
    spool = tight_place.gateway.worker.gateway.spool
    turns = 0

    async def hold_up_the_writer() -> None:
        nonlocal turns
        while True:
            with stopped(spool.writer_pid):
                await until(lambda: spool.full)
            await until(lambda: not spool.full)
            turns += 1

    holding = asyncio.create_task(hold_up_the_writer())
    while turns < 4:
        assert not holding.done()
        await tight_place.carries(large_part(turns, MASK), large_part(turns + 1000, b""))
    holding.cancel()
    await asyncio.wait([holding])
    await until(lambda: not spool.full)
    short = [Part(write_frame(TEXT, b"hello", mask=m) + write_close(1000, mask=m)) for m in (MASK, b"")]
    await tight_place.carries_and_logs(*short)
