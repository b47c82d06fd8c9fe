"""Java is started from a picture of its classes where there is one, and takes one where it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.engines.spark.class_archive import KEPT, Start, start

SPARK = Path("/opt/spark")
OPTIONS = "-XX:+UseParallelGC"


def a_java(folder: Path, *, takes_pictures: bool = True) -> Path:
    """A Java that notes down each start."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    (folder / "lib" / "server").mkdir(parents=True)
    (folder / "lib" / "server" / "classes.jsa").touch()
    java.write_text(f'#!/bin/sh\necho "$@" >> {folder}/starts\nexit {0 if takes_pictures else 1}\n')
    java.chmod(0o755)
    return java


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def taken(begun: Start) -> Start:
    """What Java was told to take, as if it had."""
    [picture] = [each.split("=")[1] for each in begun.options.split() if each.startswith("-XX:ArchiveClassesAtExit=")]
    assert begun.takes == Path(picture)
    begun.takes.write_bytes(b"picture")
    return begun


def kept(begun: Start) -> str:
    """The name of the picture that is kept of a start."""
    taken(begun).keep()
    assert begun.takes is not None
    return begun.takes.name.partition("-")[0]


def test_a_java_takes_a_picture_once_and_then_starts_from_it(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")

    name = kept(start(java, OPTIONS, SPARK, [], cache))

    again = start(java, OPTIONS, SPARK, [], cache)
    assert again.takes is None
    assert again.options.split()[0] == OPTIONS
    assert f"-XX:SharedArchiveFile={cache}/java/{name}.jsa" in again.options.split()
    assert "ArchiveClassesAtExit" not in again.options


def test_a_picture_of_a_server_that_did_nothing_is_dropped_and_taken_anew(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")

    taken(start(java, OPTIONS, SPARK, [], cache)).drop()

    assert taken(start(java, OPTIONS, SPARK, [], cache)).takes is not None
    start(java, OPTIONS, SPARK, [], cache).drop()  # that took none


def test_two_that_take_it_at_once_keep_one(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")
    both = [taken(start(java, OPTIONS, SPARK, [], cache)) for _ in range(2)]

    for each in both:
        each.keep()

    assert [path.suffix for path in (cache / "java").iterdir()] == [".jsa"]


def test_another_class_path_or_another_spark_has_another_picture(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")
    first = kept(start(java, OPTIONS, SPARK, [tmp_path / "delta-1.jar"], cache))
    other = kept(start(java, OPTIONS, SPARK, [tmp_path / "delta-2.jar"], cache))

    assert first != other
    assert kept(start(java, OPTIONS, tmp_path / "spark", [tmp_path / "delta-1.jar"], cache)) not in {first, other}


def test_a_java_that_cannot_take_one_is_tried_once_and_starts_as_ever(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk", takes_pictures=False)

    assert [start(java, OPTIONS, SPARK, [], cache) for _ in range(2)] == [Start(OPTIONS)] * 2

    assert len((tmp_path / "jdk" / "starts").read_text().splitlines()) == 1


def test_pictures_that_nobody_used_for_long_are_forgotten(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")

    for at in range(KEPT + 3):
        newest = kept(start(java, OPTIONS, SPARK, [Path(f"delta-{at}.jar")], cache))

    left = {path.stem for path in (cache / "java").glob("*.jsa")}
    assert len(left) == KEPT
    assert newest in left
