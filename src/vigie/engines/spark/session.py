"""Spark in this process, set for a small machine: for notebooks, for training, and for programs of a person's own."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException

from vigie.engines import connected
from vigie.engines.spark import server
from vigie.engines.spark.class_archive import TAKES_PICTURE, archived
from vigie.engines.spark.jars import jars
from vigie.engines.spark.java import java_home, spark_home
from vigie.errors import BadSetting
from vigie.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

OURS = server.SETTINGS | server.HERE | server.INSTANTS | connected.SETTINGS

# Java compiles each method once and quickly, and not again and better: half the CPU in the first minutes.
BRIEF = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"


def start(settings: Settings, name: str, *, brief: bool = False) -> SparkSession:
    """A local session with Delta and Kafka, on a Java that is found or brought along; `brief` for few rows and minutes,
    not for many and days."""
    from pyspark.sql import SparkSession

    java = java_home(settings.cache)
    needed = jars(settings.cache, java)
    os.environ["JAVA_HOME"] = str(spark_home(java / "bin" / "java", settings.cache))
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", server.LOOPBACK)
    cores = settings.cores or os.cpu_count() or 2
    options = archived(java / "bin" / "java", server.JAVA_OPTIONS, needed, settings.cache)
    if TAKES_PICTURE in options:
        log.info("This run ends up to a minute later than others: Java keeps what it loaded, and then starts faster.")
    builder = SparkSession.builder.master(f"local[{cores}]").appName(f"vigie {name}")
    own = {
        "spark.sql.shuffle.partitions": str(cores),
        "spark.default.parallelism": str(cores),
        "spark.driver.memory": settings.driver_memory or server.MEMORY,
        "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in needed),
        "spark.driver.extraJavaOptions": f"{options} {BRIEF}" if brief else options,
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "vigie-warehouse"),
    }
    for key, value in (OURS | own).items():
        builder = builder.config(key, value)
    for chatter in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(chatter).setLevel(logging.CRITICAL + 1)  # it writes a page for what we say in a line
    with _own_interrupts():
        try:
            return builder.getOrCreate()
        except PySparkException as problem:
            if problem.getCondition() != "JAVA_GATEWAY_EXITED":
                raise
            raise BadSetting(
                "Java did not start",
                do="What it says stands above. If it cannot have the memory, ask for less with VIGIE_DRIVER_MEMORY=1g.",
            ) from problem


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Spark answers Ctrl-C by cancelling what runs; whoever started it finishes what has begun, and then stops."""
    ours = signal.getsignal(signal.SIGINT)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, ours)
