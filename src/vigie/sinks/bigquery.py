"""A table of BigQuery, in the project that VIGIE_BIGQUERY_PROJECT names."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vigie.arrow_json import MICROS, objects, values
from vigie.arrow_text import TEXT, texts
from vigie.arrow_types import spark_name
from vigie.sinks import Columns, Refused, several
from vigie.sinks.bigquery_jobs import MARK, Jobs
from vigie.sinks.bigquery_sql import NESTED, PLACE, Layout, Span, creation, loaded_as, merging

if TYPE_CHECKING:
    from vigie.contracts import Surroundings

LOADED = {"INT64": pa.int64(), "FLOAT64": pa.float64(), "STRING": TEXT}


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
        return BigQueryTable(self, jobs, around.delivery)

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
    """The table. Under which names a batch is written follows from the delivery, the batch and its rows' ids alone."""

    def __init__(self, sink: BigQuery, jobs: Jobs, delivery: str = "") -> None:
        self._sink = sink
        self._jobs = jobs
        self._delivery = delivery or "batch"
        self._is_made = False

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None:
        layout = self._sink.layout({field.name: spark_name(field.type) for field in rows.schema})
        with tempfile.TemporaryDirectory(prefix="vigie-bigquery-") as folder:
            file = Path(folder) / "rows.parquet"
            extent = _written(rows, layout, file)
            if extent.rows:
                self._deliver(file, layout, extent, batch)

    def _deliver(self, file: Path, layout: Layout, extent: Extent, batch: int) -> None:
        # A lake that is made anew counts its batches from 0 again, under another name. One that is put back from a
        # copy counts on under the same, and its batches may be cut differently: so the rows' ids are in the name too.
        name = self._delivery.replace("-", "_")
        beside = f"{self._sink.table}{MARK}{name}_{batch:08}_{extent.mark % 2**64:016x}"
        with self._jobs.speaking():
            if not self._is_made:
                self._jobs.run(creation(self._jobs.name(self._sink.table), layout))
                self._is_made = True
            attempt = self._jobs.attempt(beside)
            if attempt.load is None:
                kinds = {name: loaded_as(kind) for name, kind in layout.columns.items()}
                attempt = self._jobs.load(attempt, file, {**kinds, PLACE: "INT64"})
            self._jobs.wait(attempt.load)
            if attempt.merge is None:
                table, loaded = self._jobs.name(self._sink.table), self._jobs.name(beside)
                attempt = self._jobs.merge(attempt, merging(table, loaded, layout, extent.span))
            self._jobs.wait(attempt.merge)
            self._jobs.drop(beside)


@dataclass(slots=True)
class Extent:
    """How many rows a batch has, a number that their ids make in whatever order, and the days that they are on."""

    rows: int = 0
    mark: int = 0
    days: list[date] = field(default_factory=list)

    @property
    def span(self) -> Span | None:
        return Span(min(self.days), max(self.days)) if self.days else None

    def add(self, part: pa.RecordBatch, layout: Layout) -> None:
        self.rows += len(part)
        for id in objects(part.select(list(layout.id)), MICROS).to_pylist():
            self.mark += int.from_bytes(blake2b(id.encode(), digest_size=8).digest())
        if layout.partition_by:
            self.days += _ends(part.column(layout.partition_by))


def _ends(moments: pa.Array) -> list[date]:
    """The first and the last day, when there is any."""
    plain = moments.cast(pa.timestamp("us")) if pa.types.is_timestamp(moments.type) else moments
    found = [end.as_py() for end in pc.min_max(plain).values()]
    return [end.date() if isinstance(end, datetime) else end for end in found if end is not None]


def _written(rows: pa.RecordBatchReader, layout: Layout, path: Path) -> Extent:
    """Write the batch as one file of Parquet, with what BigQuery is to convert as text."""
    extent = Extent()
    fields = [(field.name, LOADED.get(loaded_as(layout.columns[field.name]), field.type)) for field in rows.schema]
    schema = pa.schema([*fields, (PLACE, pa.int64())])
    with pq.ParquetWriter(path, schema) as file:
        for part in rows:
            loaded = [_loadable(part.column(name), kind) for name, kind in layout.columns.items()]
            places = pa.array(range(extent.rows, extent.rows + len(part)), pa.int64())
            file.write_batch(pa.record_batch([*loaded, places], schema))
            extent.add(part, layout)
    return extent


def _loadable(column: pa.Array, kind: str) -> pa.Array:
    """The column as BigQuery loads it."""
    if kind.startswith(NESTED):
        return values(column)
    target = loaded_as(kind)
    return texts(column) if target == "STRING" else column.cast(LOADED.get(target, column.type))
