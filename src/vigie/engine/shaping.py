"""What is counted and told of the rows of a silver table as Spark makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column, Observation
from pyspark.sql import functions as F

from vigie.engine.tables import spark_schema
from vigie.errors import RunFailed
from vigie.graph import Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def observed(rows: DataFrame) -> tuple[DataFrame, Observation]:
    """The rows, and how many and which of them pass."""
    return counted(rows, F.bit_xor(F.xxhash64("_origin")).alias("prints"))


def counted(rows: DataFrame, *beside: Column) -> tuple[DataFrame, Observation]:
    """The rows, and how many pass, with what else is to be known of them all."""
    observation = Observation()
    return rows.observe(observation, F.count(F.lit(1)).alias("rows"), *beside), observation


def told(
    table: Silver, rows: DataFrame, origin: tuple[str, ...], *beside: Column, whole: bool = False
) -> tuple[DataFrame, Observation]:
    """What the verdict on each row rests on: its origin (`o0`, `o1` ...), the `rules` it broke, its time `micros` (in
    microseconds after 1970) and its key (`u0`, `u1` ...); the `whole` row beside it when asked (`c0`, `c1` ...), and
    what else is asked for.
    """
    time = F.lit(None).cast("bigint") if table.event_time is None else F.unix_micros(table.event_time)
    places = [F.col(f"_origin.`{name}`").alias(f"o{at}") for at, name in enumerate(origin)]
    keys = [F.col(f"`{name}`").alias(f"u{at}") for at, name in enumerate(table.unique)]
    columns = [
        F.col(f"`{name}`").alias(f"c{at}") for at, name in enumerate(spark_schema(table.schema).names if whole else ())
    ]
    rows, left = observed(rows)
    return rows.select(*places, F.col("_rules").alias("rules"), time.alias("micros"), *keys, *columns, *beside), left


def none_lost(table: Silver, entered: Observation, left: Observation) -> None:
    """RunFailed when the function dropped or multiplied some of the rows that `entered`; once they have passed."""
    before, after = entered.get, left.get
    if before != after:
        raise RunFailed(
            f"the function of silver table '{table.name}' was given {before['rows']:,} rows and gave back "
            f"{after['rows']:,}" + (", not the same ones" if after["rows"] == before["rows"] else ""),
            where=str(table.place),
            do="A silver function gives one row for each row: leave bad rows to `expect`, and counting to gold.",
        )


def without(rows: DataFrame, places: DataFrame, origin: tuple[str, ...]) -> DataFrame:
    """The rows, but for those that stand at these places."""
    here = [F.col(f"_origin.`{name}`") == F.col(f"o{at}") for at, name in enumerate(origin)]
    return rows.join(F.broadcast(places), here, "left_anti")
