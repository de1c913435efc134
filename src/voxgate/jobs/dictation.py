"""One file of speech to whoever transcribes: `POST …/audio/transcriptions` in OpenAI's shape. A WAV file in,
what became of it out. It never raises for what the network or the provider does, and does not try again:
whoever asks decides that.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from voxgate import __version__
from voxgate.core.projects import TranscriptionSettings
from voxgate.core.retries import retry_after_seconds
from voxgate.providers.routes import Transcriber
from voxgate.realtime.redaction import REDACTED, without_keys

_LATER: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SECONDS: Final = 120.0
"""For the answer as a whole; a file has five minutes of speech at most."""
_SILENCE_SECONDS: Final = 60.0
"""Without a byte from the provider."""
_ANSWER_BYTES: Final = 4 << 20
_SHOWN: Final = 300
_SHORTEST_SECRET: Final = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """`said`: `text`, and `usage` as the provider counted it. `later`: the same may be asked again, after
    `wait_seconds` if the provider said so. `refused`: it would be refused again."""

    what: Literal["said", "later", "refused"]
    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    wait_seconds: float | None = None


class _NoRedirects(HTTPRedirectHandler):
    """They would take the key and the voice to another place."""

    def redirect_request(self, *_: object) -> None:
        return None


class Dictation:
    """Safe to use from many threads."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        """`secrets` are texts that no message repeats, such as the providers' keys."""
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        self._opener = build_opener(_NoRedirects, HTTPSHandler(context=ssl.create_default_context()))

    def ask(self, whom: Transcriber, wav: bytes, wanted: TranscriptionSettings) -> Outcome:
        kind, body = _form(_fields(whom, wanted), wav)
        headers = {"user-agent": f"voxgate/{__version__}", **whom.headers, "content-type": kind}
        request = Request(whom.url, body, headers, method="POST")  # noqa: S310 - the settings checked it
        try:
            with self._opener.open(request, timeout=_SILENCE_SECONDS) as answer:
                return self._heard(_read(answer))
        except HTTPError as error:
            with error:
                return self._declined(error)
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            return Outcome("later", message=self._shown(f"it does not answer: {reason}"))

    def _heard(self, data: bytes) -> Outcome:
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        text = found.get("text") if isinstance(found, dict) else None
        if not isinstance(text, str):
            return Outcome("refused", message="its answer is no transcription in OpenAI's shape")
        return Outcome("said", text.strip(), _usage(found))

    def _declined(self, error: HTTPError) -> Outcome:
        try:
            text = error.read(_ANSWER_BYTES).decode(errors="replace")
        except (OSError, http.client.HTTPException):
            text = ""
        message = self._shown(f"{error.code} {error.reason}" + (f": {_said(text)}" if text else ""))
        if error.code in _LATER and not _is_over(text):
            wait = retry_after_seconds(error.headers.get("retry-after"))
            return Outcome("later", message=message, wait_seconds=wait)
        return Outcome("refused", message=message)

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return without_keys(" ".join("".join(c if c.isprintable() else " " for c in text).split()))[:_SHOWN]


def _fields(whom: Transcriber, wanted: TranscriptionSettings) -> Mapping[str, str | None]:
    """`json` is the one format that all of OpenAI's models have."""
    return {
        "model": whom.model,
        "response_format": "json",
        "language": wanted.language,
        "prompt": wanted.prompt,
    }


def _form(fields: Mapping[str, str | None], wav: bytes) -> tuple[str, bytes]:
    """The content type and the body (RFC 7578)."""
    boundary = f"voxgate-{secrets.token_hex(16)}"
    head = "".join(
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
        if value is not None
    )
    file = 'content-disposition: form-data; name="file"; filename="speech.wav"\r\ncontent-type: audio/wav'
    begin, end = f"{head}--{boundary}\r\n{file}\r\n\r\n".encode(), f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", begin + wav + end


def _read(answer: http.client.HTTPResponse) -> bytes:
    """In pieces, so that one that drips does not hold a thread for ever."""
    deadline, pieces, size = time.monotonic() + _SECONDS, list[bytes](), 0
    while piece := answer.read1(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > deadline or size > _ANSWER_BYTES:
            raise TimeoutError("its answer has no end")
    if answer.length:  # read1 does not tell
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(pieces)


def _usage(found: dict[str, Any]) -> dict[str, Any]:
    """As it stands there; of the shape `verbose_json` the duration."""
    usage, seconds = found.get("usage"), found.get("duration")
    if isinstance(usage, dict):
        return usage
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return {"type": "duration", "seconds": seconds} if is_number else {}


def _said(text: str) -> str:
    """The message of an error in OpenAI's shape, else the text as it is."""
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text


def _is_over(text: str) -> bool:
    """A 429 that no waiting ends: nothing is left on the account."""
    return '"insufficient_quota"' in text
