"""The same three tables with Quix Streams: one streaming dataframe, whose sinks write through delta-rs.

Windows are of a key, so reports are keyed by their phase of flight first: through a topic of its own in Kafka.

Run as `python -m bench.flights.with_quix SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient
from quixstreams import Application, State
from quixstreams.dataframe.windows import Collect
from quixstreams.sinks.base import BatchingSink, SinkBatch
from quixstreams.sinks.base.item import SinkItem

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
from bench.flights.tables import BATCH, BRONZE, GOLD, LATE_BY_S, SILVER, WINDOW_S, WINDOWS_LATE_BY_S

COMMITS_EVERY_S = 2.0  # the last rows wait so long
ENDS_AFTER_S = 6.0  # without a message
PATIENCE_S = 30.0


class Delta(BatchingSink):
    """A table of the lake, in which each of Quix's checkpoints is a commit."""

    def __init__(self, folder: Path, table: str, row: Callable[[SinkBatch, SinkItem], Row]) -> None:
        super().__init__()
        self._rows, self._row = Appended(folder, table), row

    def write(self, batch: SinkBatch) -> None:
        self._rows.add([self._row(batch, item) for item in batch])

    def flush(self) -> None:
        super().flush()
        self._rows.commit()


def raw(batch: SinkBatch, item: SinkItem) -> Row:
    return item.key, item.value, batch.topic, batch.partition, item.offset, item.timestamp * 1_000, now_us()


def made(_batch: SinkBatch, item: SinkItem) -> Row:
    row: Row = item.value
    return row


def counted(_batch: SinkBatch, item: SinkItem) -> Row:
    reports: list[Row] = item.value["reports"]
    aircraft = {icao24 for icao24, _, _ in reports}
    altitudes = [altitude for _, altitude, _ in reports if altitude is not None]
    velocities = [velocity for _, _, velocity in reports if velocity is not None]
    return window_of(item.value["start"] // 1_000, item.key, aircraft, altitudes, velocities)


def is_new(report: Row, state: State) -> bool:
    """Whether a report of an aircraft is neither late nor known; the moments of the last minutes are known."""
    at = report[TIME_POSITION]
    known: list[int] = state.get("known", [])
    newest = max([at, *known])
    if at in known or at < newest - LATE_BY_S:
        return False
    state.set("known", [each for each in [*known, at] if each >= newest - LATE_BY_S])
    return True


def main(servers: str, topic: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    group = f"bench-{folder.parent.name}"
    app = Application(
        servers,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_interval=COMMITS_EVERY_S,
        commit_every=BATCH,
        state_dir=folder / "state",
        use_changelog_topics=False,  # what another machine would take the state from
        loglevel="WARNING",
    )
    messages = app.dataframe(app.topic(topic, key_deserializer="bytes", value_deserializer="bytes"))
    messages.sink(Delta(folder, BRONZE, raw))
    reports = messages.apply(report_of).filter(lambda report: report is not None).filter(is_new, stateful=True)
    reports.sink(Delta(folder, SILVER, made))
    phased = reports.set_timestamp(lambda report, *_: report[TIME_POSITION] * 1_000).group_by(
        lambda report: report[PHASE], name="phase"
    )
    minutes = (
        phased.apply(lambda report: (report[ICAO24], report[ALTITUDE], report[VELOCITY]))
        .tumbling_window(WINDOW_S * 1_000, grace_ms=WINDOWS_LATE_BY_S * 1_000)
        .agg(reports=Collect())
        .final()
    )
    minutes.sink(Delta(folder, GOLD, counted))
    begin(folder)
    try:
        app.run(timeout=ENDS_AFTER_S)
    finally:
        forget(servers, group)


def forget(servers: str, group: str) -> None:
    """Delete the topics that it made for itself: the broker is kept from one measurement to the next."""
    admin = AdminClient({"bootstrap.servers": servers})
    own = [name for name in admin.list_topics(timeout=PATIENCE_S).topics if f"__{group}--" in name]
    deleted: dict[str, Any] = admin.delete_topics(own) if own else {}
    for each in deleted.values():
        each.result(PATIENCE_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
