"""The same three tables with Bytewax: one dataflow, whose sinks write through delta-rs.

One worker reads both partitions in turn. With two, each reads its own as fast as it can, and what is overtaken by more
than two minutes is late for its window: Bytewax does not hold one source back for another.

Run as `python -m bench.flights.with_bytewax SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from bench.began import begin
from bench.flights.reports import (
    ALTITUDE,
    ICAO24,
    PHASE,
    TIME_POSITION,
    VELOCITY,
    Appended,
    Row,
    now_us,
    report_of,
    window_of,
)
from bench.flights.tables import BRONZE, GOLD, LATE_BY_S, SILVER, WINDOW_S, WINDOWS_LATE_BY_S

READ_AT_ONCE = 1_000  # of a partition, before it is the other's turn
EPOCH = datetime.fromtimestamp(0, UTC)
Message = KafkaSourceMessage[bytes, bytes]


@dataclass(frozen=True)
class Delta(DynamicSink[Row]):
    """A table of the lake."""

    folder: Path
    table: str

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Partition:  # noqa: ARG002  (Bytewax calls it)
        return Partition(Appended(self.folder, self.table))


@dataclass
class Partition(StatelessSinkPartition[Row]):
    """What one worker writes of a table."""

    rows: Appended

    def write_batch(self, items: list[Row]) -> None:
        self.rows.add(items)

    def close(self) -> None:
        self.rows.commit()


@dataclass
class Minute:
    """What a window keeps."""

    aircraft: set[str] = field(default_factory=set)
    altitudes: list[float] = field(default_factory=list)
    velocities: list[float] = field(default_factory=list)

    def with_report(self, report: Row) -> Minute:
        self.aircraft.add(report[ICAO24])
        if report[ALTITUDE] is not None:
            self.altitudes.append(report[ALTITUDE])
        if report[VELOCITY] is not None:
            self.velocities.append(report[VELOCITY])
        return self

    def merged(self, other: Minute) -> Minute:
        both = self.aircraft | other.aircraft
        return Minute(both, self.altitudes + other.altitudes, self.velocities + other.velocities)


def raw(messages: list[Message]) -> Iterable[Row]:
    received = now_us()
    return [
        (each.key, each.value, each.topic, each.partition, each.offset, each.timestamp[1] * 1_000, received)
        for each in messages
    ]


def keyed(messages: list[Message]) -> Iterable[tuple[str, Row]]:
    reports = (report_of(each.value) for each in messages)
    return [(report[ICAO24], report) for report in reports if report is not None]


def once(known: list[int] | None, report: Row) -> tuple[list[int], Iterable[Row]]:
    """A report of an aircraft, unless it is late or known; the moments of the last minutes are known, newest last."""
    at = report[TIME_POSITION]
    if known is None:
        return [at], [report]
    if at in known or at < known[-1] - LATE_BY_S:
        return known, []
    newest = max(known[-1], at)
    return sorted(each for each in [*known, at] if each >= newest - LATE_BY_S), [report]


def counted(item: tuple[str, tuple[int, Minute]]) -> Row:
    phase, (number, minute) = item
    return window_of(number * WINDOW_S, phase, minute.aircraft, minute.altitudes, minute.velocities)


def at(report: Row) -> datetime:
    return datetime.fromtimestamp(report[TIME_POSITION], UTC)


def flow_of(servers: str, topic: str, folder: Path) -> Dataflow:
    flow = Dataflow("flights")
    source = KafkaSource([servers], [topic], tail=False, batch_size=READ_AT_ONCE)
    messages = op.input("messages", flow, source)
    op.output("bronze", op.flat_map_batch("raw", messages, raw), Delta(folder, BRONZE))
    reports = op.stateful_flat_map("once", op.flat_map_batch("keyed", messages, keyed), once)
    bare = op.map("bare", reports, lambda item: item[1])
    op.output("silver", bare, Delta(folder, SILVER))
    clock = win.EventClock(at, wait_for_system_duration=timedelta(seconds=WINDOWS_LATE_BY_S))
    minutes = win.fold_window(
        "minutes",
        op.key_on("phase", bare, lambda report: report[PHASE]),
        clock,
        win.TumblingWindower(length=timedelta(seconds=WINDOW_S), align_to=EPOCH),
        Minute,
        Minute.with_report,
        Minute.merged,
    )
    op.output("gold", op.map("counted", minutes.down, counted), Delta(folder, GOLD))
    return flow


if __name__ == "__main__":
    flow = flow_of(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    begin(Path(sys.argv[3]))
    run_main(flow)
