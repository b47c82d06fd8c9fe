"""Alerts during maintenance are marked, and raised only if they outlast it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.core.alerts.watches import Bench, Killed
from tests.detectors.readings import NOON, readings_of
from vigie.core.alerts.watch import Watchman
from vigie.detectors import Above, Silent
from vigie.lake import rows

START = datetime.fromtimestamp(NOON / 1e6, UTC)
MINUTE = timedelta(minutes=1)
HOT = {"HIGH": Above("halves", 12)}


def told(watchman: Watchman) -> list[tuple[str, str | None]]:
    """What a look finds: what happened, and what it is put down to."""
    look = watchman.look()
    assert look is not None
    return [(event.event, event.alert.suppressed_by) for event in look.events]


def test_an_alert_that_opens_while_somebody_is_at_work_is_marked_and_so_is_its_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HOT)
    bench.work("a", START, START + 5 * MINUTE, "new filter")
    bench.gains(readings_of("halves", 10.0, 13.0))
    watchman = bench.watchman()

    opened = told(watchman)
    bench.gains(readings_of("halves", *[None] * 2, 10.0))
    closed = told(watchman)

    assert opened == [("opened", "new filter")]
    assert closed == [("closed", "new filter")]
    assert [row["suppressed_by"] for row in rows(bench.lake.alerts("tests"))] == ["new filter"]


def test_work_elsewhere_or_at_another_time_marks_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HOT)
    bench.work("b", START, START + 5 * MINUTE, "elsewhere")
    bench.work("a", START - 5 * MINUTE, START + timedelta(seconds=30), "before")
    bench.work("a", START + MINUTE, START + 5 * MINUTE, "after")
    bench.gains(readings_of("halves", 10.0, 13.0))

    assert told(bench.watchman()) == [("opened", None)]


def test_an_alert_that_outlasts_the_work_is_raised_then_under_the_same_id(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HOT)
    bench.work("a", START, START + 2 * MINUTE, "new filter")
    bench.gains(readings_of("halves", 13.0, 13.0))
    watchman = bench.watchman()
    first = told(watchman)
    [marked] = rows(bench.lake.alerts("tests"))

    bench.gains(readings_of("halves", *[None] * 4, 13.0, 13.0))
    then = told(watchman)
    bench.gains(readings_of("halves", *[None] * 6, 10.0))
    last = told(bench.watchman())

    assert (first, then, last) == ([("opened", "new filter")], [("opened", None)], [("closed", None)])
    [alert] = rows(bench.lake.alerts("tests"))
    assert alert["alert_id"] == marked["alert_id"]
    assert (alert["suppressed_by"], alert["opened_at"]) == (None, START)


def test_one_that_falls_silent_at_work_is_marked_and_raised_by_the_clock_when_the_work_is_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"SILENT": Silent("5 minutes")})
    bench.work("a", START, START + 20 * MINUTE, "battery")
    bench.gains(readings_of("halves", 10.0))
    watchman = bench.watchman()
    watchman.look()

    found = [
        [(event.event, event.alert.suppressed_by) for event in watchman.silences(minutes * MINUTE)]
        for minutes in (4, 6, 10, 20, 30)
    ]

    assert found == [[], [("opened", "battery")], [], [("opened", None)], []]


def test_a_marked_alert_is_still_marked_after_a_crash_and_a_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HOT)
    bench.work("a", START, START + 2 * MINUTE, "new filter")
    bench.gains(readings_of("halves", 13.0))

    def dies(name: str) -> None:
        if name.endswith("events"):
            raise Killed

    for _ in range(2):
        try:
            bench.watchman(dies).look()
        except Killed:
            continue
    watchman = bench.watchman()
    again = told(watchman)
    bench.gains(readings_of("halves", *[None] * 5, 13.0))

    assert again == [("opened", "new filter")]
    assert told(watchman) == [("opened", None)]
    assert len(rows(bench.lake.alert_events("tests"))) == 2
