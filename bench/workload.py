"""What is measured: the messages, the programs that take them, and what each must make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from bench.programs import Limit, Program
from bench.topics import fill
from vigie.engines.spark.kafka_broker import Broker
from vigie.lake import Lake

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Workload:
    """A topic of so many messages, always the same bytes, and the programs that take it, in turn. `check` is given the
    lakes of this turn so far, the newest last, and raises SystemExit, or what an assertion does, where the newest is
    not right. `beside` is what else must run meanwhile."""

    name: str
    rows: int
    topic: Callable[[int], str]
    messages: Callable[[int], Iterable[tuple[bytes, bytes]]]
    programs: tuple[Program, ...]
    limits: tuple[Limit, ...]
    check: Callable[[Sequence[Path], int], None]
    beside: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def vigie(self) -> Program:
        [ours] = [program for program in self.programs if program.name == "vigie"]
        return ours

    def loaded(self, broker: Broker, rows: int) -> str:
        """The topic that holds so many messages; it is filled once, and kept with the broker's folder."""
        topic = self.topic(rows)
        fill(broker, topic, rows, self.messages(rows))
        return topic


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds from one moment of a message to when what follows from it could be seen, of so many."""

    since: str
    many: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a live run is looked at from outside. `began` is when messages count from, in epoch seconds."""

    lake: Lake
    servers: str
    began: float


@dataclass(frozen=True, slots=True)
class LiveWorkload:
    """A feed beside a run. `ages` are those of the messages when they are `where`; the limits are on the p95 of the
    first, and on the cores that the run has in use. `topics` are made before either starts, each with its settings, and
    what `before` asks `vigie feed` for is in the lake's own inboxes."""

    name: str
    topic: str
    feed: tuple[str, ...]
    where: str
    ages: Callable[[Seen], list[Ages]]
    p95_limit_s: float
    cores_limit: float
    topics: tuple[tuple[str, dict[str, str]], ...] = ()
    before: tuple[tuple[str, ...], ...] = ()


def spread(database: duckdb.DuckDBPyConnection, since: str, ages: str) -> Ages:
    """The ages that a query gives as its one column."""
    found = f"SELECT count(*), quantile_cont(age, [0.5, 0.95, 0.99]) FROM ({ages}) AS found(age)"
    [(many, quantiles)] = database.execute(found).fetchall()
    if not many:
        raise SystemExit(f"nothing was seen to measure since {since}")
    return Ages(since, many, *quantiles)


def bronze_of(lake: Lake, name: str) -> object:
    """A bronze table for DuckDB to read."""
    return DeltaTable(str(lake.bronze(name))).to_pyarrow_dataset()
