"""Tables delivered to BigQuery: a stand-in that answers as its REST interface does, and its SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.rows import a_batch, a_table
from tests.sinks.bigquery_server import DATASET, PROJECT, Failure, Fault, Server, a_server
from vigie.contracts import Surroundings, Writer
from vigie.core.delivery import Step
from vigie.errors import BadSetting
from vigie.graph import Silver
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused
from vigie.sinks.bigquery import BigQuery, BigQueryTable
from vigie.sinks.bigquery_jobs import Jobs
from vigie.sinks.bigquery_sql import Layout, Span, creation, merging, type_of

NOON = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
EVENT = "event_id STRING, at TIMESTAMP, action STRING"
EVENTS = BigQuery("events", id="event_id", partition_by="at", cluster_by="action")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with a_server(tmp_path) as running:
        yield running


def a_writer(server: Server, sink: BigQuery = EVENTS) -> Writer:
    return BigQueryTable(sink, Jobs(PROJECT, DATASET, server.endpoint, look_every=0.01))


def events(*rows: tuple[Any, ...]) -> pa.Table:
    return a_table(EVENT, *rows)


def two_events() -> pa.Table:
    return events(("a", NOON, "view"), ("b", NOON, "click"))


def delivered(writer: Writer, rows: pa.Table, batch: int = 0) -> int:
    """How often a batch had to be tried, as the engine tries it."""
    for tries in range(1, 10):
        try:
            writer.write(rows.to_reader(), batch)
        except NotNow:
            continue
        return tries
    raise AssertionError("nine times are enough")


def test_without_a_project_it_is_off() -> None:
    around = Surroundings(Settings(bigquery_project=None))

    assert EVENTS.missing(around) == "VIGIE_BIGQUERY_PROJECT is not set"


def test_settings_alone_open_it(server: Server) -> None:
    settings = Settings(bigquery_project=PROJECT, bigquery_endpoint=server.endpoint)

    EVENTS.opened(Surroundings(settings)).write(two_events().to_reader(), 0)

    assert server.ask("SELECT count(*) FROM events") == [(2,)]


def test_a_batch_is_one_load_and_one_merge_and_leaves_nothing_beside_the_table(server: Server) -> None:
    a_writer(server).write(two_events().to_reader(), 7)

    assert server.ask('SELECT event_id, "at", action FROM events ORDER BY event_id') == [
        ("a", NOON, "view"),
        ("b", NOON, "click"),
    ]
    [load], [merge] = server.done("load"), server.done("query")[1:]
    assert re.fullmatch(r"vigie-events_vigie_batch_00000007_[0-9a-f]{16}-load-0", load)
    assert merge == load.replace("load", "merge")
    assert server.ask("SELECT table_name FROM duckdb_tables()") == [("events",)]


def test_a_repeat_of_a_batch_runs_no_job_again(server: Server) -> None:
    a_writer(server).write(two_events().to_reader(), 0)
    before = list(server.jobs)

    a_writer(server).write(two_events().to_reader(), 0)

    begun = [name for name in server.jobs if name not in before]
    assert [server.jobs[name]["configuration"]["query"]["query"][:12] for name in begun] == ["CREATE TABLE"]
    assert server.ask("SELECT count(*) FROM events") == [(2,)]


def test_rows_that_come_again_in_another_batch_or_from_another_lake_change_nothing(server: Server) -> None:
    writer = a_writer(server)
    writer.write(two_events().to_reader(), 0)

    writer.write(events(("b", NOON, "changed"), ("c", NOON, "view")).to_reader(), 1)

    assert server.ask("SELECT event_id, action FROM events ORDER BY 1") == [
        ("a", "view"),
        ("b", "click"),
        ("c", "view"),
    ]


def test_a_batch_of_a_lake_that_was_put_back_may_have_other_rows_under_its_number(server: Server) -> None:
    writer = a_writer(server)
    writer.write(two_events().to_reader(), 0)

    writer.write(events(("b", NOON, "click"), ("c", NOON, "view")).to_reader(), 0)

    assert server.ask("SELECT event_id FROM events ORDER BY 1") == [("a",), ("b",), ("c",)]


def test_the_same_batch_of_another_lake_has_jobs_of_its_own_and_adds_what_is_not_there(
    server: Server, tmp_path: Path
) -> None:
    settings = Settings(bigquery_project=PROJECT, bigquery_endpoint=server.endpoint)

    for lake, rows in (("one", ("a", "b")), ("another", ("a", "b", "c"))):
        writer = EVENTS.opened(Surroundings(settings, delivery=f"events-to-bigquery-0-{lake}"))
        writer.write(events(*((id, NOON, "view") for id in rows)).to_reader(), 0)

    assert [load.split("_")[-3] for load in server.done("load")] == ["one", "another"]
    assert server.ask("SELECT event_id FROM events ORDER BY 1") == [("a",), ("b",), ("c",)]


def test_of_a_batch_s_rows_with_one_id_the_first_is_kept(server: Server) -> None:
    a_writer(server).write(events(("a", NOON, "first"), ("a", NOON, "second")).to_reader(), 0)

    assert server.ask("SELECT action FROM events") == [("first",)]


def test_a_batch_without_rows_asks_nothing(server: Server) -> None:
    a_writer(server).write(events().to_reader(), 0)

    assert server.asked == []


def test_every_kind_of_value_is_there_as_it_was(server: Server) -> None:
    schema = """k STRING, flag BOOLEAN, tiny TINYINT, small SMALLINT, whole INT, big BIGINT, single FLOAT,
        double DOUBLE, exact DECIMAL(12, 3), day DATE, at TIMESTAMP, clock TIMESTAMP_NTZ, raw BINARY,
        many ARRAY<STRING>, named MAP<STRING, DOUBLE>, inside STRUCT<a: INT, at: TIMESTAMP>"""
    full = ("a\tb\n\\N \u20ac", True, -128, -32768, 7, 2**62, 0.5, 1e-300, Decimal("123456789.125"), date(2024, 2, 29),
            NOON, datetime(2025, 3, 30, 2, 30), b"\x00\xff", ["x", None, '"'], {"y": 1.5}, (1, NOON))  # fmt: skip
    nulls = ("nulls", *[None] * 15)

    a_writer(server, BigQuery("kinds", id="k")).write(a_table(schema, full, nulls).to_reader(), 0)

    held, empties = server.ask("SELECT * FROM kinds ORDER BY flag NULLS LAST")
    assert held[:13] == full[:13]
    assert held[13:] == ('["x",null,"\\""]', '{"y":1.5}', '{"a":1,"at":"2025-06-01T12:00:00.123Z"}')
    assert empties == nulls


STEPS = ("GET /datasets/", "POST /jobs", "GET /jobs/.*load", "POST /datasets/.*/tables", "POST /upload", "DELETE /")


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault(step) for step in STEPS),
        *(Fault(step, 0, after=True) for step in STEPS),
        Fault("POST /upload", 500, ""),
        Fault("POST /upload", 403, "rateLimitExceeded"),
        Fault("POST /upload", 429, ""),
    ],
    ids=str,
)
def test_a_fault_that_passes_is_tried_again_and_every_row_is_there_once(server: Server, fault: Fault) -> None:
    server.faults.append(replace(fault))

    tries = delivered(a_writer(server), two_events())

    assert (tries, server.faults) == (2, [])
    assert server.ask("SELECT event_id FROM events ORDER BY 1") == [("a",), ("b",)]
    assert len(server.done("load")) == 1, "a load whose answer was lost is not run again"


def test_a_merge_whose_answer_was_lost_is_met_and_not_run_again(server: Server) -> None:
    writer = a_writer(server)
    writer.write(events(("a", NOON, "view")).to_reader(), 0)
    server.faults.append(Fault("POST /jobs", after=True))

    assert delivered(writer, events(("b", NOON, "view")), 1) == 2

    assert [name[-7:] for name in server.done("query")[1:]] == ["merge-0", "merge-0"]
    assert server.ask("SELECT count(*) FROM events") == [(2,)]


def test_a_process_that_died_while_its_jobs_ran_is_followed_by_one_that_waits_for_them(server: Server) -> None:
    server.looks_until_done = 3
    died = a_writer(server)
    server.faults.append(Fault(r"GET /jobs/.*merge-0", 0))
    with pytest.raises(NotNow, match="cannot be reached"):
        died.write(two_events().to_reader(), 0)

    a_writer(server).write(two_events().to_reader(), 0)

    assert len(server.done("load")) == 1
    assert len([name for name in server.done("query") if "merge" in name]) == 1
    assert server.ask("SELECT count(*) FROM events") == [(2,)]


@pytest.mark.parametrize(("kind", "loads"), [("LOAD", 2), ("QUERY", 2)])
def test_a_job_that_failed_is_followed_by_the_next_attempt_under_another_id(
    server: Server, kind: str, loads: int
) -> None:
    server.failures += [Failure(kind, "backendError")]

    assert delivered(a_writer(server), two_events()) == 2

    assert [name[-7:] for name in server.done("load")] == [f"-load-{number}" for number in range(loads)]
    assert server.done("query")[-1].endswith("-merge-1")
    assert server.ask("SELECT count(*) FROM events") == [(2,)]


def test_rows_beside_the_table_that_were_dropped_for_their_age_are_loaded_again(server: Server) -> None:
    server.faults.append(Fault("POST /jobs.*", 503))
    writer = a_writer(server)
    with pytest.raises(NotNow):
        writer.write(two_events().to_reader(), 0)
    server.failures.append(Failure("QUERY", "notFound", "Not found: Table events_vigie_batch_00000000_0"))

    assert delivered(writer, two_events()) == 2

    assert server.ask("SELECT count(*) FROM events") == [(2,)]


def test_a_quota_that_is_used_up_is_waited_for(server: Server) -> None:
    server.failures.append(Failure("LOAD", "quotaExceeded", "too many loads"))

    with pytest.raises(NotNow, match="a quota of BigQuery is used up: too many loads") as setback:
        a_writer(server).write(two_events().to_reader(), 0)

    assert setback.value.wait == 600


def test_what_is_refused_ends_the_run_and_the_next_one_tries_anew(server: Server) -> None:
    writer = a_writer(server)
    writer.write(two_events().to_reader(), 0)
    server.ask("ALTER TABLE events DROP COLUMN action")
    with pytest.raises(Refused, match="ALTER TABLE"):
        writer.write(events(("c", NOON, "view")).to_reader(), 1)
    server.ask("ALTER TABLE events ADD COLUMN action TEXT")

    a_writer(server).write(events(("c", NOON, "view")).to_reader(), 1)

    assert server.ask("SELECT event_id, action FROM events WHERE event_id = 'c'") == [("c", "view")]


def test_a_row_without_its_id_is_refused(server: Server) -> None:
    with pytest.raises(Refused, match="NOT NULL"):
        a_writer(server).write(events((None, NOON, "view")).to_reader(), 0)


@pytest.mark.parametrize(
    ("reason", "do"), [("accessDenied", "Grant the account"), ("billingNotEnabled", "Turn billing on")]
)
def test_a_right_that_is_missing_is_named(server: Server, reason: str, do: str) -> None:
    server.faults.append(Fault("POST /jobs", 403, reason))

    with pytest.raises(Refused, match=do):
        a_writer(server).write(two_events().to_reader(), 0)


def test_a_dataset_that_is_not_there_is_not_made_in_a_region_of_our_choice(server: Server) -> None:
    writer = BigQueryTable(EVENTS, Jobs(PROJECT, "elsewhere", server.endpoint))

    with pytest.raises(Refused, match="Not found: Dataset elsewhere .*\n.*in a region of your choice"):
        writer.write(two_events().to_reader(), 0)


def test_columns_that_the_table_does_not_have_are_refused_by_name(server: Server) -> None:
    with pytest.raises(Refused, match="names 'on', which is no column of the table"):
        a_writer(server, BigQuery("events", id="event_id", partition_by="on")).write(two_events().to_reader(), 0)


def test_without_credentials_a_person_is_told_how_to_give_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))

    with pytest.raises(BadSetting, match="gcloud auth application-default login"):
        BigQueryTable(EVENTS, Jobs(PROJECT, DATASET, None)).write(two_events().to_reader(), 0)


def test_the_engine_tries_again_until_it_is_there(server: Server) -> None:
    from threading import Event

    from vigie.backoff import Clock

    server.faults += [Fault("POST /upload", 403, "rateLimitExceeded"), Fault("POST /upload", 0)]
    waited: list[float] = []
    clock = Clock(wait=lambda _, seconds: waited.append(seconds))

    Step("events-to-bigquery-0", Event(), clock=clock)(a_batch(a_writer(server), two_events(), 0))

    assert len(waited) == 2
    assert server.ask("SELECT count(*) FROM events") == [(2,)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("decimal(12,3)", "NUMERIC(12, 3)"),
        ("decimal(38,9)", "NUMERIC(38, 9)"),
        ("decimal(38,10)", "BIGNUMERIC(38, 10)"),
        ("decimal(38,0)", "BIGNUMERIC(38, 0)"),
        ("array<int>", "JSON"),
        ("interval day to second", "STRING"),
    ],
)
def test_types_are_the_narrowest_that_hold_every_value(kind: str, expected: str) -> None:
    assert type_of(kind) == expected


@pytest.mark.parametrize(
    ("kind", "day", "first", "last"),
    [
        ("timestamp", "DATE(`at`)", "TIMESTAMP '2025-05-31 00:00:00+00'", "TIMESTAMP '2025-06-01 23:59:59.999999+00'"),
        ("timestamp_ntz", "DATE(`at`)", "DATETIME '2025-05-31 00:00:00'", "DATETIME '2025-06-01 23:59:59.999999'"),
        ("date", "`at`", "DATE '2025-05-31'", "DATE '2025-06-01'"),
    ],
)
def test_a_merge_reads_no_day_that_no_row_of_the_batch_is_on(kind: str, day: str, first: str, last: str) -> None:
    layout = Layout({"k": "string", "at": kind}, ("k",), "at")

    made = creation("p.d.t", layout)
    merged = merging("p.d.t", "p.d.s", layout, Span(date(2025, 5, 31), date(2025, 6, 1)))

    assert f"PARTITION BY {day}" in made
    assert f"held.`at` BETWEEN {first} AND {last}" in merged


@pytest.mark.parametrize("name", ["user_activity", "recent_changes"])
def test_the_statements_that_ship_are_those_that_the_sink_would_make(name: str) -> None:
    from vigie import ddl
    from vigie.pipeline import load

    folder = Path(__file__).parents[2] / "config/bigquery"
    graph = load("activity").graph()
    table = graph.find(f"silver/{name}")
    assert isinstance(table, Silver)
    [sink] = [each.to for each in graph.deliveries if isinstance(each.to, BigQuery) and graph.find(each.table) is table]
    kinds = {name: re.sub(r", ", ",", kind.sql("spark").lower()) for name, kind in ddl.columns(table.schema).items()}

    made = creation(f"monitoring_datalake.{name}", sink.layout(kinds))

    assert (folder / f"{name}.sql").read_text() == made + ";\n"
