"""What Spark, Kafka and the disk say when they fail, in words that a person can act on."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from vigie.errors import BadSetting, RunFailed, VigieError
from vigie.lake import Lake

SIGNS: tuple[tuple[str, type[VigieError], str, str], ...] = (
    (
        "No space left on device",
        BadSetting,
        "the disk is full",
        "Free some space and start again: nothing is lost.",
    ),
    (
        "Permission denied",
        BadSetting,
        "something may not be written",
        "Grant the permission and start again.",
    ),
    (
        "OffsetOutOfRange|data loss|Partition .* offset was changed|failOnDataLoss",
        RunFailed,
        "Kafka no longer has messages that were not read yet",
        "They were deleted before they were read (retention?) or the topic was made anew. To go on with what is "
        "there, use another lake with --lake.",
    ),
    (
        "UnknownTopicOrPartition",
        RunFailed,
        "the Kafka topic is gone",
        "Create it again, or start with another lake: its offsets would not fit a new topic.",
    ),
    (
        "TimeoutException|Connection to node|Failed to construct kafka consumer",
        RunFailed,
        "the Kafka broker went away",
        "Start the broker, then start again: the run goes on where it stopped.",
    ),
    ("OutOfMemoryError", RunFailed, "Spark ran out of memory", "Give it more with VIGIE_DRIVER_MEMORY=3g."),
)


@contextmanager
def explained(lake: Lake) -> Iterator[None]:
    """Whatever Spark or the disk raises in here, as an error of ours."""
    try:
        yield
    except VigieError:
        raise
    except OSError as problem:
        raise _of_the_disk(problem, lake) from problem
    except (PySparkException, Py4JError) as problem:
        raise died("the run", str(problem)) from problem


def _of_the_disk(problem: OSError, lake: Lake) -> VigieError:
    where = str(problem.filename or lake)
    if problem.errno == errno.ENOSPC:
        return BadSetting("the disk is full", where=where, do="Free some space and start again: nothing is lost.")
    if problem.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return BadSetting(
            f"the lake cannot be written: {problem.strerror}",
            where=where,
            do="Name another folder with --lake.",
        )
    return RunFailed(f"{problem.strerror or problem}", where=where)


def died(query: str, said: str) -> VigieError:
    """The error of a query that died, from the text of its exception."""
    for sign, kind, what, do in SIGNS:
        if re.search(sign, said):
            return kind(what, where=query, do=do)
    return RunFailed(
        f"{query} died: {_reason(said)}",
        do="Mend what it says and start again: the run goes on where it stopped. `--debug` shows all of it.",
    )


def _reason(said: str) -> str:
    """The line that says most: the last exception of a trace, else the first line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    python = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Failed|Broken)\b.*: ", line)]
    return (python or lines or ["it does not say why"])[-1 if python else 0][:500]
