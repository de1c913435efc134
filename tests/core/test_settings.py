"""Where a setting comes from, and how a wrong one is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxgate.core.asked import AskedModel
from voxgate.core.errors import SettingsError
from voxgate.core.settings import Settings, load_settings, sources_of

TOML = """\
port = 9001
largest_message_bytes = 1_000_000

[providers.house]
base_url = "http://127.0.0.1:9000/v1"

[[routes]]
model = "gpt-*"
providers = ["openai", "house"]

[[routes]]
model = "old-*"
providers = ["house"]
upstream_model = "new"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "voxgate.toml"
    path.write_text(TOML)
    return path


def failure(path: Path, text: str, **environ: str) -> str:
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings({}, environ, path)
    return caught.value.message


def test_flags_win_over_the_environment_over_the_file_over_defaults(config: Path) -> None:
    assert load_settings({}, {}, config).port == 9001
    assert load_settings({}, {"VOXGATE_PORT": "9002"}, config).port == 9002
    assert load_settings({"port": 9003}, {"VOXGATE_PORT": "9002"}, config).port == 9003
    assert load_settings({"port": None}, {}, config).port == 9001
    assert load_settings({}, {}, config).host == "127.0.0.1"


def test_the_first_matching_route_serves_a_model(config: Path) -> None:
    settings = load_settings({}, {}, config)
    assert (route := settings.route_for("gpt-realtime")) is not None
    assert route.providers == ["openai", "house"]
    assert (route := settings.route_for("old-1")) is not None
    assert route.upstream_model == "new"
    assert settings.route_for("other") is None


def test_without_routes_openais_models_go_to_openai_and_local_needs_none() -> None:
    settings = Settings()
    assert (route := settings.route_for("gpt-realtime")) is not None
    assert route.providers == ["openai"]
    assert settings.route_for("unheard-of") is None
    assert (route := settings.route_for("local")) is not None
    assert route.providers == ["local"]


def test_settings_survive_the_way_to_a_child_process(config: Path) -> None:
    settings = load_settings({}, {}, config)
    assert Settings.model_validate(settings.model_dump(mode="json", exclude={"api_key"})) == settings


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('port = 9000\nhost = 5\n', 2, ["host", "string"]),
        ("port = 99999\n", 1, ["port", "65535"]),
        ("\n\nprt = 1\n", 3, ["prt", "unknown key"]),
        ('[providers.a]\nbase_url = "ftp://x"\n', 2, ["providers.a.base_url"]),
        ('[providers.a]\nbase_url = "http://x"\ncolour = "red"\n', 3, ["providers.a.colour", "unknown key"]),
        ('[providers.house]\n\nbase_ulr = "x"\n', 1, ["base_url: this key is missing", "line 3", "base_ulr"]),
        ("[limits]\nidle_seconds = 9\nstall_seconds = 0\n", 3, ["limits.stall_seconds", "greater than 0"]),
        ('[[routes]]\nmodle = "a"\nproviders = ["openai"]\n', 2, ["routes.0.modle: unknown key"]),
        ('[[routes]]\nmodel = "a"\nproviders = ["openai"]\n[[routes]]\nmodel = "b"\nproviders = ["b"]\n', 6,
         ["routes.1.providers", "unknown provider 'b'", "openai"]),
        ('[projects.shop]\nallowed_origins = [\n"https://a.example",\n"b.example"]\n', 2,
         ["projects.shop.allowed_origins.1", "'b.example' is no origin"]),
        ('port = 1\ntrusted_proxies = ["10.0.0.1/8"]\n', 2,
         ["trusted_proxies.0", "the network is '10.0.0.0/8'"]),
        ('[providers.openai]\nbase_url = "https://x"\nrest_seconds = -1\n', 3,
         ["providers.openai.rest_seconds"]),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_key_and_line(
    tmp_path: Path, text: str, line: int, words: list[str]
) -> None:
    message = failure(tmp_path / "v.toml", text)
    assert f"line {line}:" in message, message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[projects.shop]\ntranscribe = "whisper-1"\n',
            "line 2: projects.shop.transcribe: no route serves the model 'whisper-1'",
        ),
        (
            (
                '[[routes]]\nmodel = "w"\nproviders = ["x"]\n[projects.shop.transcribe]\nmodel = "w"\n'
                '[providers.x]\nbase_url = "https://api.x.ai/v1"\n'
            ),
            "projects.shop.transcribe: the model 'w' is served by x, where files cannot be transcribed",
        ),
        (
            '[projects.shop]\naudio = false\ntranscribe = "gpt-4o-transcribe"\n',
            "line 3: projects.shop.transcribe: there is nothing to transcribe while audio is false",
        ),
        ('[projects.shop.transcribe]\nmodel = "gpt-4o-transcribe"\nlanguage = "?"\n', "line 3"),
    ],
)
def test_a_project_that_nobody_can_transcribe_stops_the_start(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in failure(tmp_path / "voxgate.toml", text)


def test_a_project_may_name_a_model_or_say_more(tmp_path: Path) -> None:
    (tmp_path / "voxgate.toml").write_text(
        '[projects.a]\ntranscribe = "gpt-4o-transcribe"\n'
        '[projects.b.transcribe]\nmodel = "gpt-4o-transcribe"\nlanguage = "de"\n[projects.c]\n'
    )
    settings = load_settings({}, {}, tmp_path / "voxgate.toml")
    wanted = settings.transcription_of_projects
    assert {name: (one.model, one.language) for name, one in wanted.items()} == {
        "a": ("gpt-4o-transcribe", None),
        "b": ("gpt-4o-transcribe", "de"),
    }
    assert Settings.model_validate(settings.model_dump(mode="json")).transcription_of_projects == wanted


def test_a_wrong_value_is_all_that_is_told_where_others_are_made_of_it(tmp_path: Path) -> None:
    [line] = failure(tmp_path / "v.toml", "", VOXGATE_PORT="many").splitlines()
    assert line.startswith("the environment variable VOXGATE_PORT: port: Input should be a valid integer")


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    assert "VOXGATE_PORT" in failure(tmp_path / "v.toml", "", VOXGATE_PORT="many")


def test_a_broken_file_says_where_it_breaks(tmp_path: Path) -> None:
    assert "line 2" in failure(tmp_path / "v.toml", "port = 1\nhost = \n")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml does not exist"):
        load_settings({}, {}, tmp_path / "none.toml")


def test_origins_and_networks_are_kept_in_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "v.toml").write_text(
        'trusted_proxies = ["2001:DB8::/32"]\n[projects."the shop"]\nallowed_origins = ["HTTPS://A.example:443"]\n'
    )
    settings = load_settings({}, {}, tmp_path / "v.toml")
    assert settings.trusted_proxies == ["2001:db8::/32"]
    assert settings.projects["the shop"].allowed_origins == ["https://a.example"]
    assert Settings.model_validate(settings.model_dump(mode="json", exclude={"api_key"})) == settings


def test_a_list_in_the_environment_has_commas(config: Path) -> None:
    environ = {"VOXGATE_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7"}
    assert load_settings({}, environ, config).trusted_proxies == ["10.0.0.0/8", "192.0.2.7"]
    assert load_settings({}, {"VOXGATE_TRUSTED_PROXIES": ""}, config).trusted_proxies == []
    with pytest.raises(SettingsError, match=r"VOXGATE_TRUSTED_PROXIES.*'proxy' is neither"):
        load_settings({}, {"VOXGATE_TRUSTED_PROXIES": "proxy"}, config)


def test_models_that_are_asked_come_from_the_file_and_the_environment(config: Path) -> None:
    config.write_text('[judge]\nmodel = "wise"\nattempts = 2\n[audio_judge]\nmodel = "ears"\n')
    environ = {"VOXGATE_JUDGE_BASE_URL": "http://127.0.0.1:9/v1", "VOXGATE_TRANSCRIBER_MODEL": "scribe"}
    settings = load_settings({}, environ, config)
    assert (settings.judge.model, settings.judge.base_url) == ("wise", "http://127.0.0.1:9/v1")
    assert (settings.audio_judge.model, settings.audio_judge.base_url) == ("ears", "http://127.0.0.1:9/v1")
    assert (settings.audio_judge.attempts, settings.transcriber.model) == (2, "scribe")
    assert sources_of({}, environ, config)["judge.base_url"] == (
        "the environment variable VOXGATE_JUDGE_BASE_URL"
    )


def test_what_is_wrong_with_a_model_that_is_asked_names_its_place(config: Path) -> None:
    assert (
        failure(config, "[judge]\nattempts = 0\n")
        .splitlines()[0]
        .startswith(f"{config}, line 2: judge.attempts:")
    )
    wrong = failure(config, '[judge]\nmodel = "x"\n', VOXGATE_JUDGE_CONCURRENCY="many")
    assert wrong.startswith("the environment variable VOXGATE_JUDGE_CONCURRENCY: judge.concurrency:")
    assert failure(config, "judge = 3\n").startswith(f"{config}, line 1: judge:")


def test_the_key_of_a_model_that_is_asked_is_its_own_or_in_its_variable() -> None:
    url = "http://127.0.0.1:9/v1"
    assert AskedModel(base_url=url).key({"OPENAI_API_KEY": "sk-openai"}) is None
    assert AskedModel().key({"OPENAI_API_KEY": "sk-openai"}) == "sk-openai"
    assert AskedModel(base_url=url, api_key_env="MINE").key({"MINE": "k"}) == "k"
    assert AskedModel(base_url=url, api_key="own").key({}) == "own"  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="set MINE"):
        AskedModel(base_url=url, api_key_env="MINE").key({})
