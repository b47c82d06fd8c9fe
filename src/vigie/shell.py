"""A Spark session over the tables of a lake, for a shell or a notebook."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LAYERS = ("bronze", "silver", "gold")


def spark_over(lake: str | Path | None = None) -> SparkSession:
    """A Spark session, set as Vigie's runs set theirs, in which each table of the lake is a view.

    The lake is `./lake`, or the one that VIGIE_LAKE names, unless given. A view has the last name of its table, so
    `spark.table("flights_ml")` is `silver/flights_ml`; of two tables with one last name each has its whole name, with
    `_` for `/`. A view shows its table as it is when it is asked. A second call gives back the same session and names
    the tables that have come since.
    """
    from vigie.extras import need_spark

    need_spark()
    from vigie.engines.spark import session
    from vigie.lake import Lake
    from vigie.settings import read_settings

    settings = read_settings()
    place = Lake.at(settings.lake if lake is None else lake)
    started = session.start(settings, "shell")
    tables = [table for table in place.tables() if table.layer in LAYERS]
    namesakes = Counter(table.last_name for table in tables)
    for table in tables:
        name = table.last_name if namesakes[table.last_name] == 1 else str(table).replace("/", "_")
        started.read.format("delta").load(str(table.path)).createOrReplaceTempView(f"`{name}`")
    return started
