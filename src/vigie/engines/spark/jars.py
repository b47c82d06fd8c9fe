"""The jars that pyspark does not bring: pinned, fetched once by Ivy, kept, and checked at each start."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from hashlib import file_digest, sha256
from pathlib import Path

from vigie.engines.spark.java import java_home
from vigie.engines.spark.truststore import truststore
from vigie.errors import VigieError
from vigie.settings import read_settings

PINS = Path(__file__).parent / "ivy"
IVY = PINS / "ivy-2.5.3.jar"

# Ivy waits for ever by itself: for a connection in milliseconds, for all of it in seconds.
PATIENCE = ("-Dsun.net.client.defaultConnectTimeout=20000", "-Dsun.net.client.defaultReadTimeout=60000")
TIME_LIMIT = 900

NO_ROOM = os.strerror(errno.ENOSPC)  # as Java says it, too


def jars(cache: Path, java: Path) -> list[Path]:
    """Delta, Kafka and Avro for Spark."""
    return kept("spark", "22 MB", cache, java)


def kafka_jars(cache: Path, java: Path) -> list[Path]:
    """A whole Kafka broker."""
    return kept("kafka", "43 MB", cache, java)


def kept(name: str, size: str, cache: Path, java: Path, folder_of_pins: Path | None = None) -> list[Path]:
    """The jars that are pinned under a name, by Vigie unless another folder is named; fetched when one is not there
    yet, or is not what was pinned. Any number of processes may do so at once."""
    place = (folder_of_pins or PINS) / name
    pins = place.with_suffix(".sha256").read_text()
    digests = {jar: digest for digest, jar in (line.split() for line in pins.splitlines())}
    folder = cache / "jars" / f"{name}-{sha256(pins.encode()).hexdigest()[:12]}"
    kept = [folder / jar for jar in digests]
    try:
        if all([_is_sound(folder / jar, digest) for jar, digest in digests.items()]):
            return kept
        print(f"Fetching {len(kept)} jars ({size}), once, to {folder} ...", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as aside:
            for jar in _fetched(place, digests, Path(aside), java):
                # A rename: what another process finds here is always a whole jar.
                os.replace(jar, folder / jar.name)
    except OSError as problem:
        raise _not_kept(folder, str(problem.strerror)) from problem
    return kept


def _is_sound(jar: Path, digest: str) -> bool:
    """Whether a jar is there as it was pinned; one that is not is taken away, before any Java loads it.

    It is read through each time: a changed file may have its old size and time, and 65 MB take a tenth of a second.
    """
    try:
        if _digest(jar) == digest:
            return True
    except FileNotFoundError:
        return False
    jar.unlink()
    print(f"{jar} was changed or cut short since it was fetched: it is deleted.", file=sys.stderr, flush=True)
    return False


def _digest(jar: Path) -> str:
    with jar.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _not_kept(folder: Path, why: str) -> VigieError:
    return VigieError(
        f"the jars cannot be kept: {why}",
        where=str(folder),
        do="Set VIGIE_CACHE to a folder of your own with 200 MB of space.",
    )


def _fetched(place: Path, digests: dict[str, str], aside: Path, java: Path) -> list[Path]:
    answer = _ivy(place, aside, java)
    if answer.returncode and "SSLHandshakeException" in answer.stdout:
        trusted = truststore(aside / "trusted.jks")
        if trusted:
            answer = _ivy(place, aside, java, f"-Djavax.net.ssl.trustStore={trusted}")
    if answer.returncode and NO_ROOM in answer.stdout:
        raise _not_kept(aside.parent, NO_ROOM)
    if answer.returncode:
        raise VigieError(
            f"the jars could not be fetched: {_reason(answer.stdout)}",
            do="Check the network and try again; this is needed only once. Behind a proxy, set\n"
            "JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=HOST -Dhttps.proxyPort=PORT'. On a machine without a\n"
            "network, copy the cache of one that has it, and set VIGIE_CACHE to that folder.",
        )
    for jar, digest in digests.items():
        if _digest(aside / jar) != digest:
            raise VigieError(
                f"{jar} is not the jar that Vigie was tried with: its SHA-256 is another one",
                do="Something between here and the registry changes it: ask whoever runs your proxy.",
            )
    return [aside / jar for jar in digests]


def _ivy(place: Path, aside: Path, java: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(java / "bin" / "java"),
        *PATIENCE,
        *options,
        f"-Duser.home={aside}",
        "-jar",
        str(IVY),
    ]
    command += ["-settings", str(PINS / "settings.xml"), "-cache", str(aside / "ivy")]
    command += ["-ivy", str(place.with_suffix(".xml")), "-retrieve", f"{aside}/[artifact]-[revision].[ext]"]
    try:
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise VigieError(
            f"the jars did not arrive within {TIME_LIMIT // 60} minutes",
            do="Check the network and try again.",
        ) from problem


def _reason(output: str) -> str:
    """Ivy says a page; the line that a person can act on is the one with the first error in it."""
    lines = [line.strip() for line in output.splitlines()]
    marks = ("Server access error", "Exception", "not found", "ERROR")
    return next((line for mark in marks for line in lines if mark in line), "Ivy gave no reason")


if __name__ == "__main__":
    try:
        cache = read_settings().cache
        for fetch in (jars, kafka_jars):
            fetch(cache, java_home(cache))
    except VigieError as problem:
        sys.exit(str(problem))
