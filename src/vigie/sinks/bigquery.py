"""A table of BigQuery, in the project that VIGIE_BIGQUERY_PROJECT names."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vigie.sinks import Columns, Refused, several
from vigie.sinks.bigquery_jobs import MARK, Jobs
from vigie.sinks.bigquery_sql import PLACE, Layout, Span, creation, loaded_as, merging

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructField

    from vigie.contracts import Surroundings


@dataclass(frozen=True, slots=True)
class BigQuery:
    """Each row as a row of a table, one for each value of the columns `id`; the first that comes stays.

    The table is made when it is not there: partitioned by the day of `partition_by`, clustered by `cluster_by`. A
    batch is one load and one MERGE, under names by which BigQuery itself knows a repeat. The columns `id` and
    `partition_by` hold no nulls. BigQuery takes 1,500 loads of a table a day, so `every` is minutes.
    """

    table: str
    id: Columns
    partition_by: str = ""
    cluster_by: Columns = ()
    every: str = "2 minutes"
    module: ClassVar[str] = "google.cloud.bigquery"
    extra: ClassVar[str] = "bigquery"

    @property
    def columns(self) -> tuple[str, ...]:
        cut_by = (self.partition_by,) if self.partition_by else ()
        return (*several(self.id), *cut_by, *several(self.cluster_by))

    def missing(self, around: Surroundings) -> str:
        return "" if around.settings.bigquery_project else "VIGIE_BIGQUERY_PROJECT is not set"

    def opened(self, around: Surroundings) -> BigQueryTable:
        settings = around.settings
        assert settings.bigquery_project is not None
        jobs = Jobs(settings.bigquery_project, settings.bigquery_dataset, settings.bigquery_endpoint)
        return BigQueryTable(self, jobs)

    def layout(self, columns: dict[str, str]) -> Layout:
        """The table for rows with these columns, each with its type in Spark's words."""
        layout = Layout(columns, several(self.id), self.partition_by, several(self.cluster_by))
        if strange := [name for name in self.columns if name not in columns]:
            raise Refused(
                f"BigQuery('{self.table}') names '{strange[0]}', which is no column of the table",
                where=self.table,
                do=f"Name one of: {', '.join(columns)}.",
            )
        return layout


class BigQueryTable:
    """The table. Under which names a batch is written follows from the query, the batch and its rows' ids alone."""

    def __init__(self, sink: BigQuery, jobs: Jobs) -> None:
        self._sink = sink
        self._jobs = jobs
        self._is_made = False

    def write(self, rows: DataFrame, batch: int) -> None:
        layout = self._sink.layout({field.name: field.dataType.simpleString() for field in rows.schema})
        count, mark, span = _extent(rows, layout)
        if not count:
            return
        # A lake that is made anew counts its batches from 0 again, under another query. One that is put back from a
        # copy counts on under the same, and its batches may be cut differently: so the rows' ids are in the name too.
        query = rows.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId") or "batch"
        beside = f"{self._sink.table}{MARK}{query.replace('-', '')}_{batch:08}_{mark}"
        with self._jobs.speaking():
            if not self._is_made:
                self._jobs.run(creation(self._jobs.name(self._sink.table), layout))
                self._is_made = True
            attempt = self._jobs.attempt(beside)
            if attempt.load is None:
                with tempfile.TemporaryDirectory(prefix="vigie-bigquery-") as folder:
                    file = _file(rows, layout, Path(folder))
                    kinds = {name: loaded_as(kind) for name, kind in layout.columns.items()}
                    attempt = self._jobs.load(attempt, file, {**kinds, PLACE: "INT64"})
            self._jobs.wait(attempt.load)
            if attempt.merge is None:
                table, loaded = self._jobs.name(self._sink.table), self._jobs.name(beside)
                attempt = self._jobs.merge(attempt, merging(table, loaded, layout, span))
            self._jobs.wait(attempt.merge)
            self._jobs.drop(beside)


def _extent(rows: DataFrame, layout: Layout) -> tuple[int, str, Span | None]:
    """How many rows a batch has, a mark that their ids make, and the days that they are on."""
    from pyspark.sql import functions as F

    day = F.to_date(f"`{layout.partition_by}`") if layout.partition_by else F.lit(None)
    hashed = F.sum(F.xxhash64(*(F.col(f"`{name}`") for name in layout.id)))
    asked = {"rows": F.count(F.lit(1)), "hash": hashed, "first": F.min(day), "last": F.max(day)}
    found = rows.agg(*(column.alias(name) for name, column in asked.items())).first()
    assert found is not None
    span = Span(found["first"], found["last"]) if found["first"] else None
    return found["rows"], f"{(found['hash'] or 0) % 2**64:016x}", span


def _file(rows: DataFrame, layout: Layout, folder: Path) -> Path:
    """The batch as one file of Parquet, with what BigQuery is to convert as text."""
    from pyspark.sql import functions as F

    columns = [_loadable(field, layout.columns[field.name]) for field in rows.schema]
    whole = rows.coalesce(1).select(*columns, F.monotonically_increasing_id().alias(PLACE))
    whole.write.parquet(str(folder / "rows"))
    [file] = (folder / "rows").glob("part-*.parquet")
    return file


def _loadable(field: StructField, kind: str) -> Column:
    from pyspark.sql import functions as F

    column = F.col(f"`{field.name}`")
    target = loaded_as(kind)
    if target == "INT64":
        column = column.cast("bigint")
    elif target == "FLOAT64":
        column = column.cast("double")
    elif kind.startswith(("array", "map", "struct")):
        column = F.to_json(column, {"ignoreNullFields": "false"})
    elif target == "STRING":
        column = F.make_valid_utf8(column.cast("string"))
    return column.alias(field.name)
