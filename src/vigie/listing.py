"""A listing: rows with named columns, shown as a table to a person or as JSON to a program."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vigie.oneline import harmless_json, on_one_line

DIGITS = 1e15  # a float has no more of them: what stands behind is not known
ENCODER = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704  (Rich calls this while it is raised; who reads our output is the terminal's affair)


@dataclass(frozen=True, slots=True)
class Listing:
    """Columns, and the rows under them."""

    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]]

    @classmethod
    def of(cls, objects: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> Listing:
        columns = tuple(columns or (objects[0] if objects else ()))
        return cls(columns, [[each.get(column) for column in columns] for each in objects])

    def print_json(self) -> None:
        """An array of objects on standard output, a row a line, written as the rows come."""
        write = sys.stdout.write
        write("[")
        between = "\n"
        for row in self.rows:
            write(between + encoded(dict(zip(self.columns, row, strict=True))))
            between = ",\n"
        write("\n]\n" if between != "\n" else "]\n")

    def print_table(self, limit: int | None = None) -> None:
        """A table as wide as the terminal, or as its rows when nobody looks; the first `limit` rows."""
        rows = iter(self.rows)
        shown = list(islice(rows, limit))
        # What is not a terminal is a file or `grep`: a line there is one row, however wide.
        console = _Console(soft_wrap=False, width=None if sys.stdout.isatty() else 10_000, highlight=False)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, column in enumerate(self.columns):
            figures = all(isinstance(row[number], int | float | Decimal | None) for row in shown)
            table.add_column(escape(text_of(column)), justify="right" if figures and shown else "left")
        for row in shown:
            table.add_row(*(escape(text_of(value)) for value in row))
        console.print(table)
        if next(rows, None) is not None:
            console.print(f"The first {len(shown)} rows; --json gives all.")


def encoded(value: Any) -> str:
    """JSON as Vigie prints it: instants in UTC with Z, NaN and infinities as null, nothing that a terminal obeys."""
    return harmless_json(ENCODER.encode(_plain(value)).decode())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _utc(value).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, dict):
        return dict(_field(key if isinstance(key, str) else text_of(key), inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode() if _is_text(value) else base64.b64encode(value).decode()
    return value


def _field(name: str, value: Any) -> tuple[str, Any]:
    """A value under its name; bytes that are not UTF-8 go under `NAME_base64`."""
    if isinstance(value, bytes) and not _is_text(value):
        name = f"{name}_base64"
    return name, _plain(value)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utc(instant: datetime) -> datetime:
    """The instant in UTC, which is what one without a time zone means everywhere in Vigie."""
    return instant.astimezone(UTC) if instant.tzinfo else instant


def text_of(value: Any) -> str:
    """A value as a person reads it, on one line and shortened."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    elif isinstance(value, datetime):
        value = _utc(value).replace(tzinfo=None).isoformat(sep=" ") + "Z"
    elif isinstance(value, float):
        is_in_full = 1 <= abs(value) < DIGITS
        value = f"{value:.3f}".rstrip("0").rstrip(".") if is_in_full else f"{value:.6g}"
    elif isinstance(value, list):
        value = ", ".join(map(text_of, value))
    return on_one_line(str(value))
