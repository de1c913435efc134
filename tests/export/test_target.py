"""Where traces are sent: settings and OpenTelemetry's variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from voxgate.core.errors import SettingsError
from voxgate.core.settings import OtlpSettings, load_settings
from voxgate.export.target import OtlpTarget, resolve_target

ENDPOINT = "http://collector:4318"


def resolve(environ: dict[str, str] | None = None, **settings: object) -> OtlpTarget:
    target = resolve_target(OtlpSettings.model_validate(settings), environ or {})
    assert target is not None
    return target


def test_without_an_endpoint_nothing_is_sent() -> None:
    assert resolve_target(OtlpSettings(), {}) is None


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (ENDPOINT, f"{ENDPOINT}/v1/traces"),
        (f"{ENDPOINT}/", f"{ENDPOINT}/v1/traces"),
        (f"{ENDPOINT}/v1/traces", f"{ENDPOINT}/v1/traces"),
        ("https://api.example/otel", "https://api.example/otel/v1/traces"),
        ("https://api.example/otel?team=1", "https://api.example/otel/v1/traces?team=1"),
    ],
)
def test_the_path_of_traces_is_added_to_the_endpoint(endpoint: str, url: str) -> None:
    assert resolve(endpoint=endpoint).url == url
    assert resolve({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}).url == url


def test_the_variable_for_traces_is_taken_as_it_is_and_comes_first() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://other/in",
    }
    assert resolve(environ).url == "http://other/in"


def test_the_settings_come_before_the_variables() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://wrong",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=wrong",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_SERVICE_NAME": "wrong",
        "OTEL_RESOURCE_ATTRIBUTES": "region=eu,stage=wrong",
        "KEYS": "b=right",
    }
    target = resolve(
        environ,
        endpoint=ENDPOINT,
        headers_env="KEYS",
        timeout_seconds=7,
        compression="none",
        service_name="right",
        resource={"stage": "right"},
    )
    assert target.url == f"{ENDPOINT}/v1/traces"
    assert target.headers == {"b": "right"}
    assert (target.timeout_seconds, target.gzip) == (7, False)
    assert target.resource["service.name"] == "right"
    assert (target.resource["region"], target.resource["stage"]) == ("eu", "right")


def test_the_variables_fill_what_the_settings_leave_open() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc, x-team = blue%2Cred ",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=from%20attributes",
    }
    target = resolve(environ, endpoint=ENDPOINT)
    assert target.headers == {"authorization": "Bearer abc", "x-team": "blue,red"}
    assert (target.timeout_seconds, target.gzip) == (2.5, False)
    assert target.resource["service.name"] == "from attributes"
    assert "abc" not in repr(target)


@pytest.mark.parametrize(
    "environ", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}, {"X": "enabled=false"}]
)
def test_it_can_be_switched_off(environ: dict[str, str]) -> None:
    settings = OtlpSettings(endpoint=ENDPOINT, enabled="X" not in environ)
    assert resolve_target(settings, environ) is None


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "key"}, "OTEL_EXPORTER_OTLP_HEADERS: part 1"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=1,b c=2"}, "part 2"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=1%0d%0ax: y"}, "line break"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "OTEL_EXPORTER_OTLP_COMPRESSION"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "one"}, "OTEL_RESOURCE_ATTRIBUTES"),
    ],
)
def test_a_variable_that_is_wrong_is_named(environ: dict[str, str], named: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT, **environ}
    with pytest.raises(SettingsError, match=named) as raised:
        resolve_target(OtlpSettings(), environ)
    assert "secret" not in raised.value.message


def test_a_variable_of_headers_that_is_not_set_is_named() -> None:
    with pytest.raises(SettingsError, match="OTLP_KEYS is not set"):
        resolve(endpoint=ENDPOINT, headers_env="OTLP_KEYS")


def test_certificates_that_are_not_there_are_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="certificates"):
        resolve(endpoint="https://collector", certificate=tmp_path / "none.pem")


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoint": "collector:4317"},
        {"endpoint": "http://"},
        {"conventions": []},
        {"conventions": ["otel"]},
        {"compression": "br"},
        {"timeout_seconds": 0},
        {"url": ENDPOINT},
    ],
)
def test_settings_that_are_wrong_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OtlpSettings.model_validate(settings)


def test_a_wrong_setting_is_shown_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "voxgate.toml"
    config.write_text('port = 1\n\n[export.otlp]\nendpoint = "http://x"\ncompression = "br"\n')
    with pytest.raises(SettingsError, match=r"line 5: export\.otlp\.compression"):
        load_settings({}, {}, config)
