"""Where traces are sent: the settings' `[export.otlp]` and OpenTelemetry's own variables in, one checked
`OtlpTarget` out, or None when nothing is to be sent. What the settings say comes before the variables.

The variables are those of the OTLP exporter's specification: `OTEL_EXPORTER_OTLP_…`, each with a form for
traces alone that comes before the general one, beside `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
`OTEL_SDK_DISABLED` and `OTEL_TRACES_EXPORTER`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from voxgate import __version__
from voxgate.core.errors import SettingsError
from voxgate.core.settings import OtlpSettings

TRACES_PATH: Final = "/v1/traces"
_GENERAL: Final = "OTEL_EXPORTER_OTLP_"
_OF_TRACES: Final = "OTEL_EXPORTER_OTLP_TRACES_"
_DEFAULT_SECONDS: Final = 10.0
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2."""


@dataclass(frozen=True)
class OtlpTarget:
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """They hold keys: never shown."""
    gzip: bool = True
    timeout_seconds: float = _DEFAULT_SECONDS
    certificate: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    resource: Mapping[str, str] = field(default_factory=dict)

    def tls_context(self) -> ssl.SSLContext | None:
        """None for plain HTTP. SettingsError when the files cannot be used."""
        if not self.url.startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.certificate and str(self.certificate))
            if self.client_certificate is not None:
                context.load_cert_chain(self.client_certificate, self.client_key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"export.otlp: the certificates cannot be used: {error}") from error
        return context


def resolve_target(settings: OtlpSettings, environ: Mapping[str, str]) -> OtlpTarget | None:
    """SettingsError, naming the key or the variable, for what is wrong."""
    if not settings.enabled or _is_off(environ):
        return None
    url = _url(settings, environ)
    if url is None:
        return None
    if settings.endpoint is None:
        _check_protocol(environ)
    target = OtlpTarget(
        url=url,
        headers=_headers(settings, environ),
        gzip=_gzip(settings, environ),
        timeout_seconds=settings.timeout_seconds or _timeout_seconds(environ),
        certificate=settings.certificate or _path(environ, "CERTIFICATE"),
        client_certificate=settings.client_certificate or _path(environ, "CLIENT_CERTIFICATE"),
        client_key=settings.client_key or _path(environ, "CLIENT_KEY"),
        resource=_resource(settings, environ),
    )
    target.tls_context()
    return target


def _is_off(environ: Mapping[str, str]) -> bool:
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return disabled or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"


def _url(settings: OtlpSettings, environ: Mapping[str, str]) -> str | None:
    """The variable for traces is taken as it is; to the others the path is added."""
    if settings.endpoint is not None:
        return _with_path(settings.endpoint)
    for variable, complete in ((f"{_OF_TRACES}ENDPOINT", True), (f"{_GENERAL}ENDPOINT", False)):
        if value := environ.get(variable, "").strip():
            split = urlsplit(value)
            if split.scheme not in ("http", "https") or not split.hostname:
                raise SettingsError(f"{variable}: {value!r} is no URL that starts with http:// or https://")
            return value if complete else _with_path(value)
    return None


def _with_path(url: str) -> str:
    split = urlsplit(url)
    path = split.path.rstrip("/")
    return split._replace(path=path if path.endswith(TRACES_PATH) else path + TRACES_PATH).geturl()


def _check_protocol(environ: Mapping[str, str]) -> None:
    name, value = _variable(environ, "PROTOCOL")
    if value not in ("", "http/protobuf"):
        raise SettingsError(f"{name}: {value!r} is not supported; Voxgate sends http/protobuf")


def _headers(settings: OtlpSettings, environ: Mapping[str, str]) -> dict[str, str]:
    name, value = _variable(environ, "HEADERS")
    if settings.headers_env is not None:
        name, value = settings.headers_env, environ.get(settings.headers_env, "")
        if not value:
            raise SettingsError(f"export.otlp.headers_env: the environment variable {name} is not set")
    return _pairs(name, value)


def _pairs(variable: str, text: str) -> dict[str, str]:
    """`name=value,name=value`, each percent-encoded, as in W3C Baggage. Values are never shown."""
    found = {}
    for number, pair in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        name, sign, value = pair.partition("=")
        name, value = unquote(name.strip()), unquote(value.strip())
        if not sign or not _NAME.fullmatch(name):
            raise SettingsError(f"{variable}: part {number} is not of the form name=value")
        if any(letter in value for letter in "\r\n\0"):
            raise SettingsError(f"{variable}: the value of {name!r} has a line break in it")
        found[name.lower()] = value
    return found


def _gzip(settings: OtlpSettings, environ: Mapping[str, str]) -> bool:
    name, value = _variable(environ, "COMPRESSION")
    if settings.compression is not None:
        return settings.compression == "gzip"
    if value not in ("", "gzip", "none"):
        raise SettingsError(f"{name}: {value!r} is neither 'gzip' nor 'none'")
    return value != "none"


def _timeout_seconds(environ: Mapping[str, str]) -> float:
    """The variable is in ms."""
    name, value = _variable(environ, "TIMEOUT")
    if not value:
        return _DEFAULT_SECONDS
    if not value.isdigit() or int(value) == 0:
        raise SettingsError(f"{name}: {value!r} is no number of milliseconds above 0")
    return int(value) / 1000


def _resource(settings: OtlpSettings, environ: Mapping[str, str]) -> dict[str, str]:
    own = _attributes(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    name = settings.service_name or environ.get("OTEL_SERVICE_NAME") or own.get("service.name") or "voxgate"
    return {"service.version": __version__, **own, **settings.resource, "service.name": name}


def _attributes(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not sign or not name.strip() for name, sign, _ in pairs):
        raise SettingsError("OTEL_RESOURCE_ATTRIBUTES: a part is not of the form name=value")
    return {unquote(name.strip()): unquote(value.strip()) for name, _, value in pairs}


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    _, value = _variable(environ, name)
    return Path(value) if value else None


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """The one for traces if it is set, and what it says."""
    for variable in (f"{_OF_TRACES}{name}", f"{_GENERAL}{name}"):
        if value := environ.get(variable, "").strip():
            return variable, value
    return f"{_GENERAL}{name}", ""
