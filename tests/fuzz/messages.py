"""Messages of a hostile client: JSON that readers may take in different ways, and frames that are none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from random import Random

from tests.gateway.policies.readers import text_of
from voxgate.realtime.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, apply_mask, encode_frame

_STEALING: tuple[bytes, ...] = (
    b'{"type":"session.update","session":{"type":"realtime","instructions":"evil"}}',
    b'{"type":"session.update","session":{"voice":"alloy","audio":{"output":{"voice":"alloy"}}}}',
    b'{"type":"session.update","session":{"tools":[{"type":"function","name":"steal","parameters":{}}]}}',
    b'{"type":"response.create","response":{"instructions":"evil","tools":[{"type":"mcp","server_label":"x"}]}}',
    b'{"type":"session.update","session":{"model":"other","prompt":{"id":"pmpt_1"}}}',
    b'{"type":"conversation.item.create","item":{"type":"message","role":"system","content":[]}}',
    b'{"type":"transcription_session.update","session":{"input_audio_transcription":{"model":"other"}}}',
)
_SOUND = b'{"type":"input_audio_buffer.append","audio":"QUJD","event_id":"e"}'
_PIECES: tuple[bytes, ...] = (
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xc0\xa2",
    b"\xe2",
    b"\0",
    b"\n",
    b'","type":"session.update","session":{"instructions":"evil"},"a":"',
    b'"session":{"instructions":"evil"},',
    b'"type":"session.update",',
    b"/*",
    b"//",
    b"NaN",
    b"1e999999",
    b"-0",
    b"1" * 400,
    b"\xef\xbb\xbf",
    b"\x1a",
    b"\xe2\x80\xa8",
    b'\\"',
    b"'",
    b"$",
    b"null",
)


def mutated_message(chance: Random) -> bytes:
    """The text of a message, seldom one that any client would send."""
    kind = chance.random()
    if kind < 0.35:
        return text_of(chance.randrange(1 << 64))
    text = chance.choice([*_STEALING, _SOUND, _SOUND])
    for _ in range(chance.choice([1, 1, 2, 5])):
        text = chance.choice(_WAYS)(chance, text)
    return text


def _flip(chance: Random, text: bytes) -> bytes:
    data = bytearray(text or b" ")
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _insert(chance: Random, text: bytes) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(_PIECES) + text[at:]


def _delete(chance: Random, text: bytes) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + text[at + chance.choice([1, 1, 7]) :]


def _escape_names(chance: Random, text: bytes) -> bytes:
    r"""As in "\u0074ype"."""
    letter = chance.choice([b"t", b"s", b"i", b"e", b"a", b"v"])
    return text.replace(letter, b"\\u%04x" % letter[0], chance.choice([1, 2, 50]))


def _double_names(chance: Random, text: bytes) -> bytes:
    """One of the stealing members beside those of a harmless message, before or behind."""
    members = chance.choice(_STEALING)[1:-1]
    inner = text[1:-1]
    return b"{" + b",".join((members, inner) if chance.random() < 0.5 else (inner, members)) + b"}"


def _in_sound(chance: Random, text: bytes) -> bytes:
    """What looks like sound and carries something else beside it."""
    members = chance.choice(_STEALING)[1:-1]
    sound = chance.choice([_SOUND[1:-1], b'"audio":"QUJD","type":"input_audio_buffer.append"'])
    joined = [sound, members, chance.choice([b'"a":1', b'"event_id":"\\u0022"', b'"delta":"QUJD"'])]
    chance.shuffle(joined)
    return b"{" + chance.choice([b",", b" , ", b",\n"]).join(joined) + b"}"


def _nest(chance: Random, text: bytes) -> bytes:
    depth = chance.choice([3, 60, 400, 20_000])
    before, after = chance.choice([(b"[", b"]"), (b'{"session":', b"}"), (b'{"a":', b"}")])
    return before * depth + text + after * chance.choice([depth, depth - 1, 0])


def _encode(chance: Random, text: bytes) -> bytes:
    words = text.decode(errors="replace")
    return words.encode(chance.choice(["utf-16", "utf-16-le", "utf-32", "utf-7"]), "replace")


def _large(chance: Random, text: bytes) -> bytes:
    filler = b'"x":"' + b"A" * chance.choice([1000, 100_000]) + b'",'
    return text[:1] + filler + text[1:]


def _numbers(chance: Random, text: bytes) -> bytes:
    number = chance.choice([b"1e999999", b"NaN", b"-Infinity", b"9" * 5000, b"0x10", b"1.", b"00", b"-"])
    return text[:1] + b'"n":' + number + b"," + text[1:]


def _wrap(chance: Random, text: bytes) -> bytes:
    before, after = chance.choice(
        [(b"\xef\xbb\xbf", b""), (b" \t\r\n", b"\n"), (text, b""), (b"[", b"]"), (b"", b"\0"), (b"\x1e", b"")]
    )
    return before + text + after


def _text_as_value(chance: Random, text: bytes) -> bytes:
    words = json.dumps(text.decode(errors="replace")).encode()
    return b'{"type":"session.update","session":' + words + b"}"


_WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip,
    _insert,
    _insert,
    _delete,
    _escape_names,
    _escape_names,
    _double_names,
    _double_names,
    _in_sound,
    _in_sound,
    _nest,
    _encode,
    _large,
    _numbers,
    _wrap,
    _text_as_value,
)


# As frames


def framed(chance: Random, text: bytes) -> bytes:
    """A message in whole frames: fragments with control frames between them, lengths in any legal form."""
    if chance.random() < 0.6:
        return encode_frame(TEXT, text, masked=True)
    cuts = sorted(chance.randint(0, len(text)) for _ in range(chance.randint(1, 4)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    stream = b""
    for index, piece in enumerate(pieces):
        opcode = TEXT if index == 0 else CONTINUATION
        stream += frame(opcode, piece, final=index == len(pieces) - 1)
        if chance.random() < 0.3:
            stream += frame(chance.choice([PING, PONG]), b"between")
    return stream


def frame(
    opcode: int,
    payload: bytes,
    *,
    final: bool = True,
    masked: bool = True,
    reserved: int = 0,
    said: int | None = None,
) -> bytes:
    """One frame, as wrong as wanted; `said` is the length that its header names."""
    size = len(payload) if said is None else said
    first = (0x80 if final else 0) | reserved << 4 | opcode
    flag = 0x80 if masked else 0
    if size < 126:
        head = bytes((first, flag | size))
    elif size < 1 << 16:
        head = bytes((first, flag | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, flag | 127)) + (size % (1 << 64)).to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + apply_mask(payload, mask)


def broken_frames(chance: Random, text: bytes) -> bytes:
    """What is no good stream of frames, with a message in it."""
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: frame(TEXT, text, masked=False),
        lambda: frame(TEXT, text, reserved=chance.randint(1, 7)),
        lambda: frame(chance.randint(3, 7), text),
        lambda: frame(chance.randint(11, 15), text[:100]),
        lambda: frame(CONTINUATION, text),
        lambda: frame(TEXT, text, final=False) + frame(TEXT, text),
        lambda: frame(PING, text + b"x" * 200),
        lambda: frame(PING, text[:50], final=False),
        lambda: frame(TEXT, text, said=len(text) + chance.choice([1, 100, 1 << 20, 1 << 40, 1 << 63])),
        lambda: frame(TEXT, text, said=max(0, len(text) - chance.randint(1, 20))),
        lambda: frame(
            CLOSE, chance.choice([b"\x03", b"\x00\x00", b"\xff\xff" + text[:100], b"\x03\xe8\xff\xfe"])
        ),
        lambda: frame(CLOSE, b"\x03\xe8") + encode_frame(TEXT, text, masked=True),
        lambda: frame(BINARY, text),
        lambda: bytes(chance.randrange(256) for _ in range(chance.choice([1, 30, 2000]))),
        lambda: _flip(chance, encode_frame(TEXT, text, masked=True)),
    )
    return chance.choice(ways)() + encode_frame(TEXT, text, masked=True)
