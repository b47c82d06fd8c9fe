"""The embedded engine: a child process that may die or hang, and is started again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
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
from vigie.engines.connected import LOOKS_AT_CALLERS, Session, connected, is_of_the_connection, opened
from vigie.engines.embedded import latest
from vigie.engines.embedded.closing import Closing
from vigie.engines.embedded.exchange import Exchange, read
from vigie.engines.embedded.intake import ArrowIntake
from vigie.graph import Source as Declared

STARTS_WITHIN_S = 60.0
DEADLINE_S = 120.0

log = logging.getLogger(__name__)


class Embedded:
    """Evaluates declared PySpark functions over Arrow tables, for several threads at a time. It starts when it is first
    asked."""

    name = "embedded"

    def __init__(self, memory: int = 1 << 30, deadline_s: float = DEADLINE_S) -> None:
        self._memory, self._deadline_s = memory, deadline_s
        self._exchange = Exchange()
        self._closing: dict[Path, Closing] = {}
        self._child: subprocess.Popen[str] | None = None
        self._port = 0
        self._free: list[SparkSession] = []  # sessions that nobody is at work with
        self._lock = threading.Lock()  # of the child and its sessions

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
            self._started()
            return opened(self._address, {})

    def call(self, session: Session, name: str, table: Path) -> None:
        """Have a session know a Delta table by a name, as it is whenever it is asked."""
        session.sql(f"DROP TABLE IF EXISTS `{name}`")  # a view would be the table as it is now
        session.sql(f"CREATE TABLE `{name}` USING delta LOCATION '{self._exchange.linked(table)}'")

    def close(self) -> None:
        with self._lock:
            self._end()
        self._exchange.close()

    @property
    def _address(self) -> str:
        return f"sc://127.0.0.1:{self._port}"

    @contextmanager
    def _watched(self) -> Iterator[SparkSession]:
        """A session for one call, which must end before the deadline."""
        with self._lock:
            child = self._started()
            session = self._free.pop() if self._free else None
        too_late = threading.Event()

        def give_up() -> None:
            too_late.set()
            child.kill()

        timer = threading.Timer(self._deadline_s, give_up)
        timer.start()
        try:
            session = session or opened(self._address, {LOOKS_AT_CALLERS: "false"})
            with connected(session):
                yield session
        except Exception as problem:
            # What broke the connection may be seen before the process is gone.
            if too_late.is_set() or is_of_the_connection(problem):
                with self._lock:
                    if self._child is child:
                        self._end()
                said = f"gave no answer in {self._deadline_s:.0f} s" if too_late.is_set() else "went away"
                raise EngineDied(f"the embedded engine {said}") from problem
            if isinstance(problem, PySparkException):
                raise NotComputed(reason(str(problem))) from problem
            raise
        finally:
            timer.cancel()
            with self._lock:
                if self._child is child and session is not None:
                    self._free.append(session)

    def _started(self) -> subprocess.Popen[str]:
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            self._start()
        assert self._child is not None
        return self._child

    def _start(self) -> None:
        pool = {
            "SAIL_RUNTIME__MEMORY_POOL__TYPE": "greedy",
            "SAIL_RUNTIME__MEMORY_POOL__GREEDY__MAX_SIZE": str(self._memory),
            "RUST_LOG": os.environ.get("RUST_LOG", "error"),
        }
        self._child = subprocess.Popen(
            [sys.executable, "-m", "vigie.engines.embedded.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **pool},
            start_new_session=True,  # Ctrl-C is for us: what has begun is finished
        )
        timer = threading.Timer(STARTS_WITHIN_S, self._child.kill)
        timer.start()
        assert self._child.stdout is not None
        said = self._child.stdout.readline()
        timer.cancel()
        if not said.strip().isdecimal():
            self._end()
            raise EngineDied("the embedded engine did not start", do="Look at what it said above.")
        self._port = int(said)

    def _end(self) -> None:
        child, self._child, self._free = self._child, None, []
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
