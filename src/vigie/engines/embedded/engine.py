"""The embedded engine: a child process that may die or hang, and is started again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession

from vigie.core.delta.tables import Stamp
from vigie.core.engine import Cut, EngineDied, Function, NotComputed, Read, Work
from vigie.core.gold import gain
from vigie.core.ingest.shaping import SEEN
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.core.user_function import reason
from vigie.engines import columns, plans
from vigie.engines.arrow import latest
from vigie.engines.arrow.closing import Closing
from vigie.engines.arrow.intake import ArrowIntake
from vigie.engines.connected import Session, connected, is_of_the_connection, opened
from vigie.engines.embedded.exchange import Exchange, read
from vigie.engines.embedded.sail import Sail
from vigie.graph import Source as Declared

DEADLINE_S = 120.0
# sail keeps something of every call, for ever (250 kB, live): after so many another takes over, in a third of a
# second.
CALLS = 200


class Embedded:
    """Evaluates declared PySpark functions over Arrow tables, for several threads at a time. It starts when it is first
    asked."""

    name = "embedded"

    def __init__(self, memory: int = 1 << 30, deadline_s: float = DEADLINE_S) -> None:
        self._memory, self._deadline_s = memory, deadline_s
        self._exchange = Exchange()
        self._closing: dict[Path, Closing] = {}
        self._sail: Sail | None = None
        self._lock = threading.Lock()  # of sail and its sessions

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        """What a function makes of these tables, in no promised order; EngineDied when it has to be asked again."""
        with self._exchange.lent(tables) as (inputs, output), self._watched() as session:
            frames = [session.read.format("arrow").load(str(folder)) for folder in inputs]
            made = function(*frames)
            made.write.format("arrow").mode("overwrite").save(str(output))
            found = read(output)
            return made.toArrow() if found is None else found  # without rows there is no file

    def answer(self, function: Function, **tables: Path) -> pa.Table:
        """What a function makes of whole Delta tables, in its order; they are handed over by the names of its
        parameters, without what the loop keeps beside each row."""
        with self._watched() as session:
            found = {name: str(self._exchange.linked(path)) for name, path in tables.items()}
            frames = {name: session.read.format("delta").load(place).drop(SEEN) for name, place in found.items()}
            return function(**frames).toArrow()

    def windows(self, function: Function, *schemas: pa.Schema) -> list[Cut]:
        """The windows that a function of such tables cuts time into; none when that cannot be told of any of them."""
        tables = [schema.empty_table() for schema in schemas]
        with self._exchange.lent(tables) as (inputs, _), self._watched() as session:
            made = function(*(session.read.format("arrow").load(str(folder)) for folder in inputs))
            return plans.cut_into(plans.plan_of(made))

    def columns(self, function: Function, *schemas: pa.Schema) -> list[list[str]]:
        """Which columns of such tables a function needs, in their order: more, now and then, and never fewer."""
        tables = [schema.empty_table() for schema in schemas]
        with self._exchange.lent(tables) as (inputs, _), self._watched() as session:
            made = function(*(session.read.format("arrow").load(str(folder)) for folder in inputs))
            try:
                asked = columns.needed(plans.plan_of(made))
            except columns.EveryColumn:
                return [schema.names for schema in schemas]
        return columns.of_each(asked, {str(folder): schema for folder, schema in zip(inputs, schemas, strict=True)})

    def intake(
        self, context: RunContext, declared: Declared, source: Source, bounds: Bounds, schemas: Mapping[int, str] | None
    ) -> ArrowIntake:
        """A source, read by this process."""
        return ArrowIntake(self, context, declared, source, bounds, schemas)

    def gained(self, table: Read, after: int, watermark: int) -> tuple[int, int]:
        return gain.gained(table, after, watermark)

    def give(self, work: Work, path: Path, stamp: Stamp) -> None:
        if path not in self._closing:
            self._closing[path] = Closing(self, path)
        self._closing[path].give(work, stamp)

    def latest(self, function: Function, table: Read, after: int, path: Path, keys: Sequence[str]) -> int:
        return latest.latest(self, function, table, after, path, keys)

    def own_session(self) -> Session:
        """A session for whoever keeps it, whose calls nobody watches; it ends with this engine."""
        with self._lock:
            sail = self._started()
            sail.is_kept = True
            return opened(sail.address, {})

    def call(self, session: Session, name: str, table: Path) -> None:
        """Have a session know a Delta table by a name, as it is whenever it is asked."""
        session.sql(f"DROP TABLE IF EXISTS `{name}`")  # a view would be the table as it is now
        session.sql(f"CREATE TABLE `{name}` USING delta LOCATION '{self._exchange.linked(table)}'")

    def close(self) -> None:
        with self._lock:
            self._end()
        self._exchange.close()

    @contextmanager
    def _watched(self) -> Iterator[SparkSession]:
        """A session for one call, which must end before the deadline."""
        with self._lock:
            sail = self._started()
            session = sail.begins()
        too_late = threading.Event()

        def give_up() -> None:
            too_late.set()
            sail.process.kill()

        timer = threading.Timer(self._deadline_s, give_up)
        timer.start()
        try:
            session = session or sail.opened()
            with connected(session):
                yield session
        except Exception as problem:
            # What broke the connection may be seen before the process is gone.
            if too_late.is_set() or is_of_the_connection(problem):
                with self._lock:
                    if self._sail is sail:
                        self._end()
                said = f"gave no answer in {self._deadline_s:.0f} s" if too_late.is_set() else "went away"
                raise EngineDied(f"the embedded engine {said}") from problem
            if isinstance(problem, PySparkException):
                raise NotComputed(reason(str(problem))) from problem
            raise
        finally:
            timer.cancel()
            with self._lock:
                sail.ends(session)
                if sail is not self._sail and not sail.at_work:
                    sail.end()

    def _started(self) -> Sail:
        """What takes the next call. One that is replaced ends when its last call does."""
        if self._sail is not None and not self._sail.is_alive:
            self._end()
        if self._sail is None or (self._sail.calls >= CALLS and not self._sail.is_kept):
            before, self._sail = self._sail, Sail(self._memory)
            if before is not None and not before.at_work:
                before.end()
        return self._sail

    def _end(self) -> None:
        sail, self._sail = self._sail, None
        if sail is not None:
            sail.end()
