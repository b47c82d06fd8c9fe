"""Where Spark is looked for, and that the one that is fetched is the one that everything is tried with."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from vigie.engines.spark import environment
from vigie.engines.spark.environment import BUILD, HOME, SPARK, made, spark_home
from vigie.errors import BadSetting, VigieError

LOCKS = Path(__file__).parents[3] / "locks"


def pinned(file: Path, package: str) -> set[str]:
    """A version and its hashes."""
    [found] = re.findall(rf"^{package}==(\S+) \\\n((?: +--hash=\S+(?: \\)?\n)+)", file.read_text(), re.MULTILINE)
    return {found[0], *re.findall(r"sha256:\w+", found[1])}


@pytest.mark.parametrize(("file", "lock", "package"), [(BUILD, "build", "setuptools"), (SPARK, "dev", "pyspark")])
def test_what_is_fetched_is_what_is_locked(file: Path, lock: str, package: str) -> None:
    assert pinned(file, package) == pinned(LOCKS / f"{lock}.lock", package)


@pytest.fixture
def client_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, where Spark's client alone is installed."""
    monkeypatch.delenv("SPARK_HOME", raising=False)
    monkeypatch.setattr(environment, "installed_spark", lambda: None)
    return tmp_path


def test_without_a_spark_the_command_that_fetches_one_is_named(client_alone: Path) -> None:
    with pytest.raises(BadSetting, match="client alone is.*\n.*vigie engine spark"):
        spark_home(client_alone)


def test_one_that_was_fetched_is_found_and_not_fetched_again(client_alone: Path) -> None:
    [place] = [environment._place(client_alone)]
    (place / HOME / "bin").mkdir(parents=True)
    (place / HOME / "bin" / "spark-submit").touch()
    said: list[str] = []

    assert spark_home(client_alone) == made(client_alone, said.append) == place / HOME
    assert said == []


def test_a_fetch_that_fails_leaves_nothing_half_installed(client_alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        Path(command[-1]).mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(command, 1, "Looking ...\nERROR: No matching distribution found\n")

    monkeypatch.setattr(subprocess, "run", failing)

    with pytest.raises(BadSetting, match="could not be fetched: ERROR: No matching distribution.*\n.*PIP_INDEX_URL"):
        made(client_alone, lambda _said: None)
    assert list((client_alone / "engines").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(client_alone: Path) -> None:
    (client_alone / "engines").touch()

    with pytest.raises(VigieError, match="Spark cannot be kept: .*engines.*\n.*VIGIE_CACHE"):
        made(client_alone, lambda _said: None)
