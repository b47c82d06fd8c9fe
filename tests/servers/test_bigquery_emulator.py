"""Tables delivered to bqemulator, a stand-in for BigQuery: its DDL, its loads of Parquet, its MERGE."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.rows import a_table
from tests.servers.bigquery import DATASET, HOUSE, PROJECT, Emulator, an_emulator
from vigie.contracts import Surroundings, Writer
from vigie.settings import Settings
from vigie.sinks.bigquery import BigQuery

NOON = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
EVENT = "event_id STRING, at TIMESTAMP, action STRING"

pytestmark = pytest.mark.timeout(900)  # its environment may have to be made


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with an_emulator() as running:
        yield running


def a_writer(emulator: Emulator, sink: BigQuery) -> Writer:
    settings = Settings(bigquery_project=PROJECT, bigquery_dataset=DATASET, bigquery_endpoint=emulator.endpoint)
    return sink.opened(Surroundings(settings))


def test_an_emulator_holds_each_row_once_however_often_and_in_whatever_batch_it_comes(emulator: Emulator) -> None:
    sink = BigQuery("events", id="event_id", partition_by="at", cluster_by="action")
    first: list[tuple[Any, ...]] = [("a", NOON, "view"), ("b", NOON, "click"), ("b", NOON, "again")]

    for batch, rows in enumerate([first, first, [("b", NOON, "changed"), ("c", NOON, "view")]]):
        a_writer(emulator, sink).write(a_table(EVENT, *rows).to_reader(), batch)

    held = emulator.ask(f"SELECT event_id, `at`, action FROM `{PROJECT}.{DATASET}.events` ORDER BY event_id")
    assert held == [("a", NOON, "view"), ("b", NOON, "click"), ("c", NOON, "view")]
    assert [table.table_id for table in emulator.client.list_tables(DATASET)] == ["events"]


def test_an_emulator_holds_every_kind_of_value_as_it_was(emulator: Emulator) -> None:
    schema = """k STRING, flag BOOLEAN, tiny TINYINT, big BIGINT, single FLOAT, exact DECIMAL(12, 3), day DATE,
        at TIMESTAMP, clock TIMESTAMP_NTZ, raw BINARY, many ARRAY<STRING>, inside STRUCT<a: INT, b: STRING>"""
    full = ("a\tb \u20ac", True, -128, 2**62, 0.5, Decimal("123456789.125"), date(2024, 2, 29), NOON,
            datetime(2025, 3, 30, 2, 30), b"\x00\xff", ["x", None], (1, "y"))  # fmt: skip
    nulls = ("nulls", *[None] * 11)

    a_writer(emulator, BigQuery("kinds", id="k")).write(a_table(schema, full, nulls).to_reader(), 0)

    held = emulator.ask(f"SELECT * FROM `{PROJECT}.{DATASET}.kinds` ORDER BY k")
    assert held == [(*full[:10], ["x", None], {"a": 1, "b": "y"}), nulls]


def test_an_emulator_takes_the_statement_that_ships(emulator: Emulator) -> None:
    statement = Path(HOUSE / "config/bigquery/user_activity.sql").read_text()

    for _ in range(2):
        emulator.ask(statement)

    table = emulator.client.get_table(f"{PROJECT}.{DATASET}.user_activity")
    assert [field.name for field in table.schema][:2] == ["event_id", "user_id"]
    assert [field.name for field in table.schema if field.mode == "REQUIRED"] == ["event_id", "event_timestamp"]
