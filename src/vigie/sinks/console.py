"""A table on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from vigie.arrow_text import texts

if TYPE_CHECKING:
    import pyarrow as pa

NARROWEST = 3
BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b", "\v": "\\v", "\a": "\\a"})


@dataclass(frozen=True, slots=True)
class Console:
    """The first rows of each batch, for a person who looks; a batch that is repeated is shown again."""

    rows: int = 20
    module: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    def write(self, rows: pa.RecordBatchReader, batch: int) -> None:
        shown = list(islice(_cells(rows), self.rows + 1))
        lines = [f"batch {batch}", *drawn(rows.schema.names, shown[: self.rows])]
        if len(shown) > self.rows:
            lines.append(f"only showing top {self.rows} {'row' if self.rows == 1 else 'rows'}")
        sys.stdout.write("\n".join([*lines, "", ""]))


def drawn(names: list[str], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a table."""
    widths = [max(NARROWEST, *map(len, column)) for column in zip(names, *rows, strict=True)]
    rule = f"+{'+'.join('-' * width for width in widths)}+"
    head, *body = (
        f"|{'|'.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}|" for row in (names, *rows)
    )
    yield from (rule, head, rule, *body, rule)


def _cells(rows: pa.RecordBatchReader) -> Iterator[tuple[str, ...]]:
    for part in rows:
        columns = ([_cell(text) for text in texts(column).to_pylist()] for column in part.columns)
        yield from zip(*columns, strict=True)


def _cell(text: str | None) -> str:
    return "NULL" if text is None else text.translate(BREAKS)
