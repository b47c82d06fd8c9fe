"""The benchmark compares like with like: two programs that make the same tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from bench.flights.handwritten import SILVER
from bench.flights.messages import START
from bench.flights.workload import FLIGHTS
from bench.footprint import measured
from bench.sensors import handwritten, workload
from bench.speed import span
from bench.workload import Workload
from vigie.engine.broker import Broker
from vigie.engine.jars import kafka_jars
from vigie.engine.java import java_home
from vigie.settings import read_settings

ROWS = 60_000  # nearly four minutes of event time: one window closes
READINGS, SENSORS = 20_000, 150  # more than an hour: a value has been stuck for long enough, and windows close
Lakes = tuple[Path, Path]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    settings = read_settings()
    java = java_home(settings.cache)
    with Broker(tmp_path_factory.mktemp("kafka"), java, kafka_jars(settings.cache, java)) as broker:
        yield broker


@pytest.fixture(scope="module")
def lakes(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    """What each program made of flights."""
    return _made(FLIGHTS, broker, ROWS, tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def lakes_of_sensors(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    """What each program made of readings."""
    return _made(workload.workload(SENSORS), broker, READINGS, tmp_path_factory.mktemp("sensors"))


def _made(work: Workload, broker: Broker, rows: int, folder: Path) -> Lakes:
    by_hand, ours = folder / "by-hand", folder / "vigie"
    topic = work.loaded(broker, rows)
    for module, lake in ((work.by_hand, by_hand), (work.vigie, ours)):
        measured(module, broker.servers, topic, str(lake), log=folder / f"{module}.log")
    return by_hand, ours


def test_both_programs_make_the_same_three_tables(lakes: Lakes) -> None:
    by_hand, ours = lakes

    FLIGHTS.compare(by_hand, ours, ROWS)

    assert span(by_hand) > 0
    assert span(ours) > 0


def test_a_row_that_one_program_lost_is_found(lakes: Lakes) -> None:
    by_hand, ours = lakes
    table = DeltaTable(str(ours / SILVER))
    before = table.version()
    table.delete(f"time_position = {START} AND icao24 = '380000'")

    try:
        with pytest.raises(SystemExit, match="holds 44,999 rows, and should hold 45,000"):
            FLIGHTS.compare(by_hand, ours, ROWS)
    finally:
        table.restore(before)


def test_both_programs_make_the_same_tables_of_readings_and_open_the_same_alerts(lakes_of_sensors: Lakes) -> None:
    workload.compare(*lakes_of_sensors, READINGS)

    opened = workload.opened_by_hand(lakes_of_sensors[0])["rule"]
    assert set(opened) == {*workload.EXACT, *workload.STATISTICAL}


def test_an_alert_that_one_program_missed_is_found(lakes_of_sensors: Lakes) -> None:
    table = DeltaTable(str(lakes_of_sensors[0] / handwritten.EVENTS))
    before = table.version()
    table.delete("rule = 'STUCK'")

    try:
        with pytest.raises(SystemExit, match="STUCK: 0 alerts by hand"):
            workload.compare(*lakes_of_sensors, READINGS)
    finally:
        table.restore(before)
