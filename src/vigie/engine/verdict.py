"""What becomes of each row on its way into a silver table: broken, late, a repeat, or accepted.

Spark tells of each row where it came from, what it broke, its time and its key. The verdicts are DuckDB's: it
ranks the keys of a batch in less time than Spark takes to plan it, and compiles nothing anew for each batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from tempfile import gettempdir

import duckdb
import numpy as np
import pyarrow as pa

from vigie.instants import instant, micros


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where one column of a key goes in a batch."""

    column: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How many rows of a batch went in, and what became of them. `broken` holds their places and rules; `late`
    and `repeats` the places of the others that do not go in; `left_out` the numbers of all of these, from 0 on in the
    order in which they were told. `newest` is the newest time of what was accepted, and `newest_row` a row that has
    it."""

    read: int
    accepted: int
    broken: pa.Table
    late: pa.Table
    repeats: pa.Table
    left_out: pa.Array
    newest: datetime | None
    newest_row: int | None


def judged(
    told: pa.Table, late_before: datetime | None, known: Callable[[list[Span]], pa.RecordBatchReader]
) -> Verdicts:
    """The verdict on every row. `known` gives the keys of what was accepted before, at least those within the
    spans; it is asked only when there can be any."""
    keys = [name for name in told.column_names if name.startswith("u")]
    places = ", ".join(name for name in told.column_names if name.startswith("o"))
    limit = "NULL" if late_before is None else str(micros(late_before))
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": gettempdir()}) as database:
        database.register("told", told.append_column("row", pa.array(np.arange(told.num_rows))))
        database.execute(
            f"""CREATE TABLE judged AS SELECT *, CASE WHEN len(rules) > 0 THEN 'broken'
            WHEN micros < {limit} THEN 'late' ELSE 'accepted' END AS verdict FROM told"""
        )
        if keys:
            same = " AND ".join(f"known.{key} IS NOT DISTINCT FROM good.{key}" for key in keys)
            columns = ", ".join(keys)
            database.execute("CREATE TABLE good AS SELECT * FROM judged WHERE verdict = 'accepted'")
            seen = "SELECT false AS seen, good.* FROM good"
            if late_before is not None:
                database.register("known", known(_spans(database, told.schema, keys)))
                seen = f"SELECT EXISTS (SELECT 1 FROM known WHERE {same}) AS seen, good.* FROM good"
            database.execute(
                f"""CREATE TABLE repeats AS SELECT {places} FROM ({seen})
                QUALIFY seen OR row_number() OVER (PARTITION BY {columns} ORDER BY {places}) > 1"""
            )
            database.execute(
                f"UPDATE judged SET verdict = 'repeat' WHERE ({places}) IN (SELECT ({places}) FROM repeats)"
            )
        return _found(database, told.num_rows, places)


def _spans(database: duckdb.DuckDBPyConnection, schema: pa.Schema, keys: list[str]) -> list[Span]:
    """Of whole numbers alone: they are what files can be told apart by."""
    spans = []
    for at, key in enumerate(keys):
        if not pa.types.is_integer(schema.field(key).type):
            continue
        [(low, high, nulls)] = database.execute(
            f"SELECT min({key}), max({key}), count(*) FILTER ({key} IS NULL) FROM good"
        ).fetchall()
        if low is not None and not nulls:
            spans.append(Span(at, low, high))
    return spans


def _found(database: duckdb.DuckDBPyConnection, read: int, places: str) -> Verdicts:
    [(count,)] = database.execute("SELECT count(*) FROM judged WHERE verdict = 'accepted'").fetchall()
    last = database.execute(
        f"""SELECT micros, row FROM judged WHERE verdict = 'accepted' AND micros IS NOT NULL
        ORDER BY micros DESC, {places} LIMIT 1"""
    ).fetchall()
    newest, row = last[0] if last else (None, None)

    def those(verdict: str, columns: str = places) -> pa.Table:
        return database.sql(f"SELECT {columns} FROM judged WHERE verdict = '{verdict}'").to_arrow_table()

    broken, late, repeats = those("broken", f"{places}, rules"), those("late"), those("repeat")
    left_out = database.sql("SELECT row FROM judged WHERE verdict <> 'accepted'").to_arrow_table()["row"]
    return Verdicts(read, count, broken, late, repeats, left_out, instant(newest), row)
