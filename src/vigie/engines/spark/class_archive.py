"""A picture of the classes that Spark loads: taken as the first run ends, and what later ones start from, which takes
Java half the time."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

KEPT = 2  # of other versions, or other environments; each has about 200 MB
TAKES_PICTURE = "-XX:ArchiveClassesAtExit"
QUIET = "-Xlog:cds*=off"


def archived(java: Path, options: str, jars: Sequence[Path], cache: Path) -> str:
    """These options of a Java that runs Spark, and what makes it take the picture or start from it.

    A picture fits one Java and one class path, and its name says which. A Java that takes none starts as ever.
    """
    home = java.parent.parent
    told = [str(java), str(java.stat().st_mtime_ns), options, *map(str, jars), str(Path(_pyspark()).resolve())]
    name = sha256("\n".join(told).encode()).hexdigest()[:12]
    picture, none = (cache / "java" / f"{name}.{kind}" for kind in ("jsa", "none"))
    if _is_whole(picture):
        os.utime(picture)
        return f"{options} {QUIET} -XX:SharedArchiveFile={picture}"
    if none.exists():
        return options
    taking = f"{options} {QUIET} {_base(java, home, cache)}"
    if _answers(java, f"{taking} {TAKES_PICTURE}"):
        _forget(cache / "java")
        return f"{taking} {TAKES_PICTURE}={picture}"
    none.touch()
    return options


def _is_whole(picture: Path) -> bool:
    """Java writes the beginning last."""
    if not picture.exists():
        return False
    with picture.open("rb") as file:
        return any(file.read(4))


def _pyspark() -> str:
    import pyspark

    return pyspark.__file__


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
    for old in pictures[KEPT:]:
        old.unlink(missing_ok=True)
