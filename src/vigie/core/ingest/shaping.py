"""Parsed rows as the rows of a silver table, with the rules that each of them breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from vigie.arrow_types import arrow_schema
from vigie.core import user_function
from vigie.core.ingest.kinds import stands_for
from vigie.errors import BadDeclaration, RunFailed
from vigie.graph import HAS_KEY, HAS_TIME, Silver, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Anything but blanks of every kind, controls, and what has no width.
VISIBLE = r"[^\p{Z}\p{Cc}\p{Cf}]"
ENGINE = ("_origin", "_broken", "received_at")
SEEN = "seen_until"  # beside each row of silver: how far its partition had come before it
COMPUTED = "cannot be computed"


def shaped(table: Silver, source: Source, rows: DataFrame) -> DataFrame:
    """What the table's function makes of parsed rows: its columns in `schema`, then `_origin`, `_rules`.

    BadDeclaration names the table when the function owes a column, or gives one of another type.
    """
    made = _made(table, source, rows)
    place = f"silver table '{table.name}' ({table.place})"
    _hold_to_schema(table, made, place)
    selected = _selected(table, made)
    try:
        _ = selected.schema  # a client looks at nothing before it is asked
    except AnalysisException:
        _refuse_rules(table, made, place)
        raise
    return selected


def shaped_again(table: Silver, source: Source, rows: DataFrame) -> DataFrame:
    """The same by a function that was held to its schema before: no engine has to be asked what it gives."""
    return _selected(table, _made(table, source, rows))


def _made(table: Silver, source: Source, rows: DataFrame) -> DataFrame:
    key = F.lit(True) if source.key is None else F.col(f"`{source.key}`").cast("string").rlike(VISIBLE)
    return user_function.made(table, rows.withColumn("_has_key", key))


def _hold_to_schema(table: Silver, made: DataFrame, place: str) -> None:
    schema = from_arrow_schema(arrow_schema(table.schema))  # Spark would ask a session to read it
    there = {field.name: field.dataType for field in made.schema}  # which a client asks for each time
    lost = [name for name in (*ENGINE, "_has_key") if name not in there]
    if lost:
        raise BadDeclaration(
            f"the function of {place} lost the columns that say where a row came from",
            do='Build on the rows it is given: withColumns, or select("*", ...).',
        )
    owed = [name for name in schema.names if name not in there]
    if owed:
        raise BadDeclaration(
            f"the function of {place} owes {', '.join(owed)}",
            do="Return them, or take them out of its schema.",
        )
    for field in schema:
        if not stands_for(there[field.name], field.dataType):
            raise BadDeclaration(
                f"the function of {place} gives a column of another type than its schema says: {field.name} is "
                f"{there[field.name].simpleString()}, and not {field.dataType.simpleString()}",
                do="Cast it, or mend the schema.",
            )


def _selected(table: Silver, made: DataFrame) -> DataFrame:
    schema = from_arrow_schema(arrow_schema(table.schema))
    cast = [F.col(field.name).cast(field.dataType).alias(field.name) for field in schema]
    return made.select(*cast, "_origin", _rules(table).alias("_rules"))


def _refuse_rules(table: Silver, made: DataFrame, place: str) -> None:
    """BadDeclaration for the first rule that Spark does not take for a condition."""
    for name, condition in table.expect.items():
        try:
            _ = made.select(F.expr(condition)).schema
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


def broken_by(unread: str | None, why: str) -> list[str]:
    """What a row breaks that the function raises on; one that could not be parsed breaks that rule already."""
    return [unread] if unread is not None else [COMPUTED, why]


def not_the_same(table: Silver, given: int, back: int) -> RunFailed:
    """What to raise when a function gave back other rows than it was given."""
    return RunFailed(
        f"the function of silver table '{table.name}' was given {given:,} rows and gave back {back:,}"
        + (", not the same ones" if given == back else ""),
        where=str(table.place),
        do="A silver function gives one row for each row: leave bad rows to `expect`, and counting to gold.",
    )
