"""A Spark in an environment of its own, in the cache: its client, where that alone is installed, has its place."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from vigie.errors import BadSetting, VigieError
from vigie.extras import installed_spark

PINS = Path(__file__).parent / "pins"
BUILD, SPARK = PINS / "build.txt", PINS / "spark.txt"
HOME = Path(f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/pyspark")


def made(cache: Path, say: Callable[[str], None]) -> Path:
    """The home of the pinned Spark, which is fetched unless it is there. It is there whole, or not at all."""
    if (there := home(cache)) is not None:
        return there
    place = _place(cache)
    say(f"Fetching Spark (435 MB), once, to {place}: a few minutes ...")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetching-") as folder:
            aside = Path(folder) / place.name
            _run([sys.executable, "-m", "venv", str(aside)])
            pip = [str(aside / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            pinned = [*pip, "--no-deps", "--require-hashes", "--requirement"]
            _run([*pinned, str(BUILD)])
            _run([*pinned, str(SPARK), "--no-build-isolation", "--no-compile"])
            if not place.exists():  # another may have been quicker
                os.replace(aside, place)
    except OSError as problem:
        raise VigieError(
            f"Spark cannot be kept: {problem.strerror}",
            where=str(place),
            do="Set VIGIE_CACHE to a folder of your own with 1.5 GB of space.",
        ) from problem
    return place / HOME


def home(cache: Path) -> Path | None:
    """Where it is, if it is."""
    there = _place(cache) / HOME
    return there if (there / "bin" / "spark-submit").exists() else None


def spark_home(cache: Path) -> Path:
    """Of the Spark that SPARK_HOME names, that is installed beside us, or that has an environment of its own."""
    if named := os.environ.get("SPARK_HOME"):
        if not (Path(named) / "bin" / "spark-submit").exists():
            raise BadSetting("there is no Spark there", where=f"SPARK_HOME={named}", do="Name its folder, or unset it.")
        return Path(named)
    if (there := installed_spark() or home(cache)) is not None:
        return there
    raise BadSetting(
        "Spark itself is not installed here, its client alone is",
        do="Fetch it, once: vigie engine spark. Or name the folder of one with SPARK_HOME.",
    )


def _place(cache: Path) -> Path:
    digest = sha256(BUILD.read_bytes() + SPARK.read_bytes()).hexdigest()[:12]
    return cache / "engines" / f"spark-{digest}"


def _run(command: Sequence[str]) -> None:
    answer = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if answer.returncode == 0:
        return
    lines = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    said = next((line for line in lines if line.upper().startswith("ERROR")), (lines or ["it does not say why"])[-1])
    raise BadSetting(
        f"Spark could not be fetched: {said}",
        where="vigie engine spark",
        do="Look at the network, and at the index that pip uses (PIP_INDEX_URL), and try again. Or unpack a Spark "
        "yourself, and name its folder with SPARK_HOME.",
    )
