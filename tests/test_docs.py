"""The documents keep up with the code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import REPOSITORY
from voxgate.core.asked import AskedModel
from voxgate.core.caching import CacheSettings
from voxgate.core.prices import PriceSettings
from voxgate.core.projects import ProjectSettings
from voxgate.core.settings import ExportSettings, LimitSettings, OtlpSettings, Settings, load_settings
from voxgate.core.upstreams import ProviderSettings, RouteSettings
from voxgate.providers.local.settings import LocalSettings
from voxgate.store.fields import ALIASES, FIELDS, Kind
from voxgate.store.filter_parser import parse
from voxgate.traces.metrics import METRICS

DOCS = REPOSITORY / "docs"


def test_every_setting_is_documented() -> None:
    text = (DOCS / "settings.md").read_text()
    settings = (Settings, ProviderSettings, RouteSettings, ProjectSettings, LimitSettings, CacheSettings)
    for section in (*settings, AskedModel):
        for name in section.model_fields:
            if name not in {"providers", "routes", "aliases", "projects", "limits", "export", "local"}:
                assert f"`{name}`" in text or f"{name} =" in text or f".{name}]" in text, name
    text = (DOCS / "export.md").read_text()
    for section in (ExportSettings, OtlpSettings):
        for name in section.model_fields:
            assert f"`{name}`" in text or f"{name} =" in text or name == "otlp", name
    text = (DOCS / "prices.md").read_text()
    for name in PriceSettings.model_fields:
        assert f"{name} =" in text or name == "source", name


def test_every_field_of_the_filter_is_documented_and_every_metric_is_one() -> None:
    text = (DOCS / "filters.md").read_text()
    assert {name for name in (*FIELDS, *ALIASES) if f"`{name}`" not in text} == set()
    examples = text[text.index("## Examples") : text.index("## What is searched")]
    for example in re.findall(r"^\| `(.*?)` \|", examples, re.MULTILINE):
        parse(example)
    assert set(METRICS) - {*FIELDS} == set()
    for name, metric in METRICS.items():
        kind = FIELDS[name].kind
        assert (metric.unit == "ms") == (kind is Kind.DURATION), name
        assert (metric.unit in ("share", "per turn")) == (kind is Kind.RATIO), name


def test_every_setting_of_the_embedded_provider_is_documented() -> None:
    text = (DOCS / "local.md").read_text()
    for name in LocalSettings.model_fields:
        assert name in text, name


def test_the_settings_of_the_example_of_a_fleet_are_right() -> None:
    folder = REPOSITORY / "deploy"
    lines = (folder / "systemd" / "voxgate.env").read_text().splitlines()
    environ = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    settings = load_settings({}, environ, folder / "voxgate.toml")
    assert settings.machines_share
    assert "KillMode=mixed" in (folder / "systemd" / "voxgate.service").read_text()


def test_every_metric_is_documented() -> None:
    text = (DOCS / "operations.md").read_text()
    names = set()
    for path in (REPOSITORY / "src" / "voxgate").rglob("*.py"):
        names |= set(re.findall(r"\.(?:counter|counted|\w*gauge)\(\s*\"(voxgate_\w+)\"", path.read_text()))
    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in text} == set()
    assert set(re.findall(r"`(voxgate_\w+)`", text)) == names


def test_every_package_has_its_row_in_the_architecture() -> None:
    text = (REPOSITORY / "ARCHITECTURE.md").read_text()
    for folder in (REPOSITORY / "src" / "voxgate").iterdir():
        if (folder / "__init__.py").is_file() and folder.name != "testing":
            assert f"`{folder.name}/`" in text, folder.name


def test_every_decision_is_numbered_once() -> None:
    numbers = [path.name[:4] for path in (DOCS / "decisions").glob("*.md")]
    assert sorted(numbers) == sorted(set(numbers))


def test_nothing_names_a_package_registry() -> None:
    hosts = ("registry.npmjs" + ".org", "pypi" + ".org", "files.python" + "hosted.org")
    folders = [REPOSITORY / "requirements", REPOSITORY / "tests" / "clients" / "matrix" / "requirements"]
    requirements = [path for folder in folders for path in folder.glob("*.txt")]
    assert len(requirements) > 5
    paths = [*requirements, *DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")]
    for path in [*paths, *(p for part in ("ui", "examples", "bench", "tests") for p in _locks(part))]:
        if "node_modules" not in path.parts:
            assert not any(host in path.read_text() for host in hosts), path


def _locks(part: str) -> list[Path]:
    return [*(REPOSITORY / part).rglob("package-lock.json")]


def test_the_web_app_says_what_every_metric_means() -> None:
    words = (REPOSITORY / "ui" / "src" / "lib" / "metric-docs.ts").read_text()
    assert {name for name in METRICS if f'"{name}"' not in words} == set()
