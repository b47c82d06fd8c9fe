"""A picture of the classes that Spark loads: taken as a server ends that has done some work, and what later ones start
from, which takes Java half the time."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

KEPT = 3  # of several versions, or environments; each has about 200 MB
QUIET = "-Xlog:cds*=off"


@dataclass(frozen=True, slots=True)
class Start:
    """What a Java is told, and the picture that it takes as it ends, if it takes one: to be kept once it is whole."""

    options: str
    takes: Path | None = None

    def keep(self) -> None:
        if self.takes is not None and self.takes.exists():
            _forget(self.takes.parent)
            os.replace(self.takes, self.takes.parent / f"{self.takes.stem.partition('-')[0]}.jsa")

    def drop(self) -> None:
        if self.takes is not None:
            self.takes.unlink(missing_ok=True)


def start(java: Path, options: str, spark: Path, jars: Sequence[Path], cache: Path) -> Start:
    """These options of a Java that runs a Spark, and what makes it start from a picture, or take one.

    A picture fits one Java and one class path, and its name says which. A Java that takes none starts as ever.
    """
    home = java.parent.parent
    told = [str(java), str(java.stat().st_mtime_ns), options, *map(str, jars), str(spark.resolve())]
    name = sha256("\n".join(told).encode()).hexdigest()[:12]
    (cache / "java").mkdir(parents=True, exist_ok=True)
    picture, none = (cache / "java" / f"{name}.{kind}" for kind in ("jsa", "none"))
    if picture.exists():
        os.utime(picture)
        return Start(f"{options} {QUIET} -XX:SharedArchiveFile={picture}")
    if none.exists():
        return Start(options)
    taking = f"{options} {QUIET} {_base(java, home, cache)} -XX:ArchiveClassesAtExit"
    if _answers(java, taking):
        aside = picture.with_name(f"{name}-{uuid4().hex[:8]}.part")
        return Start(f"{taking}={aside}", aside)
    none.touch()
    return Start(options)


def _base(java: Path, home: Path, cache: Path) -> str:
    """What a picture is taken on top of: Java's own classes. The Java that comes with Vigie has no picture of them."""
    if (home / "lib" / "server" / "classes.jsa").exists():
        return ""
    base = cache / "java" / f"{home.name}.base"
    if not base.exists():
        with tempfile.TemporaryDirectory(dir=cache / "java") as aside:
            made = Path(aside, base.name)
            if _ends_well(java, "-Xshare:dump", f"-XX:SharedArchiveFile={made}") and made.exists():
                os.replace(made, base)
    return f"-XX:SharedArchiveFile={base}"


def _answers(java: Path, taking: str) -> bool:
    """Whether this Java starts when it is to take a picture: one that cannot does not start at all."""
    with tempfile.TemporaryDirectory() as aside:
        return _ends_well(java, *f"{taking}={Path(aside, 'tried')}".split(), "-version")


def _ends_well(java: Path, *options: str) -> bool:
    ended = subprocess.run([java, *options], capture_output=True, timeout=120, check=False)
    return ended.returncode == 0


def _forget(folder: Path) -> None:
    """Keep the pictures that were used last."""
    pictures = sorted(folder.glob("*.jsa"), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in pictures[KEPT - 1 :]:
        old.unlink(missing_ok=True)
