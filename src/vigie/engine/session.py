"""The Spark session, set for a small machine: few partitions, little noise, the pinned jars."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from vigie.engines.spark.class_archive import TAKES_PICTURE, archived
from vigie.engines.spark.jars import jars
from vigie.engines.spark.java import java_home, spark_home
from vigie.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

# Measured on two cores: see docs/decisions/0008-spark-settings.md.
SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.session.timeZone": "UTC",
    # One bad value in one row gives a null, which the rules see; it does not stop the pipeline.
    "spark.sql.ansi.enabled": "false",
    # Spark's own default is a form of instant that other readers cannot hold.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.numRecentProgressUpdates": "50",
    "spark.sql.streaming.fileSource.log.compactInterval": "50",
    "spark.scheduler.mode": "FAIR",
    "spark.python.daemon.module": "vigie.engines.spark.python_daemon",
    # What is taken out of Spark at once must fit its memory; rows that are longer are written by Spark itself.
    "spark.driver.maxResultSize": "400m",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


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
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    cores = settings.cores or os.cpu_count() or 2
    resources = Path(str(files("vigie.engine")))
    quiet = Path(str(files("vigie.engines.spark"))) / "log4j2.properties"
    options = f"-Dlog4j2.configurationFile={quiet} -XX:+UseParallelGC -XX:MetaspaceSize=256m"
    options = archived(java / "bin" / "java", options, needed, settings.cache)
    if TAKES_PICTURE in options:
        log.info("This run ends up to a minute later than others: Java keeps what it loaded, and then starts faster.")
    builder = SparkSession.builder.master(f"local[{cores}]").appName(f"vigie {name}")
    own = {
        "spark.sql.shuffle.partitions": str(cores),
        "spark.default.parallelism": str(cores),
        "spark.driver.memory": settings.driver_memory or "1200m",
        "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in needed),
        "spark.driver.extraJavaOptions": f"{options} {BRIEF}" if brief else options,
        "spark.scheduler.allocation.file": (resources / "pools.xml").as_uri(),
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "vigie-warehouse"),
    }
    for key, value in (SETTINGS | own).items():
        builder = builder.config(key, value)
    for chatter in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(chatter).setLevel(logging.CRITICAL + 1)  # it writes a page for what we say in a line
    with _own_interrupts():
        return builder.getOrCreate()


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Spark answers Ctrl-C by cancelling what runs; whoever started it finishes what has begun, and then stops."""
    ours = signal.getsignal(signal.SIGINT)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, ours)
