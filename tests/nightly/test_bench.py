"""The benchmark compares like with like: programs that make the same tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from bench.flights.messages import START
from bench.flights.tables import SILVER
from bench.flights.workload import FLIGHTS
from bench.programs import Program
from bench.sensors import handwritten, workload
from bench.speed import ran
from tests.requirements import unmet
from vigie.engines.spark.jars import kafka_jars
from vigie.engines.spark.java import java_home
from vigie.engines.spark.kafka_broker import Broker
from vigie.settings import read_settings

ROWS = 50_000  # three minutes of event time: one window closes
READINGS, SENSORS = 20_000, 150  # more than an hour: a value has been stuck for long enough, and windows close
Lakes = tuple[Path, Path]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    settings = read_settings()
    java = java_home(settings.cache)
    with Broker(tmp_path_factory.mktemp("kafka"), java, kafka_jars(settings.cache, java)) as broker:
        yield broker


@pytest.fixture(scope="module")
def lakes_of_sensors(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    """What each program made of readings."""
    work = workload.workload(SENSORS)
    where = broker.servers, work.loaded(broker, READINGS)
    by_hand, ours = (_made(program, where, READINGS, tmp_path_factory) for program in work.programs)
    return by_hand, ours


@pytest.fixture(scope="module")
def flights(broker: Broker) -> tuple[str, str]:
    """The broker and the topic of state vectors."""
    return broker.servers, FLIGHTS.loaded(broker, ROWS)


def _made(program: Program, where: tuple[str, str], rows: int, folders: pytest.TempPathFactory) -> Path:
    lake = folders.mktemp(program.name) / "lake"
    outcome = ran(program.name, program, where, rows, lake)
    assert outcome.seconds > 0
    return lake


@pytest.mark.parametrize("program", FLIGHTS.programs, ids=lambda program: program.name)
def test_each_program_makes_the_tables_of_flights_that_duckdb_makes(
    program: Program, flights: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not program.is_there:
        pytest.skip(f"{program.title} is not installed: {program.install}")

    lake = _made(program, flights, ROWS, tmp_path_factory)

    FLIGHTS.check([lake], ROWS)


@pytest.mark.parametrize("program", [each for each in FLIGHTS.programs if each.environment], ids=lambda each: each.name)
def test_every_requirement_in_a_framework_s_environment_is_met(program: Program) -> None:
    if not program.is_there:
        pytest.skip(f"{program.title} is not installed: {program.install}")

    assert unmet(program.python.parent.parent.resolve()) == []


def test_a_row_that_a_program_lost_is_found(flights: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    [program] = [program for program in FLIGHTS.programs if program.name == "polars"]
    lake = _made(program, flights, ROWS, tmp_path_factory)
    DeltaTable(str(lake / SILVER)).delete(f"time_position = {START} AND icao24 = '380000'")

    with pytest.raises(SystemExit, match="holds 37,499 rows, and should hold 37,500"):
        FLIGHTS.check([lake], ROWS)


def test_both_programs_make_the_same_tables_of_readings_and_open_the_same_alerts(lakes_of_sensors: Lakes) -> None:
    workload.compare(lakes_of_sensors, READINGS)

    opened = workload.opened_by_hand(lakes_of_sensors[0])["rule"]
    assert set(opened) == {*workload.EXACT, *workload.STATISTICAL}


def test_an_alert_that_one_program_missed_is_found(lakes_of_sensors: Lakes) -> None:
    table = DeltaTable(str(lakes_of_sensors[0] / handwritten.EVENTS))
    before = table.version()
    table.delete("rule = 'STUCK'")

    try:
        with pytest.raises(SystemExit, match="STUCK: 0 alerts by hand"):
            workload.compare(lakes_of_sensors, READINGS)
    finally:
        table.restore(before)
