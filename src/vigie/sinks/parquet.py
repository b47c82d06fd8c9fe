"""An archive of Parquet files."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True)
class Parquet:
    """A file for each batch, named after the query and the batch, and renamed in whole: a repeat replaces itself.

    A name that begins with a dot is a file that is being written, or was when the process was killed.
    """

    folder: str | Path
    every: str = "10 seconds"
    module: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    def write(self, rows: DataFrame, batch: int) -> None:
        folder = Path(self.folder).expanduser().resolve()
        # A lake that is made anew counts its batches from 0 again, and must not replace what another archived.
        query = rows.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId") or "batch"
        name = f"{query[:8]}-{batch:08}.parquet"
        unfinished = folder / f".{name}.unfinished"
        rows.coalesce(1).write.mode("overwrite").parquet(str(unfinished))
        for file in unfinished.glob("part-*.parquet"):
            os.replace(file, folder / name)
        shutil.rmtree(unfinished)
