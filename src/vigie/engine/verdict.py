"""What becomes of each row on its way into a silver table: broken, late, a repeat, or accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import Column, Observation, Window
from pyspark.sql import functions as F

from vigie.engine.tables import spark_schema
from vigie.errors import BadDeclaration, RunFailed
from vigie.graph import Silver, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ENGINE = ("_origin", "_broken", "received_at")
HAS_TIME = "has an event time"
HAS_KEY = "has a key"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows of a batch went in, and what became of them."""

    read: int
    accepted: int
    broken: int
    late: int
    repeats: int
    newest: datetime | None


def shaped(table: Silver, source: Source, rows: DataFrame) -> DataFrame:
    """What the table's function makes of parsed rows: its columns in `schema`, then `_origin`, `_rules`.

    BadDeclaration names the table when the function owes a column, or gives one of another type.
    """
    place = f"silver table '{table.name}' ({table.place})"
    key = F.lit(True) if source.key is None else F.col(f"`{source.key}`").isNotNull()
    made: DataFrame = table.function(rows.withColumn("_has_key", key))
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
    return made.select(*cast, "_origin", _rules(table).alias("_rules"))


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


def judged(table: Silver, rows: DataFrame, late_before: datetime | None, recent: Callable[[], DataFrame]) -> DataFrame:
    """Each row with its `_verdict`; `recent` gives the unique columns of what was accepted before."""
    on_time = F.lit(True)
    if table.event_time is not None and late_before is not None:
        on_time = F.col(table.event_time) >= F.lit(late_before)
    verdict = F.when(F.size("_rules") > 0, "broken").when(on_time, "accepted").otherwise("late")
    rows = rows.withColumn("_verdict", verdict)
    if not table.unique:
        return rows
    if late_before is not None:
        known = recent().select(*table.unique).withColumn("_verdict", F.lit("accepted"))
        rows = rows.withColumn("_new", F.lit(True)).unionByName(known, allowMissingColumns=True)
    else:
        rows = rows.withColumn("_new", F.lit(True))
    # What was accepted before has no origin here, and nulls come first: it is the first of its key.
    seen_before = Window.partitionBy(*table.unique, "_verdict").orderBy(F.col("_origin").asc_nulls_first())
    ranked = rows.withColumn("_rank", F.row_number().over(seen_before)).where("_new")
    repeat = (F.col("_verdict") == "accepted") & (F.col("_rank") > 1)
    return ranked.withColumn("_verdict", F.when(repeat, "repeat").otherwise(F.col("_verdict"))).drop("_new", "_rank")


def observed(rows: DataFrame) -> tuple[DataFrame, Observation]:
    """The parsed rows, and how many and which of them pass."""
    observation = Observation()
    return rows.observe(observation, F.count(F.lit(1)).alias("rows"), _fingerprint().alias("prints")), observation


def observed_rows(rows: DataFrame) -> tuple[DataFrame, Observation]:
    """The rows, and how many pass."""
    observation = Observation()
    return rows.observe(observation, F.count(F.lit(1)).alias("rows")), observation


def counted(table: Silver, rows: DataFrame, entered: Observation) -> Counts:
    """What became of the rows, in one pass; RunFailed when the function dropped or multiplied some."""
    of = {verdict: F.count(F.when(F.col("_verdict") == verdict, 1)) for verdict in VERDICTS}
    newest = F.lit(None).cast("timestamp")
    if table.event_time is not None:
        newest = F.max(F.when(F.col("_verdict") == "accepted", F.col(table.event_time)))
    [row] = rows.agg(
        *(count.alias(verdict) for verdict, count in of.items()),
        F.count(F.lit(1)).alias("rows"),
        _fingerprint().alias("prints"),
        F.unix_micros(newest).alias("newest"),
    ).collect()
    before = entered.get
    if (row.rows, row.prints) != (before["rows"], before["prints"]):
        raise RunFailed(
            f"the function of silver table '{table.name}' was given {before['rows']:,} rows and gave back "
            f"{row.rows:,}" + (", not the same ones" if row.rows == before["rows"] else ""),
            where=str(table.place),
            do="A silver function gives one row for each row: leave bad rows to `expect`, and counting to gold.",
        )
    return Counts(before["rows"], row.accepted, row.broken, row.late, row.repeat, instant(row.newest))


VERDICTS = ("accepted", "broken", "late", "repeat")


def _fingerprint() -> Column:
    return F.bit_xor(F.xxhash64("_origin"))


def instant(micros: int | None) -> datetime | None:
    """The instant that Spark calls so many microseconds after 1970; none for none."""
    return None if micros is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
