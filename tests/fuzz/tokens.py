"""Temporary credentials that nobody minted: a genuine one in, keys that must open nothing out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

from voxgate.auth.tokens import TokenBox

PREFIX = "ek_"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_HEADERS: tuple[dict[str, Any], ...] = (
    {"alg": "none"},
    {"alg": "none", "enc": "A256GCM"},
    {"alg": "HS256"},
    {"alg": "A256KW", "enc": "A256GCM"},
    {"alg": "RSA-OAEP", "enc": "A256GCM"},
    {"alg": "ECDH-ES", "enc": "A256GCM", "epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
    {"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2s": "AAAA", "p2c": 1 << 31},
    {"alg": "dir", "enc": "A128CBC-HS256"},
    {"alg": "dir", "enc": "A128GCM"},
    {"alg": "dir", "enc": None},
    {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
    {"alg": "dir", "enc": "A256GCM", "crit": ["exp"], "exp": 1},
    {"alg": "dir", "enc": "A256GCM", "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/"},
    {"alg": "dir", "enc": "A256GCM", "jwk": {"kty": "oct", "k": "A" * 43}},
    {"alg": ["dir"], "enc": {"A256GCM": 1}},
    {},
)
_ODD_KEY_IDS: tuple[Any, ...] = (
    None,
    "",
    "../token-keys.json",
    7,
    ["one"],
    {"one": 1},
    "x" * 10_000,
    True,
    "\0",
)


class TokenMutator:
    """`genuine` are good keys of one gateway; `foreign` is a box with another gateway's secret under the same
    name of the key; `sealed_for_others` are texts sealed by this gateway that are no credentials."""

    def __init__(
        self, genuine: list[str], foreign: TokenBox, expired: list[str], sealed_for_others: list[str]
    ) -> None:
        self._genuine = genuine
        self._foreign = foreign
        self._expired = expired
        self._sealed = sealed_for_others
        self._ways: tuple[Callable[[Random, str], str], ...] = (
            _flip_bit,
            _flip_bit,
            _change_letter,
            _cut,
            _insert,
            _swap_letters,
            _double,
            _drop_part,
            _swap_parts,
            _header,
            _header,
            _key_id,
            _empty_part,
            _padded,
            _in_another_case,
            _huge,
            _unicode,
            _prefix,
            self._cross,
            self._cross,
            self._of_another_gateway,
            self._too_late,
            self._for_another_purpose,
            self._two_at_once,
        )

    def mutate(self, chance: Random) -> str:
        """A key that no genuine one is equal to."""
        while True:
            token = chance.choice(self._genuine)
            for _ in range(1 if chance.random() < 0.8 else 3):
                token = chance.choice(self._ways)(chance, token)
            if token.strip() not in self._genuine:
                return token

    def _cross(self, chance: Random, token: str) -> str:
        """Parts of two genuine ones."""
        one, other = _parts(token), _parts(chance.choice(self._genuine))
        mixed = [chance.choice(pair) for pair in zip(one, other, strict=False)]
        return PREFIX + ".".join(mixed)

    def _of_another_gateway(self, chance: Random, _token: str) -> str:
        claims = {"id": "cred_x", "exp": 1 << 40, "project": "p", "models": None}
        return PREFIX + self._foreign.seal(claims, purpose=chance.choice(["call", "web"]))

    def _too_late(self, chance: Random, _token: str) -> str:
        return chance.choice(self._expired)

    def _for_another_purpose(self, chance: Random, _token: str) -> str:
        return PREFIX + chance.choice(self._sealed)

    def _two_at_once(self, chance: Random, token: str) -> str:
        return chance.choice([" ", ".", ""]).join([token, chance.choice(self._genuine)])


def _parts(token: str) -> list[str]:
    return token.removeprefix(PREFIX).split(".")


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _place(chance: Random, token: str) -> int:
    return chance.randrange(len(PREFIX), len(token)) if len(token) > len(PREFIX) else 0


def _flip_bit(chance: Random, token: str) -> str:
    """Of what the token says, not of its letters."""
    parts = _parts(token)
    which = chance.randrange(len(parts))
    try:
        data = bytearray(base64.urlsafe_b64decode(parts[which] + "=" * (-len(parts[which]) % 4)))
    except ValueError:  # it was mutated before
        return token
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    parts[which] = base64.urlsafe_b64encode(data).decode().rstrip("=")
    return PREFIX + ".".join(parts)


def _change_letter(chance: Random, token: str) -> str:
    at = _place(chance, token)
    return token[:at] + chance.choice(_LETTERS) + token[at + 1 :]


def _cut(chance: Random, token: str) -> str:
    at = _place(chance, token)
    return token[:at] if chance.random() < 0.5 else PREFIX + token[at:]


def _insert(chance: Random, token: str) -> str:
    at = _place(chance, token)
    return token[:at] + chance.choice(["=", ".", "%00", "A", "!", "+", "/", "\\", "~"]) + token[at:]


def _swap_letters(chance: Random, token: str) -> str:
    letters = list(token)
    one, other = _place(chance, token), _place(chance, token)
    letters[one], letters[other] = letters[other], letters[one]
    return "".join(letters)


def _double(chance: Random, token: str) -> str:
    start, end = sorted((_place(chance, token), _place(chance, token)))
    return token[:end] + token[start:]


def _drop_part(chance: Random, token: str) -> str:
    parts = _parts(token)
    del parts[chance.randrange(len(parts))]
    return PREFIX + ".".join(parts)


def _swap_parts(chance: Random, token: str) -> str:
    parts = _parts(token)
    chance.shuffle(parts)
    return PREFIX + ".".join(parts)


def _empty_part(chance: Random, token: str) -> str:
    parts = _parts(token)
    parts[chance.randrange(len(parts))] = ""
    return PREFIX + ".".join(parts)


def _header(chance: Random, token: str) -> str:
    """Another algorithm, and what some libraries would take a key from."""
    parts = _parts(token)
    header = dict(chance.choice(_HEADERS))
    if chance.random() < 0.7:
        header["kid"] = _key_id_of(parts[0])
    return PREFIX + ".".join([_encoded(header), *parts[1:]])


def _key_id(chance: Random, token: str) -> str:
    header = {"alg": "dir", "enc": "A256GCM", "kid": chance.choice(_ODD_KEY_IDS)}
    return PREFIX + ".".join([_encoded(header), *_parts(token)[1:]])


def _key_id_of(encoded: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))).get("kid")
    except (ValueError, AttributeError):
        return None


def _padded(chance: Random, token: str) -> str:
    return token + "=" * chance.randint(1, 3)


def _in_another_case(chance: Random, token: str) -> str:
    return chance.choice([token.upper(), token.lower(), token.swapcase()])


def _huge(chance: Random, token: str) -> str:
    return token + chance.choice(["A", ".", ".A", "="]) * chance.choice([1000, 20_000, 50_000])


def _unicode(chance: Random, token: str) -> str:
    at = _place(chance, token)
    return token[:at] + chance.choice(["é", "\u202e", "𝐀", "\u200b", "\x7f", "Ａ"]) + token[at:]


def _prefix(chance: Random, token: str) -> str:
    other = chance.choice(["", "EK_", "ek_ek_", "ek-", "vg_", "sk_", "Bearer ", "ek_."])
    return other + token.removeprefix(PREFIX)
