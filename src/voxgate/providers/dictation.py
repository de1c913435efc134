"""One file of speech to whoever transcribes: `POST …/audio/transcriptions` in OpenAI's shape. A WAV file in,
what became of it out. `Dictation` asks by itself, in whatever thread it is called; it never raises for what
the network or the provider does, and does not try again: whoever asks decides that.
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
from voxgate.providers.refusals import LARGEST_ANSWER_BYTES, Refusals
from voxgate.providers.routes import Transcriber

_SECONDS: Final = 120.0
"""For the answer as a whole; a file has five minutes of speech at most."""
_SILENCE_SECONDS: Final = 60.0
"""Without a byte from the provider."""


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
        self._refusals = Refusals(secrets)
        self._opener = build_opener(_NoRedirects, HTTPSHandler(context=ssl.create_default_context()))

    def ask(self, whom: Transcriber, wav: bytes, wanted: TranscriptionSettings) -> Outcome:
        kind, body = form(whom.model, wav, wanted.language, wanted.prompt)
        headers = {"user-agent": f"voxgate/{__version__}", **whom.headers, "content-type": kind}
        request = Request(whom.url, body, headers, method="POST")  # noqa: S310 - the settings checked it
        try:
            with self._opener.open(request, timeout=_SILENCE_SECONDS) as answer:
                return heard(_read(answer))
        except HTTPError as error:
            with error:
                return self._declined(error)
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            return Outcome("later", message=self._refusals.shown(f"it does not answer: {reason}"))

    def _declined(self, error: HTTPError) -> Outcome:
        try:
            text = error.read(LARGEST_ANSWER_BYTES).decode(errors="replace")
        except (OSError, http.client.HTTPException):
            text = ""
        found = self._refusals.of(error.code, error.reason, error.headers.get("retry-after"), text)
        if found.is_final:
            return Outcome("refused", message=found.message)
        return Outcome("later", message=found.message, wait_seconds=found.wait_seconds)


def heard(data: bytes) -> Outcome:
    """What an answer with the status 200 says."""
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        return Outcome("refused", message="its answer is no transcription in OpenAI's shape")
    return Outcome("said", text.strip(), _usage(found))


def form(model: str, wav: bytes, language: str | None = None, prompt: str | None = None) -> tuple[str, bytes]:
    """The content type and the body (RFC 7578). `json` is the one format that all of OpenAI's models have."""
    fields = {"model": model, "response_format": "json", "language": language, "prompt": prompt}
    return _form(fields, wav)


def _form(fields: Mapping[str, str | None], wav: bytes) -> tuple[str, bytes]:
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
        if time.monotonic() > deadline or size > LARGEST_ANSWER_BYTES:
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
