"""What the environment says, and what is said of it when it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from vigie.errors import BadSetting
from vigie.settings import Box, Settings, read_settings


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment and a working directory without any setting."""
    for name in [name for name in os.environ if name.upper().startswith(("VIGIE_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def test_without_any_setting_all_has_a_default(tmp_path: Path) -> None:
    settings = read_settings()

    assert settings.lake == "./lake"
    assert settings.cache == tmp_path / "home" / ".cache" / "vigie"
    assert settings.opensky_box == Box(lamin=41.3, lamax=51.2, lomin=-5.2, lomax=9.6)
    assert settings.opensky_url == "https://opensky-network.org/api"
    assert settings.opensky_client_id is None
    assert (settings.cores, settings.driver_memory, settings.demo_minutes) == (None, None, None)


def test_the_environment_wins_over_a_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("VIGIE_LAKE=s3a://bucket/file\nVIGIE_CORES=3\nOTHER=1\n")
    monkeypatch.setenv("VIGIE_LAKE", "s3a://bucket/environment")

    settings = read_settings()

    assert settings.lake == "s3a://bucket/environment"
    assert settings.cores == 3


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_CORES", "")
    monkeypatch.setenv("VIGIE_OPENSKY_CLIENT_ID", "")
    monkeypatch.setenv("VIGIE_OPENSKY_CLIENT_SECRET", "")

    assert read_settings().cores is None


@pytest.mark.parametrize(("base", "cache"), [("/var/tmp/of-mine", "/var/tmp/of-mine/vigie"), ("here", None)])
def test_the_cache_is_where_xdg_says_when_that_is_absolute(
    base: str, cache: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", base)

    assert read_settings().cache == Path(cache or tmp_path / "home" / ".cache" / "vigie")


def test_the_cache_of_a_person_s_choice_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_CACHE", "~/kept")

    assert read_settings().cache == tmp_path / "home" / "kept"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_settings().lake = "elsewhere"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORES", "two"),
        ("CORES", "0"),
        ("CORES", "1.5"),
        ("DEMO_MINUTES", "-1"),
        ("DEMO_MINUTES", "nan"),
        ("DEMO_MINUTES", "soon"),
        ("DRIVER_MEMORY", "much"),
        ("DRIVER_MEMORY", "0g"),
        ("DRIVER_MEMORY", "2"),
        ("DRIVER_MEMORY", "10m"),
        ("DRIVER_MEMORY", "511m"),
        ("DRIVER_MEMORY", "9999999g"),
        ("LAKE", " "),
        ("KAFKA", "localhost"),
        ("KAFKA", "localhost:9092,other"),
        ("OPENSKY_LAMIN", "91"),
        ("OPENSKY_LOMAX", "nan"),
        ("OPENSKY_LOMAX", "east"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_write(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"VIGIE_{name}", value)

    with pytest.raises(BadSetting) as wrong:
        read_settings()

    assert wrong.value.what.startswith(f"VIGIE_{name} is wrong: ")
    assert wrong.value.what.endswith(f", not '{value.strip() or value}'")
    assert wrong.value.do.startswith(f"Write VIGIE_{name} as ")
    assert "None" not in wrong.value.do


@pytest.mark.parametrize("name", ["OPENSKY_URL", "OPENSKY_TOKEN_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "opensky-network.org",
        "ftp://opensky-network.org",
        "https://",
        "https://host:port",
        "http://opensky-network.org/api",
        "https://me:hush@opensky-network.org/api",
        "https://opensky-network.org/api?key=hush",
    ],
)
def test_an_address_that_cannot_keep_a_secret_is_refused_and_not_repeated(
    name: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"VIGIE_{name}", url)

    with pytest.raises(BadSetting, match=f"VIGIE_{name} is wrong") as wrong:
        read_settings()

    assert "hush" not in str(wrong.value)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com/hush",
        "ftp://example.com/hush",
        "https:///hush",
        "http://example.com/hush",
        "http://h:x/hush",
        "https://a..b/hush",
        "https://a b/hush",
        f"https://{'a' * 300}/hush",
    ],
)
def test_a_webhook_that_cannot_keep_a_secret_is_refused_and_not_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_WEBHOOK_URL", url)

    with pytest.raises(BadSetting, match="VIGIE_WEBHOOK_URL is wrong") as wrong:
        read_settings()

    assert "hush" not in str(wrong.value)


def test_a_password_in_the_address_of_kafka_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_KAFKA", "user:hush@host:9092")

    with pytest.raises(BadSetting, match="VIGIE_KAFKA is wrong: it is not host:port") as wrong:
        read_settings()

    assert "hush" not in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_URL", "https://hooks.example.com/services/hush"),
        ("WEBHOOK_URL", "http://alertmanager:9093/hush"),
        ("WEBHOOK_URL", "http://10.0.0.7/hush"),
        ("POSTGRES", "postgresql://me:hush@localhost/db"),
        ("MONGO", "mongodb://me:hush@localhost/db"),
        ("NOTIFY", "mailto://me:hush@example.com"),
    ],
)
def test_where_sinks_deliver_to_is_taken_and_not_shown(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"VIGIE_{name}", value)

    settings = read_settings()

    assert getattr(settings, name.lower()).get_secret_value() == value
    assert "hush" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080"])
def test_on_this_machine_http_will_do(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_OPENSKY_URL", f"http://{host}/api/")

    assert read_settings().opensky_url == f"http://{host}/api"


@pytest.mark.parametrize(
    ("there", "missing"),
    [("CLIENT_ID", "CLIENT_SECRET"), ("CLIENT_SECRET", "CLIENT_ID")],
)
def test_half_an_account_says_which_half_is_missing(there: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"VIGIE_OPENSKY_{there}", "hush")

    with pytest.raises(BadSetting) as wrong:
        read_settings()

    assert wrong.value.what == f"VIGIE_OPENSKY_{there} is set, but VIGIE_OPENSKY_{missing} is not"
    assert wrong.value.do.startswith(f"Set VIGIE_OPENSKY_{missing} too, or neither")
    assert "hush" not in str(wrong.value) + str(wrong.value.__cause__)


def test_a_whole_account_is_taken_and_its_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_OPENSKY_CLIENT_ID", "lookout")
    monkeypatch.setenv("VIGIE_OPENSKY_CLIENT_SECRET", "hush")

    settings = read_settings()

    assert settings.opensky_client_secret is not None
    assert settings.opensky_client_secret.get_secret_value() == "hush"
    assert "hush" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize("side", ["LAMIN", "LOMIN"])
def test_a_box_without_an_inside_is_refused(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"VIGIE_OPENSKY_{side}", "60")

    with pytest.raises(BadSetting, match=f"VIGIE_OPENSKY_{side} is 60 and .*, which is no box"):
        read_settings()


def test_every_wrong_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_CORES", "two")
    monkeypatch.setenv("VIGIE_DEMO_MINUTES", "soon")

    with pytest.raises(BadSetting, match="VIGIE_DEMO_MINUTES.*VIGIE_CORES"):
        read_settings()


def test_a_env_file_that_is_no_text_is_an_error_with_its_place(tmp_path: Path) -> None:
    Path(".env").write_bytes(b"VIGIE_LAKE=\xff\xfe")

    with pytest.raises(BadSetting, match="not UTF-8 text") as wrong:
        read_settings()

    assert wrong.value.where == str(tmp_path / ".env")


def test_a_line_of_a_env_file_that_is_no_setting_is_not_passed_over(tmp_path: Path) -> None:
    Path(".env").write_text('VIGIE_CORES=2\nVIGIE_LAKE="unclosed\n')

    with pytest.raises(BadSetting, match="would be passed over") as wrong:
        read_settings()

    assert wrong.value.where == f"{tmp_path / '.env'}:2"


def test_a_cache_in_the_home_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_CACHE", "~nobody-is-called-so/cache")

    with pytest.raises(BadSetting, match="nobody of that name"):
        read_settings()


def test_every_setting_says_what_to_write() -> None:
    assert [name for name, setting in Settings.model_fields.items() if not setting.description] == []
