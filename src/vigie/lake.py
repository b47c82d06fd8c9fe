"""Where a table lives, and reading it without Spark."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.disk import written
from vigie.errors import BadAddress, BadSetting, LakeDamaged
from vigie.oneline import on_one_line
from vigie.redaction import redacted

if TYPE_CHECKING:
    from deltalake import DeltaTable

LAYERS = ("bronze", "silver", "gold", "quarantine", "late")
PUT_BACK = "Put it back from a copy of the lake, or read everything again into another one with --lake."
# delta-rs reads `%20` as a blank and `\\` as `/`, and stumbles over the others, each in its own way.
READ_OTHERWISE = re.compile(
    "%[0-9A-Fa-f]{2}|[\\\\\\[\\]|^#?\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table of a lake."""

    layer: str
    name: str
    path: Path

    def __str__(self) -> str:
        """The table as the ledger names it: `silver/flights_ml`."""
        return f"{self.layer}/{self.name}"

    @property
    def last_name(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def view(self) -> str:
        """The table as SQL names it: `silver.flights_ml`."""
        return f"{self.layer}.{self.last_name}"


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder of Delta tables."""

    root: Path

    @classmethod
    def at(cls, address: str | Path) -> Lake:
        """The lake that a person named; it need not be there yet."""
        text = str(address)
        if text.startswith("s3a://"):
            raise BadAddress(
                "a lake on object storage comes with a later version", where=redacted(text), do="Name a folder."
            )
        if "://" in text or not text.strip():
            raise BadAddress(f"'{redacted(text)}' is not a place for a lake", do="Name a folder, for example ./lake.")
        root = Path(os.path.expanduser(text))
        if text.startswith("~") and root == Path(text):
            raise BadAddress("there is nobody of that name here", where=on_one_line(text), do="Name a folder.")
        root = root.absolute() if ":" in text else root  # what stands before a colon would be taken for a protocol
        try:
            for path in (root.absolute(), root.resolve()) if "\0" not in text else (root,):
                _refuse_what_is_read_otherwise(path)
            is_file = root.exists() and not root.is_dir()
        except OSError as problem:
            raise BadAddress(
                f"that cannot be a lake: {problem.strerror}",
                where=on_one_line(text)[:100],
                do="Name another folder.",
            ) from problem
        if is_file:
            raise BadAddress("the lake is a file, not a folder", where=text, do="Name a folder.")
        return cls(root)

    def __str__(self) -> str:
        return str(self.root)

    def path(self, table: str) -> Path:
        """Where the table lives that the ledger calls `silver/flights_ml`."""
        return self.root / table

    def table(self, address: str) -> Table:
        """The table that the ledger calls so."""
        layer, _, name = address.partition("/")
        return Table(layer, name, self.path(address))

    def bronze(self, name: str) -> Path:
        return self.root / "bronze" / name

    def silver(self, name: str) -> Path:
        return self.root / "silver" / name

    def gold(self, name: str) -> Path:
        return self.root / "gold" / name

    def quarantine(self, pipeline: str) -> Path:
        return self.root / "quarantine" / pipeline

    def late(self, pipeline: str) -> Path:
        return self.root / "late" / pipeline

    def vigie(self, pipeline: str) -> Path:
        """What Vigie keeps for itself about one pipeline."""
        return self.root / "_vigie" / pipeline

    def ledger(self, pipeline: str) -> Path:
        return self.vigie(pipeline) / "ledger"

    def alerts(self, pipeline: str) -> Path:
        return self.vigie(pipeline) / "alerts"

    def alert_events(self, pipeline: str) -> Path:
        """What opened and closed, in the order in which it was found."""
        return self.vigie(pipeline) / "alert_events"

    def dead_letters(self, pipeline: str) -> Path:
        """What a receiver of alerts refused for good while it took others."""
        return self.vigie(pipeline) / "dead_letters"

    def commands(self, pipeline: str) -> Path:
        """What was said from the command line: acknowledged, silenced."""
        return self.vigie(pipeline) / "commands"

    def schemas(self, pipeline: str, source: str) -> Path:
        """The Avro schemas that messages of a source were written with, as `NUMBER.avsc`."""
        return self.vigie(pipeline) / "schemas" / source

    def models(self, pipeline: str) -> Path:
        """The folder that holds a folder for each trained model."""
        return self.vigie(pipeline) / "models"

    def notes(self, pipeline: str) -> Path:
        """The folder that holds the plans of each source, gold table and delivery."""
        return self.vigie(pipeline) / "notes"

    def checkpoints(self, pipeline: str) -> Path:
        """The folder that holds what each watch and each courier has noted."""
        return self.vigie(pipeline) / "checkpoints"

    def checkpoint(self, pipeline: str, query: str) -> Path:
        return self.checkpoints(pipeline) / query

    def inbox(self, source: str) -> Path:
        return self.root / "_inbox" / source

    def tables(self) -> list[Table]:
        """Every table that has been written, found by looking at folders alone."""
        found = [
            Table(layer, str(path.relative_to(self.root / layer)), path)
            for layer in LAYERS
            for path in _tables_under(self.root / layer)
        ]
        for pipeline in self.pipelines():
            inside = _folders(self.vigie(pipeline))
            found += [Table("vigie", f"{pipeline}_{path.name}", path) for path in inside if is_table(path)]
        return found

    def pipelines(self) -> list[str]:
        """The pipelines that have run here."""
        return [folder.name for folder in _folders(self.root / "_vigie")]


def _refuse_what_is_read_otherwise(path: Path) -> None:
    """BadAddress for a path that delta-rs would take for another folder, or could not read back from."""
    if found := READ_OTHERWISE.search(str(path)):
        raise BadAddress(
            f"the path of a lake must not hold '{on_one_line(found[0])}'",
            where=on_one_line(str(path)),
            do="Name another folder: without \\ [ ] | ^ # ?, without % before two digits, without line ends.",
        )


def is_table(path: Path) -> bool:
    """Whether a Delta table was written there; a folder whose first commit is under way is none yet."""
    try:
        with _allowed(), os.scandir(path / "_delta_log") as log:
            return any(entry.name.endswith(".json") for entry in log)
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def _allowed() -> Iterator[None]:
    """What a person may not read, as BadSetting that names it."""
    try:
        yield
    except PermissionError as problem:
        raise BadSetting(
            "the lake may not be read by who asks",
            where=str(problem.filename),
            do="Ask as who wrote it, or have whoever did give you the right to read it.",
        ) from None


def rows(path: Path) -> list[dict[str, Any]]:
    """Every row of a small table, in no promised order."""
    with reading(path):
        read: list[dict[str, Any]] = opened(path).to_pyarrow_table().to_pylist()
    return read


def opened(path: Path, version: int | None = None) -> DeltaTable:
    """The Delta table there, as it is or was; LakeDamaged when its log cannot be read."""
    from deltalake import DeltaTable

    with reading(path):
        return DeltaTable(str(path), version)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever is wrong with the files of the table that is read in here, as LakeDamaged that names it."""
    from deltalake.exceptions import DeltaError
    from pyarrow import ArrowException

    try:
        with written(path):  # whoever reads may write what was read
            yield
    except (DeltaError, ArrowException, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise  # the machine's own words, and not those of a reader of files
        raise damaged(path, str(problem)) from problem


def damaged(path: Path, said: str) -> LakeDamaged:
    return LakeDamaged(f"the table cannot be read: {in_a_line(said)}", where=str(path), do=PUT_BACK)


def in_a_line(said: str) -> str:
    """What a library says over several lines, in colours and with a trace of its own, in one line."""
    plain, _, _ = re.sub(r"\x1b\[\d*m", "", said).partition("\n   0: ")
    plain, _, _ = plain.partition(" Detail: Python exception")
    return ": ".join(line.strip(" ↳.") for line in plain.splitlines() if line.strip(" ↳."))


def _tables_under(folder: Path) -> Iterator[Path]:
    for inner in _folders(folder):
        if is_table(inner):
            yield inner
        if not inner.name.startswith("_"):  # `traffic/by_hour` may live within `traffic`
            yield from _tables_under(inner)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    # Among the many files of a table, it need not ask what each of them is.
    with _allowed(), os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if entry.is_dir())


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
