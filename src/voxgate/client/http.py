"""The HTTP API of a running Voxgate, with the admin key of the data folder or of the environment."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from voxgate.core.errors import SettingsError, VoxgateError
from voxgate.core.in_force import settings_in_force

URL_VARIABLE: Final = "VOXGATE_URL"
_SECONDS: Final = 60
_UPLOAD_SECONDS: Final = 3600
"""For the answer to an upload, which has to be read as a whole first."""
Query = Mapping[str, str | int | bool | Sequence[str] | None] | None


class ApiError(VoxgateError):
    """The running Voxgate answered with an error; the message is its own. `http_status` is None where none
    answered."""

    def __init__(self, message: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.http_status = http_status


class Client:
    def __init__(self) -> None:
        settings = settings_in_force()
        host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
        scheme = "https" if settings.tls_cert else "http"
        self._url = os.environ.get(URL_VARIABLE, f"{scheme}://{host}:{settings.port}").rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise SettingsError(f"{URL_VARIABLE} must start with http:// or https://, not {self._url!r}.")
        configured = settings.api_key.get_secret_value() if settings.api_key else None
        self._key = configured or self._key_from(settings.admin_key_path)

    @staticmethod
    def _key_from(path: Path) -> str:
        try:
            return path.read_text().strip()
        except OSError as error:
            raise SettingsError(
                "No API key: set VOXGATE_API_KEY, or run this where the data folder is "
                f"(there is no readable {path})."
            ) from error

    @property
    def url(self) -> str:
        return self._url

    @property
    def key(self) -> str:
        return self._key

    def call(
        self, method: str, path: str, body: Any = None, query: Query = None, *, seconds: float = _SECONDS
    ) -> Any:
        """The answer's JSON (None when it is empty). ApiError with the server's words when it refuses, and
        when it says nothing for so many seconds."""
        with self._open(method, path, body, query, seconds=seconds) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def upload(
        self,
        path: str,
        file: IO[bytes],
        query: Query = None,
        *,
        content_type: str = "application/octet-stream",
    ) -> Any:
        """Sends a file as it is, of any size; the answer's JSON."""
        with self._open("POST", path, None, query, file, content_type, _UPLOAD_SECONDS) as answer:
            return json.loads(answer.read())

    def stream(self, path: str, query: Query = None) -> Iterator[bytes]:
        """ApiError also when the connection breaks before the end."""
        with self._open("GET", path, None, query) as answer:
            length, came = answer.headers.get("content-length"), 0
            try:
                while piece := answer.read(1 << 16):
                    came += len(piece)
                    yield piece
            except (OSError, HTTPException) as error:
                raise ApiError(f"The connection to {self._url} broke: {error}") from error
            if length is not None and came < int(length):
                raise ApiError(f"The connection to {self._url} broke: {came} of {length} bytes came.")

    def _open(
        self,
        method: str,
        path: str,
        body: Any,
        query: Query,
        file: IO[bytes] | None = None,
        content_type: str = "application/json",
        seconds: float = _SECONDS,
    ) -> Any:
        filled = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self._url}{path}" + (f"?{urlencode(filled, doseq=True)}" if filled else "")
        headers = {"authorization": f"Bearer {self._key}", "content-type": content_type}
        data: Any = None if body is None else json.dumps(body).encode()
        if file is not None:
            headers["content-length"] = str(os.fstat(file.fileno()).st_size)
            data = file
        try:
            return urlopen(Request(url, data, headers, method=method), timeout=seconds)  # noqa: S310
        except HTTPError as error:
            raise ApiError(_message(error), error.code) from error
        except URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise ApiError(
                    f"The certificate of {self._url} is not trusted ({error.reason.verify_message}). For "
                    "one of 'voxgate dev-cert' set SSL_CERT_FILE to its ca.pem."
                ) from error
            raise ApiError(
                f"No Voxgate answers at {self._url} ({error.reason}). Start it with 'voxgate serve', or set "
                f"{URL_VARIABLE}."
            ) from error


def _message(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"
