"""Settings: flags over environment (`VOXGATE_…`) over `voxgate.toml` over defaults.

A wrong value is a SettingsError that names the key, the value's place (file and line, or the variable) and
what would be right.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from voxgate.core.asked import AskedModel, variables
from voxgate.core.caching import CacheSettings
from voxgate.core.errors import SettingsError
from voxgate.core.kinds import FILE_TRANSCRIBERS
from voxgate.core.networks import network_text
from voxgate.core.prices import PriceSettings
from voxgate.core.projects import Days, OriginPattern, ProjectSettings, TranscriptionSettings
from voxgate.core.upstreams import HTTP_URL, OneModel, ProviderSettings, RouteSettings

CONFIG_NAME: Final = "voxgate.toml"
ENV_PREFIX: Final = "VOXGATE_"
LOCAL: Final = "local"
"""The name of the embedded provider and of its model, which needs no route."""
REPLAY: Final = "replay"
REPLAY_PREFIX: Final = f"{REPLAY}:"
"""What models that are recorded sessions begin with; they need no route either."""


def _split(value: Any) -> Any:
    """A list as an environment variable holds it: with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


NetworkText = Annotated[str, AfterValidator(network_text)]


_BLOBS_URL: Final = r"^(s3://[a-z0-9][a-z0-9._-]+(/[\w.-]+)*/?|file:///\S*[^\s/])$"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitSettings(_Section):
    """What one gateway, one key and one call may take. None is no limit."""

    calls_per_worker: Annotated[int, Field(ge=1)] = 10_000
    calls_per_api_key: Annotated[int, Field(ge=1)] | None = None
    """At once, over all workers; likewise the next one."""
    calls_per_credential: Annotated[int, Field(ge=1)] | None = None
    max_session_seconds: Annotated[float, Field(gt=0)] | None = None
    idle_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long a call may go on without a message from either side."""
    stall_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a client or a provider may not take what waits for it."""
    held_bytes: Annotated[int, Field(ge=4096, le=64 << 20)] = 64 << 10
    """How much may wait for a side that does not read, before the other one has to wait."""
    handshake_seconds: Annotated[float, Field(gt=0)] = 10.0
    """For the TLS handshake, for a request's head, and for the body of one that is no request to a model."""
    body_idle_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long the body of a request to a model may stop in its middle."""
    body_seconds: Annotated[float, Field(gt=0)] = 600.0
    """And how long all of it may take."""
    largest_head_bytes: Annotated[int, Field(ge=1024)] = 64 << 10
    requests_per_minute_per_api_key: Annotated[int, Field(ge=1)] | None = None
    """Over all workers; likewise the next three. A key's own limit can only lower it."""
    tokens_per_minute_per_api_key: Annotated[int, Field(ge=1)] | None = None
    requests_per_minute_per_credential: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute_per_credential: Annotated[int, Field(ge=1)] | None = None
    client_messages_per_second: Annotated[float, Field(gt=0)] | None = None
    """Averages over ten seconds, so that bursts pass; likewise the next three."""
    client_bytes_per_second: Annotated[float, Field(gt=0)] | None = None
    provider_messages_per_second: Annotated[float, Field(gt=0)] | None = None
    provider_bytes_per_second: Annotated[float, Field(gt=0)] | None = None


def _database_in(data_dir: Path | None) -> str:
    return f"sqlite:///{(data_dir or Path()) / 'voxgate.db'}"


class OtlpSettings(_Section):
    """Where finished traces are sent by OpenTelemetry's protocol (OTLP/HTTP). What is not set here may be set
    by OpenTelemetry's own variables: `export.target`."""

    enabled: bool = True
    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s#]*$")] | None = None
    """Of the collector; `/v1/traces` is added unless the URL ends with it."""
    headers_env: Annotated[str, Field(min_length=1)] | None = None
    """The variable that holds headers, such as keys: `name=value,name=value`."""
    compression: Literal["gzip", "none"] | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] | None = None
    certificate: Path | None = None
    """Authorities that the endpoint's certificate is checked by, instead of the system's."""
    client_certificate: Path | None = None
    client_key: Path | None = None
    conventions: Annotated[list[Literal["gen_ai", "openinference"]], Field(min_length=1)] = Field(
        default_factory=lambda: ["gen_ai", "openinference"]  # type: ignore[arg-type]
    )
    content: bool = True
    """Whether words go along: transcripts, texts, instructions, arguments and results of tools."""
    projects: Annotated[list[str], Field(min_length=1)] | None = None
    """Only sessions of these; None: of all."""
    service_name: Annotated[str, Field(min_length=1)] | None = None
    resource: dict[Annotated[str, Field(min_length=1)], str] = Field(default_factory=dict)
    """More attributes of the resource, such as `deployment.environment.name`."""


class ExportSettings(_Section):
    """What leaves Voxgate by itself."""

    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")] | None = None
    """What links to sound begin with; None: the address that Voxgate listens on."""
    otlp: OtlpSettings = Field(default_factory=OtlpSettings)


class Settings(_Section):
    """All settings of `voxgate serve`, checked."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8600
    data_dir: Path = Path("voxgate-data")
    database_url: str = Field(default_factory=lambda known: _database_in(known.get("data_dir")))
    """Where metadata is: a file of SQLite, by default in the data folder, or PostgreSQL."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    blobs_url: Annotated[str, Field(pattern=_BLOBS_URL)] | None = None
    """Where blobs are, if not in the data folder: `s3://bucket/prefix`, or `file:///folder` that machines
    share."""
    blobs_endpoint: Annotated[str, Field(pattern=HTTP_URL)] | None = None
    """Of an S3-compatible store; None: Amazon's."""
    blobs_region: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None = None
    takeover_seconds: Annotated[float, Field(ge=8, le=86_400)] = 60.0
    """After so long without a sign of a machine, others finish its calls from what it had shipped."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    recorders: Annotated[int, Field(ge=1, le=16)] = 1
    """Processes that share the recording of all calls."""
    local_enabled: bool = True
    """Whether the embedded provider runs, where its parts are installed."""
    api_key: SecretStr | None = None
    """The admin key for unattended starts (`VOXGATE_API_KEY`); else the first start makes one."""
    largest_message_bytes: Annotated[int, Field(ge=1024)] = 32 << 20
    recording_buffer_bytes: Annotated[int, Field(ge=4 << 20, le=64 << 30)] = 256 << 20
    """Of each worker: what of its calls waits in memory while the disk takes nothing."""
    retention_days: Days | None = None
    """After so many days recordings are deleted; projects and credentials may want it sooner. None: never."""
    audio_retention_days: Days | None = None
    """The same for their sound alone."""
    webhook_secret_env: Annotated[str, Field(min_length=1)] = "VOXGATE_WEBHOOK_SECRET"
    """The variable that holds what webhooks are signed with; where it is not set: `webhook.key` of the data
    folder."""
    webhook_private_addresses: bool = False
    """Whether webhooks may go to addresses that are not public ones."""
    drain_seconds: Annotated[float, Field(ge=0)] = 5.0
    trusted_proxies: Annotated[list[NetworkText], BeforeValidator(_split)] = Field(default_factory=list)
    """Whose forwarded headers are believed: addresses and networks."""
    cors_origins: Annotated[list[OriginPattern], BeforeValidator(_split)] = Field(
        default_factory=lambda: ["*"]
    )
    """The pages whose scripts may read the answers of `/v1` over HTTP."""
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    routes: list[RouteSettings] = Field(default_factory=list)
    aliases: dict[Annotated[str, Field(min_length=1)], OneModel] = Field(default_factory=dict)
    """Names or patterns of models that clients ask for, and the model that serves each; an empty text leaves
    them as they are. They come before those that are shipped."""
    projects: dict[str, ProjectSettings] = Field(default_factory=dict)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    """Of models, by the names that providers know; instead of those that are shipped and beside them."""
    export: ExportSettings = Field(default_factory=ExportSettings)
    judge: AskedModel = Field(default_factory=AskedModel)
    """The model that judges calls in evaluations by their words."""
    audio_judge: AskedModel = Field(default_factory=AskedModel)
    """The one that judges by their sound; what is not said here is as for `judge`."""
    transcriber: AskedModel = Field(default_factory=AskedModel)
    """The one that writes down sound for evaluations."""
    local: dict[str, Any] = Field(default_factory=dict)
    """`[providers.local]`, as the embedded provider reads it."""

    @model_validator(mode="before")
    @classmethod
    def _add_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        providers = dict(values.get("providers") or {})
        local = providers.pop(LOCAL, values.get("local") or {})
        providers.setdefault("openai", _OPENAI)
        judges = [values.get(name) or {} for name in ("judge", "audio_judge")]
        inherited = (
            {"audio_judge": {**judges[0], **judges[1]}} if all(type(one) is dict for one in judges) else {}
        )
        return {**values, **inherited, "providers": providers, "local": local}

    @model_validator(mode="after")
    def _check_routes(self) -> Settings:
        for number, route in enumerate(self.routes):
            for name in route.providers:
                if name not in self.providers and name != LOCAL:
                    known = ", ".join([*self.providers, LOCAL])
                    raise ValueError(f"routes.{number}.providers: unknown provider {name!r}; known: {known}")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Settings:
        if REPLAY in self.providers:
            raise ValueError(f"providers.{REPLAY}: the name is taken by what plays recorded sessions")
        return self

    @model_validator(mode="after")
    def _check_transcription(self) -> Settings:
        for name, wanted in self.transcription_of_projects.items():
            if not self.transcribers(wanted.model):
                raise ValueError(f"projects.{name}.transcribe: {self.no_transcriber(wanted.model)}")
        return self

    def transcribers(self, model: str) -> list[str]:
        """The providers that a model is asked of to transcribe what was recorded, in order."""
        route = self.route_for(model)
        names = [name for name in route.providers if name != LOCAL] if route is not None else []
        return [name for name in names if self.providers[name].kind in FILE_TRANSCRIBERS]

    def no_transcriber(self, model: str) -> str:
        """Why there is none."""
        route = self.route_for(model)
        if route is None:
            return f'no route serves the model {model!r}; add one: [[routes]] with model = "{model}"'
        return (
            f"the model {model!r} is served by {', '.join(route.providers)}, where files cannot be"
            " transcribed;"
            f" providers of these kinds can: {', '.join(sorted(FILE_TRANSCRIBERS))}"
        )

    @property
    def transcription_of_projects(self) -> dict[str, TranscriptionSettings]:
        """Of those that want it."""
        found = {name: project.transcribe for name, project in self.projects.items()}
        return {name: wanted for name, wanted in found.items() if wanted is not None}

    def route_for(self, model: str) -> RouteSettings | None:
        """The first route whose pattern matches. The models `local` and `replay:…` need none."""
        if model == LOCAL:
            return RouteSettings(model=LOCAL, providers=[LOCAL])
        if model.startswith(REPLAY_PREFIX):
            return RouteSettings(model=model, providers=[REPLAY])
        for route in self.routes_in_force:
            if fnmatchcase(model, route.model):
                return route
        return None

    @property
    def routes_in_force(self) -> list[RouteSettings]:
        """The configured routes, or without any: OpenAI's models go to OpenAI."""
        return self.routes or _DEFAULT_ROUTES

    def days_of_projects(self, name: Literal["retention_days", "audio_retention_days"]) -> dict[str, int]:
        """Of those that say it."""
        found = {project: getattr(rules, name) for project, rules in self.projects.items()}
        return {project: days for project, days in found.items() if days is not None}

    def provider_keys(self, environ: Mapping[str, str]) -> list[str]:
        """Those that are known by themselves, for whoever must not write them down."""
        found = [environ.get(provider.api_key_env or "", "") for provider in self.providers.values()]
        more = [name for provider in self.providers.values() for name in provider.api_keys_env]
        found += [environ.get(name, "") for name in more]
        own = (provider.api_key for provider in self.providers.values())
        return [key for key in [*found, *(key.get_secret_value() for key in own if key)] if key]

    @property
    def redaction_of_projects(self) -> dict[str, dict[str, str]]:
        """Patterns by their names."""
        return {name: project.redaction for name, project in self.projects.items()}

    @property
    def admin_key_path(self) -> Path:
        return self.data_dir / "admin.key"

    @property
    def wire_dir(self) -> Path:
        return self.data_dir / "wire"

    @property
    def blobs_dir(self) -> Path:
        """The folder of blobs, or of those that are on their way to a bucket."""
        if self.blobs_url is not None and self.blobs_url.startswith("file://"):
            return Path(self.blobs_url.removeprefix("file://"))
        return self.data_dir / "blobs"

    @property
    def scoring_dir(self) -> Path:
        """What online scoring has still to do."""
        return self.data_dir / "scoring"

    @property
    def outbox_dir(self) -> Path:
        """The sessions that are still to be sent to OpenTelemetry."""
        return self.data_dir / "outbox"

    @property
    def machines_share(self) -> bool:
        """Whether several machines may work on the same database and the same blobs."""
        return self.blobs_url is not None and not self.database_url.startswith("sqlite")


_OPENAI: Final = {
    "base_url": "https://api.openai.com/v1",
    "api_key_env": "OPENAI_API_KEY",
    "accepts_client_keys": True,
}
_DEFAULT_ROUTES: Final = [RouteSettings(model="gpt-*", providers=["openai"])]
_MOST_ERRORS: Final = 8
_WORDS: Final = {"extra_forbidden": "unknown key", "missing": "this key is missing"}
_CONSEQUENCES: Final = {"default_factory_not_called"}
"""Nothing is wrong with these: a default is made of another value that is."""
ASKED: Final = ("judge", "audio_judge", "transcriber")
_SECTIONS: Final = {
    *("providers", "routes", "aliases", "projects", "limits", "cache", "prices", "export", "local"),
    *ASKED,
}
_PLAIN_KEYS: Final = [name for name in Settings.model_fields if name not in {*_SECTIONS, "api_key"}]


def load_settings(
    flags: Mapping[str, Any], environ: Mapping[str, str], config: Path | None = None
) -> Settings:
    """SettingsError when something is wrong. `flags` with the value None count as not given. Without
    `config` the file `voxgate.toml` of the current folder is read if it is there."""
    path = config or Path(CONFIG_NAME)
    text = _read(path, required=config is not None)
    values, sources = _gather(flags, environ, path, text)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, path, text, sources)) from error


def _gather(
    flags: Mapping[str, Any], environ: Mapping[str, str], path: Path, text: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """What is set, and where each key of it comes from."""
    values = _parse(path, text)
    sources = {key: f"{path}, line {_line_of(text, (key,))}" for key in values}
    for key in [*_PLAIN_KEYS, "api_key"]:
        variable = ENV_PREFIX + key.upper()
        if variable in environ:
            values[key], sources[key] = environ[variable], f"the environment variable {variable}"
    for section in ASKED:
        written = values.get(section, {})
        for key, (variable, value) in variables(ENV_PREFIX, section, environ).items():
            values[section] = (
                {**values.get(section, {}), key: value} if isinstance(written, dict) else written
            )
            sources[f"{section}.{key}"] = f"the environment variable {variable}"
    for key, value in flags.items():
        if value is not None:
            values[key], sources[key] = value, f"the flag --{key.replace('_', '-')}"
    return values, sources


def sources_of(
    flags: Mapping[str, Any], environ: Mapping[str, str], config: Path | None = None
) -> dict[str, str]:
    """Where each setting that is not a default comes from, by its path with dots. SettingsError where the
    file cannot be read."""
    path = config or Path(CONFIG_NAME)
    text = _read(path, required=config is not None)
    values, sources = _gather(flags, environ, path, text)
    in_file = {key for key, source in sources.items() if source.startswith(str(path))}
    lines = {keys: _line_of(text, keys) for keys in _paths_of({key: values[key] for key in in_file})}
    written = {".".join(keys): f"{path}, line {line}" for keys, line in lines.items()}
    return written | {key: source for key, source in sources.items() if key not in in_file}


def _paths_of(values: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of what stands in a file; a list counts as one."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _paths_of(value, (*before, name))
        else:
            yield (*before, name)


def explain(error: ValidationError, config: Path | None, section: tuple[str, ...]) -> str:
    """The same for a section that another module checks, such as `[providers.local]`."""
    path = config or Path(CONFIG_NAME)
    return _explain(error, path, _read(path, required=False), {}, section)


def _read(path: Path, *, required: bool) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise SettingsError(f"The configuration file {path} does not exist.") from None
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {error}") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def _explain(
    error: ValidationError,
    path: Path,
    text: str,
    sources: Mapping[str, str],
    section: tuple[str, ...] = (),
) -> str:
    """One line for each wrong value."""
    lines = []
    told = [one for one in error.errors(include_url=False) if one["type"] not in _CONSEQUENCES]
    for each in told[:_MOST_ERRORS]:
        location, message = (*section, *each["loc"]), each["msg"].removeprefix("Value error, ")
        if isinstance(each["input"], dict) and (match := re.match(r"([\w.]+): (.*)", message)):
            parts = (int(part) if part.isdigit() else part for part in match[1].split("."))
            location, message = (*location, *parts), match[2]  # a section's own check names the key first
        message = _WORDS.get(each["type"], message)
        source = sources.get(".".join(map(str, location[:2]))) or sources.get(
            str(location[0] if location else "")
        )
        if source is None or source.startswith(str(path)):
            source = f"{path}, line {_line_of(text, location)}"
        lines.append(f"{source}: {'.'.join(str(part) for part in location)}: {message}")
    return "\n".join(lines)


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """The line of a key in a TOML text, or of the deepest part of its path that is written there."""
    parts = [part for part in location if isinstance(part, str)]
    index = location[1] if len(location) > 1 and isinstance(location[1], int) else -1  # of a [[table]]
    wanted, section, found, seen, deepest = ".".join(parts), "", 1, -1, 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if header := re.match(r"\[+\s*([^\]]+?)\s*\]+", stripped):
            section = header[1].replace('"', "")
            seen += stripped.startswith("[[") and section == parts[0]
        key = re.match(r"[\"']?([\w-]+)[\"']?\s*=", stripped)
        path = ".".join(filter(None, (section, key[1] if key else "")))
        fits = f"{wanted}.".startswith(f"{path}.") and seen in (index, -1)
        if fits and len(path) > deepest:
            found, deepest = number, len(path)
    return found
