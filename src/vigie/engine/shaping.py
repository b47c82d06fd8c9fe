"""Parsed rows as the rows of a silver table, with the rules that each of them breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import Column, Observation
from pyspark.sql import functions as F

from vigie.engine import failures
from vigie.engine.tables import spark_schema
from vigie.errors import BadDeclaration, RunFailed
from vigie.graph import HAS_KEY, HAS_TIME, Silver, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Anything but blanks of every kind, controls, and what has no width.
VISIBLE = r"[^\p{Z}\p{Cc}\p{Cf}]"
ENGINE = ("_origin", "_broken", "received_at")


def shaped(table: Silver, source: Source, rows: DataFrame) -> DataFrame:
    """What the table's function makes of parsed rows: its columns in `schema`, then `_origin`, `_rules`.

    BadDeclaration names the table when the function owes a column, or gives one of another type.
    """
    place = f"silver table '{table.name}' ({table.place})"
    key = F.lit(True) if source.key is None else F.col(f"`{source.key}`").cast("string").rlike(VISIBLE)
    made = failures.made(table, rows.withColumn("_has_key", key))
    schema = spark_schema(table.schema)
    lost = [name for name in (*ENGINE, "_has_key") if name not in made.columns]
    if lost:
        raise BadDeclaration(
            f"the function of {place} lost the columns that say where a row came from",
            do='Build on the rows it is given: withColumns, or select("*", ...).',
        )
    owed = [name for name in schema.names if name not in made.columns]
    if owed:
        raise BadDeclaration(
            f"the function of {place} owes {', '.join(owed)}",
            do="Return them, or take them out of its schema.",
        )
    try:
        typed = made.select(*schema.names).to(schema)
    except AnalysisException as problem:
        raise BadDeclaration(
            f"the function of {place} gives a column of another type than its schema says",
            do=str(problem).splitlines()[0],
        ) from problem
    cast = [F.col(name).cast(typed.schema[name].dataType).alias(name) for name in schema.names]
    try:
        return made.select(*cast, "_origin", _rules(table).alias("_rules"))
    except AnalysisException:
        _refuse_rules(table, made, place)
        raise


def _refuse_rules(table: Silver, made: DataFrame, place: str) -> None:
    """BadDeclaration for the first rule that Spark does not take for a condition."""
    for name, condition in table.expect.items():
        try:
            made.where(F.expr(condition))
        except AnalysisException as problem:
            raise BadDeclaration(
                f"the rule '{name}' of {place} is no condition that Spark can ask: {str(problem).splitlines()[0]}",
                do=f"Mend: {condition}",
            ) from problem


def _rules(table: Silver) -> Column:
    """The names of all rules that a row breaks; a row that could not be parsed was never asked the others."""
    rules = {HAS_KEY: F.col("_has_key")}
    if table.event_time is not None:
        # Other years have no name in most of what reads a lake.
        rules[HAS_TIME] = F.col(table.event_time).between("0001-01-01 00:00:00Z", "9999-12-31 00:00:00Z")
    rules |= {name: F.expr(condition) for name, condition in table.expect.items()}
    broken = F.array(*(F.when(holds, F.lit(None)).otherwise(F.lit(name)) for name, holds in rules.items()))
    unparsed = F.array("_broken")
    return F.when(F.col("_broken").isNotNull(), unparsed).otherwise(F.array_compact(broken))


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
