"""A table on standard output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True)
class Console:
    """The first rows of each batch, for a person who looks; a batch that is repeated is shown again."""

    rows: int = 20
    module: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    def write(self, rows: DataFrame, batch: int) -> None:
        sys.stdout.write(f"batch {batch}\n")
        rows.show(self.rows, truncate=False)
