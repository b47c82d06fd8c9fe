"""Tables of BigQuery in its SQL: how one is made, and how rows that were loaded beside it come into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

TYPES = {
    "boolean": "BOOL",
    "tinyint": "INT64",
    "smallint": "INT64",
    "int": "INT64",
    "bigint": "INT64",
    "float": "FLOAT64",
    "double": "FLOAT64",
    "string": "STRING",
    "binary": "BYTES",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamp_ntz": "DATETIME",
}
LOADED_AS_THEY_ARE = frozenset({"BOOL", "INT64", "FLOAT64", "STRING", "BYTES", "DATE", "TIMESTAMP"})
NESTED = ("array", "map", "struct")
PLACE = "vigie_place"  # where a row stood in its batch


@dataclass(frozen=True, slots=True)
class Layout:
    """A table: its columns with their types in Spark's words (`bigint`), what makes a row itself, and how it lies."""

    columns: Mapping[str, str]
    id: tuple[str, ...]
    partition_by: str = ""
    cluster_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last day on which a batch's rows are."""

    first: date
    last: date


def creation(table: str, layout: Layout) -> str:
    """The table, made when it is not there. BigQuery has no unique keys: `id` is what `merging` goes by."""
    needed = {*layout.id, layout.partition_by}
    columns = ",\n".join(
        f"  `{name}` {type_of(kind)}{' NOT NULL' if name in needed else ''}" for name, kind in layout.columns.items()
    )
    partition = f"\nPARTITION BY {_day(layout)}" if layout.partition_by else ""
    cluster = f"\nCLUSTER BY {_listed(layout.cluster_by)}" if layout.cluster_by else ""
    return f"CREATE TABLE IF NOT EXISTS `{table}` (\n{columns}\n){partition}{cluster}"


def merging(table: str, loaded: str, layout: Layout, span: Span | None) -> str:
    """The rows of `loaded` whose `id` the table does not hold; of several with one id, the first of the batch.

    `span` keeps BigQuery from reading, and billing, days that no row of the batch is on.
    """
    values = ", ".join(_value(name, kind) for name, kind in layout.columns.items())
    same = " AND ".join([*(f"held.`{name}` = came.`{name}`" for name in layout.id), *_days(layout, span)])
    return (
        f"MERGE `{table}` AS held\n"
        f"USING (\n  SELECT {values}\n  FROM `{loaded}`\n  WHERE TRUE\n"
        f"  QUALIFY ROW_NUMBER() OVER (PARTITION BY {_listed(layout.id)} ORDER BY `{PLACE}`) = 1\n) AS came\n"
        f"ON {same}\n"
        f"WHEN NOT MATCHED THEN INSERT ({_listed(layout.columns)}) VALUES ({_listed(layout.columns)})"
    )


def type_of(kind: str) -> str:
    """The type of BigQuery that holds what Spark calls `kind`."""
    if kind.startswith("decimal"):
        precision, scale = map(int, re.findall(r"\d+", kind))
        wide = scale > 9 or precision - scale > 29
        return f"{'BIGNUMERIC' if wide else 'NUMERIC'}({precision}, {scale})"
    return "JSON" if kind.startswith(NESTED) else TYPES.get(kind, "STRING")


def loaded_as(kind: str) -> str:
    """The type in the table beside: what Parquet and BigQuery may understand differently travels as text."""
    target = type_of(kind)
    return target if target in LOADED_AS_THEY_ARE else "STRING"


def _value(name: str, kind: str) -> str:
    target = type_of(kind)
    if target in LOADED_AS_THEY_ARE:
        return f"`{name}`"
    if target == "JSON":
        return f"PARSE_JSON(`{name}`, wide_number_mode => 'round') AS `{name}`"
    return f"CAST(`{name}` AS {target}) AS `{name}`"


def _day(layout: Layout) -> str:
    column = f"`{layout.partition_by}`"
    return column if layout.columns[layout.partition_by] == "date" else f"DATE({column})"


def _days(layout: Layout, span: Span | None) -> Iterable[str]:
    if span is None:
        return
    kind = type_of(layout.columns[layout.partition_by])
    ends = {"DATE": ("", ""), "DATETIME": (" 00:00:00", " 23:59:59.999999")}
    first, last = ends.get(kind, (" 00:00:00+00", " 23:59:59.999999+00"))
    column = f"held.`{layout.partition_by}`"
    yield f"{column} BETWEEN {kind} '{span.first}{first}' AND {kind} '{span.last}{last}'"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
