"""What the soak's ends say, and that an end notices what is not as the script says."""

from __future__ import annotations

import base64
import json

import pytest
from bench.soak.orders import CallPlan, Codec
from bench.soak.script import Hearing, down_message, sound, sound_bytes, up_message

from voxgate.audio.g711 import decode_ulaw

CODECS: tuple[Codec, ...] = ("pcm", "pcmu")


def plan(codec: Codec = "pcmu") -> CallPlan:
    return CallPlan(7, codec, "soak-steady", 60, None, 0, 0)


def heard(*payloads: bytes) -> tuple[int, int]:
    hearing = Hearing(plan(), up_message)
    for payload in payloads:
        hearing.hear(payload)
    return hearing.right, hearing.wrong


MESSAGES = [up_message(plan(), k) for k in range(6)]


def test_a_call_as_written_has_nothing_wrong() -> None:
    assert heard(*MESSAGES) == (6, 0)


def test_a_lost_message_counts_once() -> None:
    assert heard(*MESSAGES[:2], *MESSAGES[3:]) == (5, 1)


def test_a_message_that_comes_twice_is_noticed() -> None:
    assert heard(*MESSAGES[:3], *MESSAGES[2:]) == (6, 1)


def test_messages_in_another_order_are_noticed() -> None:
    right, wrong = heard(MESSAGES[0], MESSAGES[2], MESSAGES[1], *MESSAGES[3:])
    assert (right, wrong > 0) == (5, True)


def test_one_altered_byte_is_noticed() -> None:
    altered = MESSAGES[2][:-3] + b"A" + MESSAGES[2][-2:]
    assert altered != MESSAGES[2]
    right, wrong = heard(*MESSAGES[:2], altered, *MESSAGES[3:])
    assert (right, wrong > 0) == (5, True)


@pytest.mark.parametrize("codec", CODECS)
def test_every_message_is_a_json_event(codec: Codec) -> None:
    for k in range(80):
        assert "type" in json.loads(up_message(plan(codec), k))
        assert "type" in json.loads(down_message(plan(codec), k))


@pytest.mark.parametrize("codec", CODECS)
def test_the_expected_sound_is_what_the_messages_carry(codec: Codec) -> None:
    events = [json.loads(down_message(plan(codec), k)) for k in range(150)]
    carried = b"".join(
        base64.b64decode(e["delta"]) for e in events if e["type"].endswith("output_audio.delta")
    )
    if codec == "pcmu":
        carried = decode_ulaw(carried).tobytes()
    assert b"".join(sound(plan(codec), "down", 150)) == carried
    assert sound_bytes(plan(codec), "down", 150) == len(carried)
