"""Where the registry is said to be, and by what name it is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vigie.avro.registry import registry_of
from vigie.errors import BadSetting
from vigie.graph import Place, Source
from vigie.settings import read_settings


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VIGIE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def say(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"VIGIE_{name}", value)


def a_source(registry: str | None = None) -> Source:
    return Source("events", "k STRING", None, Place("mine.py", 7), format="avro", registry=registry)


ACCOUNT = {"REGISTRY_USER": "ada", "REGISTRY_PASSWORD": "a-secret"}


@pytest.mark.parametrize(
    ("address", "account"),
    [
        ("https://registry.example.com/apis/ccompat/v7/", ACCOUNT),
        ("http://registry:8081", {}),
        ("http://10.0.0.7:8081", {}),
        ("http://localhost:8081", ACCOUNT),
        ("http://127.0.0.1:8081", ACCOUNT),
    ],
)
def test_an_address_that_is_near_or_encrypted_is_taken(
    address: str, account: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, REGISTRY=address, **account)

    registry = registry_of(a_source(), read_settings())

    assert registry.url == address.rstrip("/")
    assert (registry.user, registry.password.get_secret_value()) == (("ada", "a-secret") if account else ("", ""))
    assert "a-secret" not in repr(registry)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"REGISTRY": "registry:8081"}, "VIGIE_REGISTRY is wrong: it is not an address of the web"),
        ({"REGISTRY": "ftp://registry"}, "it is not an address of the web"),
        ({"REGISTRY": "http://ada:a-secret@registry"}, "must not hold a name, a password or a query"),
        ({"REGISTRY": "http://registry.example.com"}, "it is not in this network, so it must be https"),
        ({"REGISTRY": "http://registry:8081", **ACCOUNT}, "a password goes there, so it must be https"),
        ({"REGISTRY_USER": "ada"}, "VIGIE_REGISTRY_USER is set, but VIGIE_REGISTRY_PASSWORD is not"),
        ({"REGISTRY_PASSWORD": "a-secret"}, "VIGIE_REGISTRY_PASSWORD is set, but VIGIE_REGISTRY_USER is not"),
    ],
)
def test_a_setting_that_will_not_do_is_refused_and_no_secret_shown(
    settings: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, **settings)

    with pytest.raises(BadSetting) as refused:
        read_settings()

    assert words in str(refused.value)
    assert "a-secret" not in str(refused.value)


def test_what_the_source_declares_goes_before_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, REGISTRY="http://registry:8081")

    assert registry_of(a_source("http://other:8081"), read_settings()).url == "http://other:8081"


def test_no_password_goes_in_the_clear_to_a_registry_that_a_source_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, **ACCOUNT)

    with pytest.raises(BadSetting, match="a password goes there, so it must be https"):
        registry_of(a_source("http://registry:8081"), read_settings())


def test_without_any_address_the_error_says_what_to_set() -> None:
    with pytest.raises(BadSetting, match="nobody has said where its schema registry is") as refused:
        registry_of(a_source(), read_settings())

    assert refused.value.where == "mine.py:7"
    assert "VIGIE_REGISTRY" in refused.value.do
