"""Spark behind its Connect client: rows stay where its executors are, and what comes here are counts."""

from __future__ import annotations

import logging
import re
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pyarrow as pa
from pyspark import __version__
from pyspark.errors import PySparkException

from vigie.core.delta.snapshot import Snapshot
from vigie.core.delta.tables import Stamp
from vigie.core.engine import Cut, EngineAway, EngineDied, Function, NotComputed, Read, Work
from vigie.core.gold.gain import how_much
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.core.user_function import reason
from vigie.disk import full, is_full
from vigie.engines import columns, plans
from vigie.engines.arrow.closing import Closing
from vigie.engines.arrow.intake import ArrowIntake
from vigie.engines.arrow.latest import latest as latest_here
from vigie.engines.connected import Deadline, Session, connected, is_of_the_connection, opened, ran_out_of_time
from vigie.engines.spark import closing, frames, latest, shipping
from vigie.engines.spark.by_amount import IntakeByAmount
from vigie.engines.spark.intake import SparkIntake
from vigie.engines.spark.server import CORES_OF_A_CLUSTER, INSTANTS, Server
from vigie.errors import BadSetting, RunFailed
from vigie.graph import Source as Declared

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from pyspark.sql.connect.session import SparkSession


TABLE = "vigie_table"

ANSWERS_WITHIN_S = 7.0  # to a call, and as much to a word of gRPC
CALL_ENDS_WITHIN_S = 180.0
FOUND = re.compile(r"sc://(?P<host>[\w.-]+):(?P<port>\d{1,5})/?")

ROWS_OF_A_MESSAGE = 10  # that a gold table is worked out from, where a batch of so many messages is little
# What is sent with a call is no longer kept by the server once that has ended; what is more is put down there.
SENT_WITH_A_CALL = {"spark.sql.session.localRelationCacheThreshold": str(48 << 20)}
PARTS, PARTS_UNLESS_SAID = "spark.sql.shuffle.partitions", "200"

log = logging.getLogger(__name__)


def started(server: Server) -> Spark:
    """Spark on a server of our own, which begins here; BadSetting when it does not."""
    server.look_for_the_master()
    log.info("Starting Spark: some ten seconds ...")
    try:
        server.start()
    except RunFailed as problem:
        raise BadSetting(problem.what, where=server.asked, do="Mend that, or name another with --master.") from problem
    spark = Spark(server, server.settings.spark_few)
    with _closed_unless_it_serves(spark):
        spark.hold_to_version("SPARK_HOME")
        if not server.is_here:
            spark.bring()
    return spark


def answering(address: str) -> str:
    """The address of a Connect server; BadSetting when it is none, or nobody is there."""
    found = FOUND.fullmatch(address)
    if found is None:
        raise BadSetting(
            f"'{address}' is no address of a Spark Connect server", where="--engine", do="Write sc://host:port."
        )
    try:
        socket.create_connection((found["host"], int(found["port"])), ANSWERS_WITHIN_S).close()
        with grpc.insecure_channel(f"{found['host']}:{found['port']}") as channel:
            grpc.channel_ready_future(channel).result(ANSWERS_WITHIN_S)
    except (OSError, OverflowError, grpc.FutureTimeoutError) as problem:
        raise BadSetting(
            f"no Spark Connect server answers at {address}",
            where="--engine",
            do="Start it (`start-connect-server.sh` comes with Spark), or name another.",
        ) from problem
    return address


def reached(address: str, few: int) -> Spark:
    """Spark on a server that is there already; BadSetting when it is of another version, or cannot run what is ours."""
    spark = Spark(address, few)
    with _closed_unless_it_serves(spark):
        spark.hold_to_version("--engine")
        spark.bring()
    return spark


@contextmanager
def _closed_unless_it_serves(spark: Spark) -> Iterator[None]:
    try:
        yield
    except BaseException:
        spark.close()
        raise


class Spark:
    """Evaluates declared PySpark functions where a Connect server does: one that is there, or one of our own, which is
    started anew when it died. What is `few` is read, judged and given here, and Spark evaluates the functions alone."""

    name = "spark"

    def __init__(self, server: Server | str, few: int) -> None:
        self._server, self._few = server, few
        self._closing: dict[Path, Closing] = {}
        self._aside = ExitStack()
        self._brought: Path | None = None  # what executors need that they do not have
        self._sessions: list[Session] = []
        self._own = threading.local()  # a session for each thread: what it has made belongs to it
        self._lock = threading.Lock()

    def evaluate(self, function: Function, *tables: pa.Table) -> pa.Table:
        with self.session() as session:
            return function(*(frames.given(session, table) for table in tables)).toArrow()

    def windows(self, function: Function, *schemas: pa.Schema) -> list[Cut]:
        return plans.cut_into(self._plan(function, schemas))

    def columns(self, function: Function, *schemas: pa.Schema) -> list[list[str]]:
        try:
            asked = columns.needed(self._plan(function, schemas))
        except columns.EveryColumn:
            return [schema.names for schema in schemas]
        return columns.of_each(asked, {f"{TABLE}{at}": schema for at, schema in enumerate(schemas)})

    def _plan(self, function: Function, schemas: Sequence[pa.Schema]) -> Message:
        """What a function of such tables asks for."""
        with self.session() as session:
            for at, schema in enumerate(schemas):
                frames.given(session, schema.empty_table()).createOrReplaceTempView(f"{TABLE}{at}")
            return plans.plan_of(function(*(session.table(f"{TABLE}{at}") for at in range(len(schemas)))))

    def intake(
        self, context: RunContext, declared: Declared, source: Source, bounds: Bounds, schemas: Mapping[int, str] | None
    ) -> IntakeByAmount:
        """A source, read by Spark's executors, and here where little is there."""
        executors = SparkIntake(self, self.session, context, declared, source, bounds, is_avro=schemas is not None)
        here = partial(ArrowIntake, self, context, declared, source, bounds, schemas)
        return IntakeByAmount(executors, here, source, self._few)

    def gained(self, table: Read, after: int, watermark: int) -> tuple[int, int]:
        with self.session() as session:
            return closing.gained(session, table, after, watermark)

    def give(self, work: Work, path: Path, stamp: Stamp) -> None:
        here = self._closing.setdefault(path, Closing(self, path))
        if here.takes(work, self._few * ROWS_OF_A_MESSAGE):
            here.give(work, stamp)
            return
        with self.session() as session:
            closing.give(session, work, path, stamp)

    def latest(self, function: Function, table: Read, after: int, path: Path, keys: Sequence[str]) -> int:
        gained, held = how_much(table, after)[0], Snapshot(path).most()[0]
        if max(gained, held) <= self._few:
            return latest_here(self, function, table, after, path, keys)
        if gained:
            with self.session() as session:
                latest.latest(session, function, table, after, path, keys)
        return gained

    def hold_to_version(self, where: str) -> None:
        """BadSetting for a server of another version than the client that speaks to it."""
        asked = Session(self._address)
        there = asked.version
        asked.stop()
        if there.split(".")[:2] != __version__.split(".")[:2]:
            raise BadSetting(
                f"the server at {self._address} is Spark {there}, and this Vigie speaks to {__version__}",
                where=where,
                do="Start a Spark of that version, or name another.",
            )

    def bring(self) -> None:
        """Hold the executors to this Vigie: those that do not have it are given it with each session."""
        with self.session() as session:
            if shipping.is_missing(session, self._address):
                folder = self._aside.enter_context(tempfile.TemporaryDirectory(prefix="vigie-"))
                self._brought = shipping.archive(Path(folder))
                self._own.address = None

    def own_session(self) -> Session:
        """A session for whoever keeps it, whose calls nobody watches; it ends with this engine, if that is a server of
        our own."""
        return self._new(self._address, None)

    def call(self, session: Session, name: str, table: Path) -> None:
        """Have a session know a Delta table by a name, as it is whenever it is asked."""
        session.read.format("delta").load(str(table)).createOrReplaceTempView(f"`{name}`")

    def close(self) -> None:
        self._aside.close()
        if isinstance(self._server, Server):
            self._server.stop()
            return
        for session in self._sessions:  # else its workers stay there for an hour
            session.stop()

    @property
    def _address(self) -> str:
        return self._server if isinstance(self._server, str) else self._server.address

    @contextmanager
    def session(self) -> Iterator[SparkSession]:
        """This thread's session, for a piece of work; EngineDied when its server is gone, NotComputed for what it
        cannot do."""
        with self._lock:
            if isinstance(self._server, Server) and not self._server.is_alive:
                self._server.stop()
                self._server.start()
            address = self._address
        try:
            with connected(self._opened(address)) as session:
                yield session
        except Exception as problem:
            if is_of_the_connection(problem):
                self._own.address = None  # other threads find out by themselves
                raise self._gone(problem) from problem
            if isinstance(problem, PySparkException) and is_full(problem) and isinstance(self._server, Server):
                raise full(tempfile.gettempdir()) from problem
            if isinstance(problem, PySparkException):
                raise NotComputed(reason(str(problem))) from problem
            raise

    def _opened(self, address: str) -> SparkSession:
        if getattr(self._own, "address", None) != address:
            self._own.session = self._new(address, Deadline(CALL_ENDS_WITHIN_S))
            self._sessions.append(self._own.session)
            self._own.address = address
        there: SparkSession = self._own.session
        return there

    def _new(self, address: str, deadline: Deadline | None) -> Session:
        session = opened(address, INSTANTS | SENT_WITH_A_CALL, deadline)
        if session.conf.get(PARTS) == PARTS_UNLESS_SAID:  # as many tasks as that take minutes for a few rows
            session.conf.set(PARTS, str(CORES_OF_A_CLUSTER))
        if self._brought is not None:
            session.addArtifacts(str(self._brought), pyfile=True)
        return session

    def _gone(self, problem: Exception) -> EngineDied:
        if isinstance(self._server, str):
            return EngineAway(f"the Spark server at {self._server} went away")
        if ran_out_of_time(problem):
            self._server.stop()  # it is there, and does nothing
        return EngineDied("the Spark server of this run went away")
