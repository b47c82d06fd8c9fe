"""Java is started from a picture of its classes where there is one, and takes one where it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.engines.spark.class_archive import KEPT, archived

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
    (tmp_path / "cache" / "java").mkdir(parents=True)
    return tmp_path / "cache"


def taken(options: str) -> Path:
    """What Java was told to take, as if it had."""
    [picture] = [Path(each.split("=")[1]) for each in options.split() if each.startswith("-XX:ArchiveClassesAtExit=")]
    picture.write_bytes(b"\1picture")
    return picture


def test_a_java_takes_a_picture_once_and_then_starts_from_it(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")

    picture = taken(archived(java, OPTIONS, [], cache))

    again = archived(java, OPTIONS, [], cache).split()
    assert again[0] == OPTIONS
    assert f"-XX:SharedArchiveFile={picture}" in again
    assert not [each for each in again if "ArchiveClassesAtExit" in each]


def test_a_picture_that_was_not_finished_is_taken_anew(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")
    picture = taken(archived(java, OPTIONS, [], cache))
    picture.write_bytes(b"\0\0\0\0half a picture")

    assert taken(archived(java, OPTIONS, [], cache)) == picture


def test_another_class_path_has_another_picture(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")
    first = taken(archived(java, OPTIONS, [tmp_path / "delta-1.jar"], cache))

    assert taken(archived(java, OPTIONS, [tmp_path / "delta-2.jar"], cache)) != first


def test_a_java_that_cannot_take_one_is_tried_once_and_starts_as_ever(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk", takes_pictures=False)

    assert [archived(java, OPTIONS, [], cache) for _ in range(2)] == [OPTIONS, OPTIONS]

    assert len((tmp_path / "jdk" / "starts").read_text().splitlines()) == 1


def test_pictures_that_nobody_used_for_long_are_forgotten(tmp_path: Path, cache: Path) -> None:
    java = a_java(tmp_path / "jdk")

    for at in range(KEPT + 3):
        newest = taken(archived(java, OPTIONS, [Path(f"delta-{at}.jar")], cache))

    kept = sorted((cache / "java").glob("*.jsa"))
    assert len(kept) == KEPT + 1
    assert newest in kept
