"""An archive of Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow.parquet as pq

if TYPE_CHECKING:
    import pyarrow as pa

    from vigie.contracts import Surroundings


@dataclass(frozen=True, slots=True)
class Parquet:
    """A file for each batch, named after the delivery and the batch, and renamed in whole: a repeat replaces itself.

    The delivery's name is another in a lake that is made anew, which counts its batches from 0 again: it does not
    replace what the lake before it archived. A file whose name begins with a dot is being written, or was when the
    process was killed.
    """

    folder: str | Path
    every: str = "10 seconds"
    module: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    def missing(self, _around: Surroundings) -> str:
        return ""

    def opened(self, around: Surroundings) -> Archive:
        return Archive(Path(self.folder).expanduser().resolve(), around.delivery or "batch")


@dataclass(frozen=True, slots=True)
class Archive:
    """The folder, and after what its files are named."""

    folder: Path
    name: str

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None:
        name = f"{self.name}-{batch:08}.parquet"
        unfinished = self.folder / f".{name}.partial"
        self.folder.mkdir(parents=True, exist_ok=True)
        # Decimals as Spark writes them: numbers, where they are short enough.
        with pq.ParquetWriter(unfinished, rows.schema, store_decimal_as_integer=True) as file:
            for part in rows:
                file.write_batch(part)
        unfinished.replace(self.folder / name)
