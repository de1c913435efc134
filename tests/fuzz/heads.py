"""Upgrade requests as no client would write them: a good request's head in, bytes out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

_ODD_LINES = (
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Key: short",
    b"Sec-WebSocket-Version: 12",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    b"Sec-WebSocket-Protocol: , ,realtime,,openai-insecure-api-key.",
    b"Content-Length: 10",
    b"Content-Length: -1",
    b"Transfer-Encoding: chunked",
    b"Connection: close, upgrade, keep-alive",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Host: other.example",
    b"Origin: null",
    b"X-Forwarded-For: 999.1.1.1, unknown, [::1",
    b'Forwarded: for="[::1]:x";proto=https, for=_hidden',
    b"OpenAI-Beta: realtime=v1, realtime=v2",
    b"Authorization: Basic Og==",
    b"api-key: ",
    b" folded: line",
    b"no colon here",
    b": empty name",
    b"bad name: x",
    b"nul\0name: x",
    b"name: nul\0value",
    b"utf: \xc3\xa9\xff\xfe",
)
_TARGETS = (
    b"/v1/realtime?model=fake-heads&model=other",
    b"/v1/realtime?model=other",
    b"/v1/realtime",
    b"/v1/realtime?model=",
    b"/v1/realtime?model=%66ake-heads%00",
    b"/v1/realtime?model=fake-heads%0d%0aX-Evil:%201",
    b"/v1/realtime?model=%ff%fe",
    b"/v1/realtime?%zz=%&&&=&model=fake-heads",
    b"/v1/realtime/../realtime?model=fake-heads",
    b"//v1//realtime?model=fake-heads",
    b"/V1/REALTIME?model=fake-heads",
    b"/openai/realtime?deployment=fake-heads&api-version=x",
    b"*",
    b"http://x/v1/realtime?model=fake-heads",
    b"/v1/realtime?model=fake-heads#frag",
    b"/v1/realtime?model=fake-heads&intent=transcription",
    b"/v1/realtime?call_id=x",
    b"/v1/realtime?model=fake-heads&" + b"a=" * 5000,
    b"/v1/realtime?model=" + b"f" * 3000,
    b"/v1/realtime?MODEL=fake",
)


def mutated_head(chance: Random, key: str) -> bytes:
    """Mostly still a request, seldom a good one. What follows the head may be there too."""
    head = good_head(key)
    for _ in range(chance.choice([1, 1, 2, 4])):
        head = chance.choice(_WAYS)(chance, head) or b"G"
    return head


def good_head(key: str, path: str = "/v1/realtime?model=fake-heads", carrier: str = "authorization") -> bytes:
    """With the key where `carrier` says."""
    lines = [
        f"GET {path}{f'&api-key={key}' if carrier == 'query' else ''} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
    ]
    if carrier == "authorization":
        lines.append(f"Authorization: Bearer {key}")
    elif carrier == "api-key":
        lines.append(f"api-key: {key}")
    elif carrier == "subprotocol":
        lines.append(f"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{key}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace")


def _flip(chance: Random, head: bytes) -> bytes:
    data = bytearray(head)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _insert(chance: Random, head: bytes) -> bytes:
    at = chance.randrange(len(head))
    return head[:at] + bytes(chance.randrange(256) for _ in range(chance.choice([1, 3, 40]))) + head[at:]


def _delete(chance: Random, head: bytes) -> bytes:
    at = chance.randrange(len(head))
    return head[:at] + head[at + chance.choice([1, 2, 30]) :]


def _cut(chance: Random, head: bytes) -> bytes:
    return head[: chance.randint(1, len(head))] + chance.choice([b"", b"\r\n\r\n"])


def _odd_line(chance: Random, head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    lines.insert(chance.randint(1, max(1, len(lines) - 2)), chance.choice(_ODD_LINES))
    return b"\r\n".join(lines)


def _double_line(chance: Random, head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    lines.insert(chance.randint(1, max(1, len(lines) - 2)), chance.choice(lines))
    return b"\r\n".join(lines)


def _drop_line(chance: Random, head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    del lines[chance.randrange(len(lines))]
    return b"\r\n".join(lines)


def _target(chance: Random, head: bytes) -> bytes:
    first, _, rest = head.partition(b"\r\n")
    words = first.split(b" ")
    if len(words) == 3:
        words[1] = chance.choice(_TARGETS)
    return b" ".join(words) + b"\r\n" + rest


def _method(chance: Random, head: bytes) -> bytes:
    _, space, rest = head.partition(b" ")
    return chance.choice([b"POST", b"get", b"CONNECT", b"OPTIONS", b"GET\t", b"", b"PRI"]) + space + rest


def _version(chance: Random, head: bytes) -> bytes:
    return head.replace(
        b"HTTP/1.1", chance.choice([b"HTTP/1.0", b"HTTP/2", b"HTTP/9.9", b"", b"HTTP/1.1 x"]), 1
    )


def _line_ends(chance: Random, head: bytes) -> bytes:
    return head.replace(b"\r\n", chance.choice([b"\n", b"\r", b"\r\r\n", b"\n\r"]), chance.choice([1, 2, 99]))


def _large(chance: Random, head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    size = chance.choice([10_000, 70_000])
    extra = (
        [b"X-Large: " + b"a" * size] if chance.random() < 0.5 else [b"X-%d: y" % n for n in range(size // 8)]
    )
    return b"\r\n".join([lines[0], *extra, *lines[1:]])


def _early_bytes(chance: Random, head: bytes) -> bytes:
    return head + bytes(chance.randrange(256) for _ in range(chance.choice([1, 20, 500])))


_WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip,
    _flip,
    _insert,
    _delete,
    _cut,
    _odd_line,
    _odd_line,
    _double_line,
    _drop_line,
    _target,
    _target,
    _method,
    _version,
    _line_ends,
    _large,
    _early_bytes,
)
