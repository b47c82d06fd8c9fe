"""Which Java is used, with real Javas and with ones that only say they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vigie.engines.spark.java import java_home

COUNT = """
import os, sys
from pathlib import Path
from pyspark.sql import SparkSession
from vigie.engines.spark.java import java_home

os.environ["JAVA_HOME"] = str(java_home(Path(sys.argv[1])))
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).getOrCreate()
print(os.environ["JAVA_HOME"], spark.range(1000).count())
spark.stop()
"""


def a_java(home: Path, version: str) -> Path:
    """A home whose java answers as one of that version does."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    properties = (f"java.home = {home}", f"java.specification.version = {version}")
    java.write_text("#!/bin/sh\n" + "".join(f"echo '    {line}' >&2\n" for line in properties))
    java.chmod(0o755)
    return home


def without_java(tmp_path: Path) -> str:
    """A PATH that has what a shell script needs, and no java."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in ("bash", "sh", "dirname", "ps", "uname", "env"):
        for place in (Path("/bin"), Path("/usr/bin")):
            if (place / tool).exists() and not (folder / tool).exists():
                (folder / tool).symlink_to(place / tool)
    return str(folder)


@pytest.mark.parametrize("version", ["17", "21", "25"])
def test_a_java_home_that_is_new_enough_is_used(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = a_java(tmp_path / "own", version)
    monkeypatch.setenv("JAVA_HOME", str(home))

    assert java_home(tmp_path / "cache") == home
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("version", ["1.8", "11"])
def test_a_java_home_that_is_too_old_is_reported_and_passed_over(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = a_java(tmp_path / "new", "21")
    monkeypatch.setenv("JAVA_HOME", str(a_java(tmp_path / "old", version)))
    monkeypatch.setenv("PATH", str(new / "bin"))

    assert java_home(tmp_path / "cache") == new
    assert f"it is Java {version.removeprefix('1.')}, and Spark needs 17 or newer" in capsys.readouterr().err


def test_a_java_home_that_is_no_java_is_reported_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = a_java(tmp_path / "new", "17")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", str(new / "bin"))

    assert java_home(tmp_path / "cache") == new
    assert f"no working bin/java in it (JAVA_HOME={tmp_path / 'nowhere'})" in capsys.readouterr().err


def test_a_java_on_the_path_that_is_a_link_is_followed_to_its_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = a_java(tmp_path / "real", "17")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")

    assert java_home(tmp_path / "cache") == home


def test_a_machine_without_java_gets_the_bundled_one_behind_its_launcher_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", without_java(tmp_path))

    home = java_home(tmp_path / "cache")
    made = (home / "bin" / "java").stat().st_mtime_ns

    assert java_home(tmp_path / "cache") == home
    assert (home / "bin" / "java").stat().st_mtime_ns == made
    command = [
        str(home / "bin" / "java"),
        "--add-modules=jdk.incubator.vector",
        "-Dsaid=two words",
        "-version",
    ]
    assert 'version "21' in subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_spark_counts_on_a_machine_without_java(tmp_path: Path) -> None:
    environment = {"PATH": without_java(tmp_path), "HOME": str(tmp_path), "PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, "-c", COUNT, str(tmp_path / "cache")]

    counted = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path
    )

    assert counted.stdout.split()[-1:] == ["1000"], counted.stderr
    assert counted.stdout.startswith(str(tmp_path / "cache"))
