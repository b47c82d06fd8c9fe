"""What Spark, Kafka and the disk say when they fail, in words that a person can act on."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import gettempdir

import duckdb
from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError
from pyarrow import ArrowException
from pyspark.errors import PySparkException

from vigie.core.user_function import reason
from vigie.disk import full, is_full
from vigie.errors import BadSetting, LakeDamaged, RunFailed, VigieError
from vigie.lake import PUT_BACK, Lake, in_a_line
from vigie.sources.kafka import BrokerAway

AWAY = "the Kafka broker went away"
SIGNS: tuple[tuple[str, type[VigieError], str, str], ...] = (
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
        f"TimeoutException|Connection to node|Failed to c(onstruct kafka consumer|reate new KafkaAdminClient)|{AWAY}",
        BrokerAway,
        AWAY,
        "Start the broker, then start again: the run goes on where it stopped.",
    ),
    (
        "JAVA_GATEWAY_EXITED",
        BadSetting,
        "Java did not start",
        "What it says stands above. If it cannot have the memory, ask for less with VIGIE_DRIVER_MEMORY=1g.",
    ),
    ("OutOfMemoryError", RunFailed, "Spark ran out of memory", "Give it more with VIGIE_DRIVER_MEMORY=3g."),
)

DAMAGED = re.compile(
    r"Incomplete log file|Failed to read log file|MismatchedInputException|DELTA_TRUNCATED_TRANSACTION_LOG"
    r"|FAILED_READ_FILE.*\.parquet"
)
FILE = re.compile(r"file:(/.*?)[.:,]*(?=\s|$)", re.MULTILINE)


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
        raise died("the run", str(problem), lake) from problem
    except (DeltaError, ArrowException, duckdb.Error) as problem:
        if is_full(problem):
            raise full(lake.root, gettempdir()) from problem
        said = f"a table cannot be read or written: {in_a_line(str(problem))}"
        raise LakeDamaged(said, where=str(lake), do=PUT_BACK) from problem


def _of_the_disk(problem: OSError, lake: Lake) -> VigieError:
    where = str(problem.filename or lake)
    if is_full(problem):
        return full(where)
    if problem.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
        return BadSetting(
            f"the lake cannot be written: {problem.strerror}",
            where=where,
            do="Name another folder with --lake.",
        )
    if problem.errno is None:  # a reader of tables raised it, and not the machine
        return LakeDamaged(in_a_line(str(problem)), where=where, do=PUT_BACK)
    return RunFailed(
        f"{problem.strerror or problem}",
        where=where,
        do="Mend that and start again: the run goes on where it stopped.",
    )


def died(query: str, said: str, lake: Lake | None = None) -> VigieError:
    """The error of a query that died, from the text of its exception."""
    if is_full(said):
        return full(*([lake.root] if lake else []), gettempdir())
    for sign, kind, what, do in SIGNS:
        if re.search(sign, said):
            return kind(what, where=query, do=do)
    if DAMAGED.search(said):
        named = FILE.search(said)
        where = named[1] if named else query
        return LakeDamaged(f"a file of the lake is gone or damaged: {reason(said)}", where=where, do=PUT_BACK)
    return RunFailed(
        f"{query} died: {reason(said)}",
        do="Mend what it says and start again: the run goes on where it stopped. `--debug` shows all of it.",
    )


def is_of_the_broker(problem: BaseException) -> bool:
    """Whether a step failed because Kafka does not answer."""
    if isinstance(problem, PySparkException | Py4JError):
        problem = died("", str(problem))
    return isinstance(problem, BrokerAway)
