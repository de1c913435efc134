"""The table of prices: what is shipped, what the settings change, and how names lead to a price."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from voxgate.core.errors import SettingsError
from voxgate.core.prices import PriceSettings, PriceTable
from voxgate.core.settings import load_settings

SHIPPED = (resources.files("voxgate.core") / "prices.toml").read_text(encoding="utf-8")

ONLY_OF_OTHERS = {"minute", "source", "text_cache_write", "text_cache_write_hour"}


def test_every_shipped_price_has_a_source_and_the_file_a_date() -> None:
    assert re.search(r"^# Read on \d{4}-\d{2}-\d{2}\.", SHIPPED, re.MULTILINE)
    for name, fields in tomllib.loads(SHIPPED).items():
        assert fields.get("source"), name


def test_every_live_model_has_prices_for_all_that_a_call_uses() -> None:
    from voxgate.providers.openai import REALTIME_MODELS

    table = PriceTable()
    for name in REALTIME_MODELS:
        price = table.of(name)
        assert price is not None, name
        numbers = price.model_dump(exclude=ONLY_OF_OTHERS).values()
        assert all(number is not None and number > 0 for number in numbers), name
        assert price.is_known


def test_a_dated_name_costs_what_the_name_without_its_date_costs() -> None:
    table = PriceTable()
    assert table.of("gpt-realtime-2025-08-28") == table.of("gpt-realtime") != None  # noqa: E711
    assert table.of("gpt-realtime-mini-2025-10-06") == table.of("gpt-realtime-mini")
    for name in ("gpt-realtime-2025", "gpt-realtime-latest", "gpt-real", "", "2025-08-28"):
        assert table.of(name) is None, name


def test_a_name_that_is_listed_by_itself_does_not_lose_its_date() -> None:
    first = PriceTable().of("gpt-4o-realtime-preview-2024-10-01")
    assert first is not None
    assert first.audio_input is None
    assert not first.is_known


def test_what_is_not_known_is_not_known() -> None:
    table = PriceTable()
    assert table.of("local") is None
    grok = table.of("grok-voice-latest")
    assert grok is not None
    assert set(grok.model_dump(exclude={"source"}).values()) == {None}


def test_the_settings_change_single_prices_and_give_others_a_models_price(tmp_path: Path) -> None:
    config = tmp_path / "voxgate.toml"
    config.write_text(
        '[prices."gpt-realtime-2.1"]\naudio_input = 28.5\n'
        '[prices.house]\nlike = "gpt-realtime-2025-08-28"\ntext_input = 0\n'
        "[prices.new]\nminute = 0.05\n"
    )
    table = PriceTable(load_settings({}, {}, config).prices)
    shipped = PriceTable().of("gpt-realtime-2.1")
    changed = table.of("gpt-realtime-2.1")
    assert shipped is not None
    assert changed == shipped.model_copy(update={"audio_input": 28.5})
    house = table.of("house-2026-01-01")
    assert house is not None
    assert (house.text_input, house.audio_output) == (0, 64)
    new = table.of("new")
    assert new is not None
    assert (new.minute, new.audio_input, new.is_known) == (0.05, None, True)


@pytest.mark.parametrize(
    ("line", "named"),
    [("audio_input = -1", "audio_input"), ("audio_in = 1", "audio_in"), ("minute = nan", "minute")],
)
def test_a_wrong_price_is_named_with_its_line(tmp_path: Path, line: str, named: str) -> None:
    config = tmp_path / "voxgate.toml"
    config.write_text(f'port = 1\n\n[prices."gpt-realtime-2.1"]\ntext_input = 4\n{line}\n')
    with pytest.raises(SettingsError, match=rf"line 5: prices\.gpt-realtime-2\.1\.{named}: "):
        load_settings({}, {}, config)


def test_a_price_that_speaks_is_only_known_with_its_cached_prices() -> None:
    full = {"text_input": 1, "text_output": 1, "audio_input": 1, "audio_output": 1}
    cached = {"text_cached_input": 1, "audio_cached_input": 1}
    for given, known in ((full, False), (full | cached, True), ({"text_input": 1}, False), ({}, False)):
        price = PriceTable({"x": PriceSettings.model_validate(given)}).of("x")
        assert price is not None
        assert price.is_known is known


def test_the_usual_text_models_have_prices_by_all_their_names() -> None:
    table = PriceTable()
    for name in ("gpt-5", "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5-20250929", "claude-haiku-4-5"):
        price = table.of(name)
        assert price is not None, name
        assert None not in (price.text_input, price.text_cached_input, price.text_output), name
    assert table.of("claude-sonnet-4-5-20250929") == table.of("claude-sonnet-4-5")
    assert table.of("text-embedding-3-small-20250101x") is None


def test_a_calls_record_lists_only_what_may_transcribe() -> None:
    transcription = PriceTable().quote(["gpt-realtime"])["transcription"]
    assert {"whisper-1", "gpt-4o-transcribe"} <= transcription.keys()
    assert not {"gpt-5", "claude-opus-5", "text-embedding-3-small", "gpt-realtime"} & transcription.keys()
