"""Jars from the registry itself: once, by two processes at once, and never another than the pinned one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vigie.engines.spark import jars as fetching
from vigie.engines.spark.java import java_home
from vigie.errors import VigieError

FETCH = """
import sys
from pathlib import Path
from vigie.engines.spark.jars import jars
from vigie.engines.spark.java import java_home

cache = Path(sys.argv[1])
print(sum(jar.stat().st_size for jar in jars(cache, java_home(cache))))
"""


def test_two_processes_that_fetch_at_once_both_have_every_jar(tmp_path: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", FETCH, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    said = [process.communicate(timeout=240)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1]
    assert int(said[0]) > 20_000_000
    assert all(path.suffix == ".jar" for path in (tmp_path / "jars").glob("spark-*/*"))


def test_a_jar_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "pins"
    shutil.copytree(fetching.PINS, pins)
    first, *others = (pins / "spark.sha256").read_text().splitlines()
    (pins / "spark.sha256").write_text("\n".join(["0" * 64 + first[64:], *others]))
    monkeypatch.setattr(fetching, "PINS", pins)

    with pytest.raises(VigieError, match="is not the jar that Vigie was tried with"):
        fetching.jars(tmp_path / "cache", java_home(tmp_path / "cache"))
    assert not list((tmp_path / "cache" / "jars").rglob("*.jar"))
