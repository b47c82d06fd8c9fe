"""The log of alerts, read back by the watch that wrote it; what is over is never held as objects."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from vigie.alerts import ALERTS, CLOSED, Alert
from vigie.core.delta import tables
from vigie.lake import damaged, quoted

MEMORY = "256MB"
# Of the events of an alert the last end counts; before there is one, the first opening that nothing suppresses.
STANDING = f"""
    SELECT {", ".join(map(quoted, ALERTS.names))} FROM events
    WHERE silver_version < $1 OR (silver_version = $1 AND epoch_us("at") <= $2)
    QUALIFY row_number() OVER (
        PARTITION BY alert_id
        ORDER BY event = '{CLOSED}' DESC, event <> '{CLOSED}' AND suppressed_by IS NOT NULL,
            if(event = '{CLOSED}', -silver_version, silver_version),
            if(event = '{CLOSED}', -epoch_us("at"), epoch_us("at"))
    ) = 1
"""
EVER = 2**63 - 1


class AlertLog:
    """What a watch of a pipeline wrote into the log of its alerts."""

    def __init__(self, path: Path, watch: str) -> None:
        self._path = path
        self._watch = watch

    def newest_version(self) -> int:
        """Of silver, in which something was found; -1 when nothing ever was."""
        newest: int | None = self._asked("SELECT max(silver_version) AS newest FROM events")["newest"][0].as_py()
        return -1 if newest is None else newest

    def standing(self) -> pa.Table:
        """Every alert as it stands after all that was found."""
        return self._asked(STANDING, EVER, EVER)

    def open_at(self, version: int, read_to: int | None) -> list[Alert]:
        """The alerts that are open after what was found up to a version of silver, or up to a moment in it."""
        until = EVER if read_to is None else read_to
        found = self._asked(f"SELECT * FROM ({STANDING}) WHERE closed_at IS NULL", version, until)
        return [Alert(**row) for row in found.to_pylist()]

    def _asked(self, sql: str, *params: int) -> pa.Table:
        with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": gettempdir()}) as database:
            database.register("events", tables.reader(self._path, pc.field("watch") == self._watch))
            try:
                return database.sql(sql, params=list(params)).to_arrow_table()
            except duckdb.Error as problem:
                raise damaged(self._path, str(problem)) from problem
