"""The rows of a Delta table as it is, or was at a version. Only files that can hold what is wanted are opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.dataset import Dataset, FileSystemDataset, ParquetFileFormat
from pyarrow.fs import LocalFileSystem

from vigie.core.delta import handles

ROUNDED = 1_000  # microseconds: statistics of instants may be cut to milliseconds
LEAST, MOST = -(2**63), 2**63 - 1
PLAIN = 1  # the protocol of readers whose files hold their columns by name, and no deleted rows


@dataclass(frozen=True, slots=True)
class Within:
    """From one moment to another of a column, in microseconds after 1970; both belong to it."""

    column: str
    since: int
    until: int


class Snapshot:
    """A table at one version."""

    def __init__(self, path: Path, version: int | None = None) -> None:
        self._path = path
        self._table = handles.newest(path) if version is None else handles.at(path, version)
        self.schema = pa.schema(self._table.schema().to_arrow())

    def most(self, within: Within | None = None) -> tuple[int, int]:
        """How many rows there are, or are in a span of time, or a few more; and in how many bytes of files."""
        files = self._files(within)
        unsaid = files.filter(files["num_records"].is_null())["path"].to_pylist()
        rows = int(pc.sum(files["num_records"]).as_py() or 0)
        rows += sum(pq.read_metadata(self._path / unquote(name)).num_rows for name in unsaid)
        return rows, int(pc.sum(files["size_bytes"]).as_py() or 0)

    def reader(
        self,
        where: pc.Expression | None = None,
        columns: Mapping[str, pc.Expression] | None = None,
        within: Within | None = None,
    ) -> pa.RecordBatchReader:
        """The rows for which `where` holds; it may say more than `within`, and not less."""
        named = None if columns is None else dict(columns)
        return self._dataset(within).scanner(columns=named, filter=where).to_reader()

    def _dataset(self, within: Within | None) -> Dataset:
        if self._table.protocol().min_reader_version > PLAIN:
            return self._table.to_pyarrow_dataset()
        # As to_pyarrow_dataset does it, but for an expression of all statistics for each file, which takes a
        # millisecond a file, and for reading by way of Python.
        plain, disk = ParquetFileFormat(), LocalFileSystem()
        in_order = self._files(within).sort_by([("modification_time", "ascending"), ("path", "ascending")])
        names = in_order["path"].to_pylist()  # as the rows came
        files = [plain.make_fragment(str(self._path / unquote(name)), disk) for name in names]
        return FileSystemDataset(files, self.schema, plain, disk)

    def _files(self, within: Within | None) -> pa.Table:
        """What the log says of each file that can hold such rows."""
        files = pa.table(self._table.get_add_actions(flatten=True))
        if within is None or f"max.{within.column}" not in files.column_names:
            return files
        first, last = (files[f"{end}.{within.column}"].cast(pa.int64()) for end in ("min", "max"))
        since, until = max(within.since - ROUNDED, LEAST), min(within.until + ROUNDED, MOST)
        can_hold = pc.and_(
            pc.fill_null(pc.greater_equal(last, since), True), pc.fill_null(pc.less_equal(first, until), True)
        )
        return files.filter(can_hold)
