"""A classic Spark session in this process, for the programs by hand and the tests of `spark-submit` jobs: set for a
small machine, like the server that `vigie run --engine spark` starts."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vigie.engines import connected
from vigie.engines.spark import server
from vigie.engines.spark.jars import jars
from vigie.engines.spark.java import java_home, spark_home
from vigie.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OURS = server.SETTINGS | server.HERE | server.INSTANTS | connected.SETTINGS

# Java compiles each method once and quickly, and not again and better: half the CPU in the first minutes.
BRIEF = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"


def start(settings: Settings, name: str) -> SparkSession:
    """With Delta and Kafka, on a Java that is found or brought along."""
    from pyspark.sql import SparkSession

    java = java_home(settings.cache)
    needed = jars(settings.cache, java)
    os.environ["JAVA_HOME"] = str(spark_home(java / "bin" / "java", settings.cache))
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", server.LOOPBACK)
    cores = settings.cores or os.cpu_count() or 2
    builder = SparkSession.builder.master(f"local[{cores}]").appName(f"vigie {name}")
    own = {
        "spark.sql.shuffle.partitions": str(cores),
        "spark.default.parallelism": str(cores),
        "spark.driver.memory": settings.driver_memory or server.MEMORY,
        "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in needed),
        "spark.driver.extraJavaOptions": server.JAVA_OPTIONS,
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "vigie-warehouse"),
    }
    for key, value in (OURS | own).items():
        builder = builder.config(key, value)
    for chatter in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(chatter).setLevel(logging.CRITICAL + 1)  # it writes a page for what we say in a line
    return builder.getOrCreate()
