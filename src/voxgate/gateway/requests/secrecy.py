"""What a provider says of the key that the gateway showed it does not reach the client, who has another one:
errors like to quote the key that they are about. Every letter of it becomes an asterisk, so that the answer
keeps its length.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from voxgate.core.errors import UpstreamLost
from voxgate.gateway.requests.sending import Answer
from voxgate.providers.targets import Target

_SHORTEST: Final = 8
"""Characters of a key: shorter ones are words that may mean anything."""
_SHOWN: Final = 6
"""So many from its beginning are a key, when asterisks or dots follow that stand for the rest."""
_LARGEST_ERROR_BYTES: Final = 1 << 20


async def without_secret(answer: Answer) -> AsyncIterator[bytes]:
    """The pieces of an error. It is read whole first; of one that is larger than any error is, the rest goes
    on as it comes. UpstreamLost where it breaks off before."""
    content, read = answer.response.content, bytearray()
    try:
        while len(read) < _LARGEST_ERROR_BYTES and not content.at_eof():
            read += await content.readany()
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        raise UpstreamLost(f"{answer.target.provider} broke off in the middle of its answer.") from error
    return _pieces(masked(bytes(read), answer.target.secret), content)


async def _pieces(first: bytes, rest: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in rest.iter_any():
        yield piece


def masked(text: bytes, secret: str) -> bytes:
    """Without the key, whole or as some show it: its beginning, and then asterisks or dots."""
    key = secret.encode()
    if len(key) < _SHORTEST or key[:_SHOWN] not in text:
        return text
    short = re.escape(key[:_SHOWN]) + rb"[\w-]*(?:\*{2,}|\.{3,})[\w*-]*"
    return re.sub(re.escape(key) + b"|" + short, lambda found: b"*" * len(found[0]), text)


def is_told(value: str, target: Target) -> bool:
    """Whether a header says the key."""
    return len(target.secret) >= _SHORTEST and target.secret in value and not target.callers_key
