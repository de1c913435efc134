"""What is said in a call: message k of each direction, as Realtime events with sound that no relay can know.

up     session.update, then 50 ms of sound in every message, for as long as the call lasts
down   session.created, session.updated, then every six seconds a turn: the user's speech is found, and
       an answer comes in four bursts of five messages, a second apart
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable
from functools import cache
from typing import Final, Literal

from bench.soak.orders import CallPlan, Codec

UP_EVERY_MS: Final = 50
TURN_MS: Final = 6_000
POOL: Final = 256
UP_BYTES: Final[dict[Codec, int]] = {"pcm": 2_400, "pcmu": 400}
DOWN_BYTES: Final[dict[Codec, int]] = {"pcm": 12_000, "pcmu": 2_000}
_FORMATS: Final[dict[Codec, bytes]] = {
    "pcm": b'{"type":"audio/pcm","rate":24000}',
    "pcmu": b'{"type":"audio/pcmu"}',
}
_BURSTS_MS: Final = (2_000, 3_000, 4_000, 5_000)
_DELTAS_A_BURST: Final = 5

# Moments of a turn and the events that come then.
_TURN: Final[list[tuple[int, str]]] = [
    (0, "speech_started"),
    (1_500, "speech_stopped"),
    (1_500, "committed"),
    (1_500, "item_added"),
    (2_000, "created"),
    (2_000, "output_item_added"),
    *[
        (at, kind)
        for at in _BURSTS_MS
        for kind in (*(["delta"] * _DELTAS_A_BURST), "transcript")
    ],
    (5_500, "audio_done"),
    (5_500, "output_item_done"),
    (5_500, "done"),
]  # fmt: skip
_FIRST_TURN: Final = 2
"""So many messages of the provider come before the first turn."""
_DELTAS_BEFORE: Final = [sum(kind == "delta" for _, kind in _TURN[:step]) for step in range(len(_TURN))]
_DELTAS_A_TURN: Final = len(_BURSTS_MS) * _DELTAS_A_BURST

_EVENTS: Final[dict[str, bytes]] = {
    "speech_started": b'"type":"input_audio_buffer.speech_started","audio_start_ms":%(start)d,'
    b'"item_id":"%(user)b"',
    "speech_stopped": b'"type":"input_audio_buffer.speech_stopped","audio_end_ms":%(stop)d,'
    b'"item_id":"%(user)b"',
    "committed": b'"type":"input_audio_buffer.committed","previous_item_id":null,"item_id":"%(user)b"',
    "item_added": b'"type":"conversation.item.added","previous_item_id":null,"item":{"id":"%(user)b",'
    b'"type":"message","status":"completed","role":"user","content":[{"type":"input_audio","transcript":null}]}',
    "created": b'"type":"response.created","response":{"id":"%(response)b","object":"realtime.response",'
    b'"status":"in_progress","output":[]}',
    "output_item_added": b'"type":"response.output_item.added","response_id":"%(response)b","output_index":0,'
    b'"item":{"id":"%(item)b","type":"message","status":"in_progress","role":"assistant","content":[]}',
    "transcript": b'"type":"response.output_audio_transcript.delta","response_id":"%(response)b",'
    b'"item_id":"%(item)b","output_index":0,"content_index":0,"delta":"Some words of turn %(turn)d. "',
    "audio_done": b'"type":"response.output_audio.done","response_id":"%(response)b","item_id":"%(item)b",'
    b'"output_index":0,"content_index":0',
    "output_item_done": b'"type":"response.output_item.done","response_id":"%(response)b","output_index":0,'
    b'"item":{"id":"%(item)b","type":"message","status":"completed","role":"assistant","content":[]}',
    "done": b'"type":"response.done","response":{"id":"%(response)b","object":"realtime.response",'
    b'"status":"completed","output":[],"usage":{"total_tokens":300,"input_tokens":200,"output_tokens":100}}',
}  # fmt: skip
Direction = Literal["up", "down"]
_NUMBER: Final = re.compile(rb'"event_id":"[ud]-\d+-(\d+)"')
_LONGEST_BEFORE_NUMBER: Final = 120


def up_message(plan: CallPlan, k: int) -> bytes:
    if k == 0:
        return (
            b'{"type":"session.update","event_id":"u-%d-0","session":{"type":"realtime","audio":{"input":'
            b'{"format":%s},"output":{"format":%s}}}}'
            % (plan.number, _FORMATS[plan.codec], _FORMATS[plan.codec])
        )
    return b'{"type":"input_audio_buffer.append","event_id":"u-%d-%d","audio":"%s"}' % (
        plan.number, k, _encoded(plan.codec, "up")[(plan.number + k - 1) % POOL],
    )  # fmt: skip


def down_message(plan: CallPlan, k: int) -> bytes:
    if k < _FIRST_TURN:
        return _session_event(plan, k)
    turn, step = divmod(k - _FIRST_TURN, len(_TURN))
    kind = _TURN[step][1]
    names = (plan.number, turn)
    if kind == "delta":
        sound = _encoded(plan.codec, "down")[
            (plan.number + turn * _DELTAS_A_TURN + _DELTAS_BEFORE[step]) % POOL
        ]
        return (
            b'{"type":"response.output_audio.delta","event_id":"d-%d-%d","response_id":"resp_%d_%d","item_id":'
            b'"item_%d_%d","output_index":0,"content_index":0,"delta":"%s"}'
            % (plan.number, k, *names, *names, sound)
        )
    values = {
        b"user": b"user_%d_%d" % names,
        b"item": b"item_%d_%d" % names,
        b"response": b"resp_%d_%d" % names,
        b"start": turn * TURN_MS,
        b"stop": turn * TURN_MS + 1_500,
        b"turn": turn,
    }
    return b'{"event_id":"d-%d-%d",%s}' % (plan.number, k, _EVENTS[kind] % values)


def _session_event(plan: CallPlan, k: int) -> bytes:
    name = (b"created", b"updated")[k]
    shape = _FORMATS[plan.codec]
    return (
        b'{"type":"session.%s","event_id":"d-%d-%d","session":{"type":"realtime","object":"realtime.session",'
        b'"id":"sess_%d","audio":{"input":{"format":%s,"turn_detection":{"type":"server_vad",'
        b'"silence_duration_ms":200}},"output":{"format":%s,"voice":"soak"}}}}'
        % (name, plan.number, k, plan.number, shape, shape)
    )


class Hearing:
    """Compares what one end receives with the script. After something wrong it goes on from there, so that
    one lost message counts once."""

    def __init__(self, plan: CallPlan, message: Callable[[CallPlan, int], bytes]) -> None:
        self.right = 0
        self.wrong = 0
        """How often something was altered, out of place or there twice."""
        self._plan = plan
        self._message = message
        self._expected = 0

    def hear(self, payload: bytes) -> None:
        if payload != self._message(self._plan, self._expected):
            self.wrong += 1
            number = _NUMBER.search(payload[:_LONGEST_BEFORE_NUMBER])
            if number is None or int(number[1]) < self._expected:
                return
            self._expected = int(number[1])
            if payload != self._message(self._plan, self._expected):
                return
        self._expected += 1
        self.right += 1


def turn_moments() -> list[tuple[int, int]]:
    """When in a turn (ms) how many messages come."""
    moments: dict[int, int] = {}
    for at, _ in _TURN:
        moments[at] = moments.get(at, 0) + 1
    return list(moments.items())


def sound(plan: CallPlan, direction: Direction, messages: int) -> list[bytes]:
    """The sound in the first `messages` messages as 16-bit samples, a piece for each that has some."""
    pool = _samples(plan.codec, direction)
    count = max(0, messages - 1) if direction == "up" else _deltas(messages)
    return [pool[(plan.number + piece) % POOL] for piece in range(count)]


def sound_bytes(plan: CallPlan, direction: Direction, messages: int) -> int:
    """The size of that sound."""
    count = max(0, messages - 1) if direction == "up" else _deltas(messages)
    return count * len(_samples(plan.codec, direction)[0])


def _deltas(messages: int) -> int:
    if messages <= _FIRST_TURN:
        return 0
    turns, step = divmod(messages - _FIRST_TURN, len(_TURN))
    return turns * _DELTAS_A_TURN + _DELTAS_BEFORE[step]


_given: dict[tuple[Codec, Direction], list[bytes]] = {}


def give_sound(codec: Codec, direction: Direction, pieces: list[bytes]) -> None:
    """In the place of the noise, in this process and before anything is said. Where sound is compared it has
    to be noise: of that no piece is like another."""
    if len(pieces) != POOL or len(pieces[0]) != (UP_BYTES if direction == "up" else DOWN_BYTES)[codec]:
        raise ValueError(f"not the sound of {codec}, {direction}")
    _given[codec, direction] = pieces


@cache
def _raw(codec: Codec, direction: Direction) -> list[bytes]:
    if (pieces := _given.get((codec, direction))) is not None:
        return pieces
    chance = random.Random(f"{codec}/{direction}")
    size = (UP_BYTES if direction == "up" else DOWN_BYTES)[codec]
    return [chance.randbytes(size) for _ in range(POOL)]


@cache
def _encoded(codec: Codec, direction: Direction) -> list[bytes]:
    return [base64.b64encode(block) for block in _raw(codec, direction)]


@cache
def _samples(codec: Codec, direction: Direction) -> list[bytes]:
    if codec == "pcm":
        return _raw(codec, direction)
    table = [_mu_law(code).to_bytes(2, "little", signed=True) for code in range(256)]
    return [b"".join(table[code] for code in block) for block in _raw(codec, direction)]


def _mu_law(code: int) -> int:
    """ITU-T G.711, written down here once more, so that the gateway's own table is checked as well."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude
