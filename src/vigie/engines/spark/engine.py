"""Spark behind its Connect client: rows stay where its executors are, and what comes here are counts."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pyarrow as pa
from pyspark import __version__
from pyspark.errors import PySparkException

from vigie.core.delta.tables import Stamp
from vigie.core.engine import Cut, EngineDied, Function, NotComputed, Read, Work
from vigie.core.run_context import RunContext
from vigie.core.source import Bounds, Source
from vigie.core.user_function import reason
from vigie.engines import columns, plans
from vigie.engines.connected import Session, connected, is_of_the_connection, opened
from vigie.engines.spark import closing, frames, latest
from vigie.engines.spark.intake import SparkIntake
from vigie.engines.spark.server import Server
from vigie.errors import BadSetting
from vigie.graph import Source as Declared

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from pyspark.sql.connect.session import SparkSession


TABLE = "vigie_table"


ANSWERS_WITHIN_S = 7.0  # to a call, and as much to a word of gRPC


def answering(address: str) -> str:
    """The address of a Connect server; BadSetting when it is none, or nobody is there."""
    found = re.fullmatch(r"sc://(?P<host>[\w.-]+):(?P<port>\d{1,5})/?", address)
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
    there = Session(address).version
    if there.split(".")[:2] != __version__.split(".")[:2]:
        raise BadSetting(
            f"the server at {address} is Spark {there}, and this Vigie speaks to {__version__}",
            where="--engine",
            do="Start a Spark of that version, or name another server.",
        )
    return address


# Spark's own default is a form of instant that other readers cannot hold.
INSTANTS = {"spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS"}


class Spark:
    """Evaluates declared PySpark functions where a Connect server does: one that is there, or one that is started when
    it is first asked."""

    name = "spark"

    def __init__(self, server: Server | str) -> None:
        self._server = server
        self._address = server if isinstance(server, str) else ""
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
    ) -> SparkIntake:
        """A source, read by Spark's executors."""
        return SparkIntake(self, self.session, context, declared, source, bounds, is_avro=schemas is not None)

    def gained(self, table: Read, after: int, watermark: int) -> tuple[int, int]:
        with self.session() as session:
            return closing.gained(session, table, after, watermark)

    def give(self, work: Work, path: Path, stamp: Stamp) -> None:
        with self.session() as session:
            closing.give(session, work, path, stamp)

    def latest(self, function: Function, table: Read, after: int, path: Path, keys: Sequence[str]) -> int:
        with self.session() as session:
            return latest.latest(session, function, table, after, path, keys)

    def close(self) -> None:
        if isinstance(self._server, Server):
            self._server.stop()

    @contextmanager
    def session(self) -> Iterator[SparkSession]:
        """This thread's session, for a piece of work; EngineDied when its server is gone, NotComputed for what it
        cannot do."""
        with self._lock:
            address = self._started()
        try:
            with connected(self._opened(address)) as session:
                yield session
        except Exception as problem:
            if is_of_the_connection(problem):
                self._own.address = None  # other threads find out by themselves
                raise EngineDied(f"the Spark server at {address} went away") from problem
            if isinstance(problem, PySparkException):
                raise NotComputed(reason(str(problem))) from problem
            raise

    def _opened(self, address: str) -> SparkSession:
        if getattr(self._own, "address", None) != address:
            self._own.session, self._own.address = opened(address, **INSTANTS), address
        session: SparkSession = self._own.session
        return session

    def _started(self) -> str:
        if isinstance(self._server, Server) and not self._server.is_alive:
            self._server.stop()
            self._address = self._server.start()
        return self._address
