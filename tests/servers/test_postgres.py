"""Tables delivered to a real PostgreSQL."""

from __future__ import annotations

import json
import random
import string
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from tests.rows import a_batch, a_table
from tests.servers.postgresql import Server, a_server
from vigie.contracts import Surroundings, Writer
from vigie.core.delivery import Step
from vigie.errors import BadSetting
from vigie.settings import Settings
from vigie.sinks import NotNow, Refused
from vigie.sinks.postgres import Postgres

NOON = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
READING = "sensor_id STRING, at TIMESTAMP, c DOUBLE"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as running:
        yield running


@pytest.fixture
def empty(server: Server) -> Server:
    server.ask("DROP SCHEMA public CASCADE")
    server.ask("CREATE SCHEMA public")
    return server


def a_writer(server: Server, sink: Postgres | None = None) -> Writer:
    sink = sink or Postgres("readings", id=("sensor_id", "at"))
    around = Surroundings(Settings(postgres=SecretStr(server.address)))
    assert not sink.missing(around)
    return sink.opened(around)


def readings(*rows: tuple[Any, ...]) -> pa.Table:
    return a_table(READING, *rows)


def test_without_an_address_it_is_off() -> None:
    assert Postgres("t", id="k").missing(Surroundings(Settings(postgres=None))) == "VIGIE_POSTGRES is not set"


def test_a_repeat_of_a_batch_changes_nothing(empty: Server) -> None:
    writer = a_writer(empty)
    batch = readings(("a", NOON, 20.0), ("b", NOON, 21.0))
    writer.write(batch.to_reader(), 0)
    before = empty.ask("SELECT xmin, * FROM readings ORDER BY sensor_id")

    writer.write(batch.to_reader(), 0)

    assert empty.ask("SELECT xmin, * FROM readings ORDER BY sensor_id") == before, "no row was even touched"
    assert [row[1:] for row in before] == [("a", NOON, 20.0), ("b", NOON, 21.0)]


def test_a_row_that_comes_again_with_other_values_replaces_the_one_that_is_there(empty: Server) -> None:
    writer = a_writer(empty)
    writer.write(readings(("a", NOON, 20.0), ("b", NOON, 21.0)).to_reader(), 0)

    writer.write(readings(("a", NOON, None)).to_reader(), 1)

    assert empty.ask("SELECT sensor_id, c FROM readings ORDER BY sensor_id") == [("a", None), ("b", 21.0)]


def test_of_a_batch_s_rows_with_one_id_one_is_kept(empty: Server) -> None:
    writer = a_writer(empty)

    writer.write(a_table(READING, ("a", NOON, 1.0), ("a", NOON, 2.0)).to_reader(), 0)

    assert empty.ask("SELECT c FROM readings") == [(2.0,)]


def test_every_kind_of_value_is_there_as_it_was(empty: Server) -> None:
    schema = """k STRING, flag BOOLEAN, tiny TINYINT, small SMALLINT, whole INT, big BIGINT, single FLOAT,
        double DOUBLE, exact DECIMAL(12, 3), day DATE, at TIMESTAMP, clock TIMESTAMP_NTZ, raw BINARY,
        many ARRAY<STRING>, named MAP<STRING, DOUBLE>, inside STRUCT<a: INT, at: TIMESTAMP>"""
    full = ("a\tb\n\\N \u20ac", True, -128, -32768, 7, 2**62, 0.5, 1e-300, Decimal("123456789.125"), date(2024, 2, 29),
            NOON, datetime(2025, 3, 30, 2, 30), b"\x00\xff", ["x", None, '"'], {"y": 1.5}, (1, NOON))  # fmt: skip
    nulls = ("nulls", *[None] * 15)

    a_writer(empty, Postgres("kinds", id="k")).write(a_table(schema, full, nulls).to_reader(), 0)

    held, empties = empty.ask("SELECT * FROM kinds ORDER BY flag NULLS LAST")
    assert held[:13] == full[:13]
    assert held[13:] == (["x", None, '"'], {"y": 1.5}, {"a": 1, "at": "2025-06-01T12:00:00.123Z"})
    assert empties == nulls
    types = dict(empty.ask("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'kinds'"))
    assert types["at"] == "timestamp with time zone"
    assert (types["double"], types["exact"], types["many"]) == ("double precision", "numeric", "jsonb")


def test_what_only_one_of_the_two_has_a_form_for_is_kept_as_near_as_can_be(empty: Server) -> None:
    rows = [("nul \0", float("nan"), ["\0"]), ("infinite", float("-inf"), None)]

    a_writer(empty, Postgres("odd", id="k")).write(a_table("k STRING, v DOUBLE, l ARRAY<STRING>", *rows).to_reader(), 0)

    assert empty.ask("SELECT k, v::text, l FROM odd ORDER BY v") == [
        ("infinite", "-Infinity", None),
        ("nul \ufffd", "NaN", ["\ufffd"]),
    ]


def test_names_are_taken_as_they_are(empty: Server) -> None:
    empty.ask('CREATE SCHEMA "Own"')
    rows = pa.table({"order": [1], 'has "quotes"; and': [2]})

    a_writer(empty, Postgres('Own.A "table"', id="order")).write(rows.to_reader(), 0)

    assert empty.ask('SELECT * FROM "Own"."A ""table"""') == [(1, 2)]


def test_a_table_that_is_all_key_takes_each_row_once(empty: Server) -> None:
    writer = a_writer(empty, Postgres("seen", id="k"))

    for batch in range(2):
        writer.write(a_table("k STRING", ("a",)).to_reader(), batch)

    assert empty.ask("SELECT * FROM seen") == [("a",)]


def test_a_batch_is_there_whole_or_not_at_all(empty: Server) -> None:
    writer = a_writer(empty)
    writer.write(readings(("a", NOON, 1.0)).to_reader(), 0)
    empty.ask("CREATE VIEW other AS SELECT * FROM readings")
    empty.ask("ALTER TABLE readings RENAME c TO d")

    with pytest.raises(Refused, match="does not exist") as refusal:
        writer.write(readings(("a", NOON, 2.0), ("b", NOON, 99.0)).to_reader(), 1)

    assert empty.ask("SELECT sensor_id, d FROM readings") == [("a", 1.0)]
    assert "secret" not in str(refusal.value)


POISON = [
    ("CHECK (c < 10)", ("bad", NOON, 99.0), "23514"),
    ("CONSTRAINT once UNIQUE (c) DEFERRABLE INITIALLY DEFERRED", ("bad", NOON, 1.0), "23505"),
]


@pytest.mark.parametrize(("constraint", "bad", "code"), POISON)
def test_a_row_that_is_refused_is_a_dead_letter_and_the_others_are_written(
    empty: Server, constraint: str, bad: tuple[Any, ...], code: str, caplog: Any
) -> None:
    writer = a_writer(empty)
    writer.write(readings(("a", NOON, 1.0)).to_reader(), 0)
    empty.ask(f"ALTER TABLE readings ADD {constraint}")

    for batch in (1, 1):
        writer.write(readings(bad, *((f"s{n}", NOON, n / 3_000) for n in range(2_000))).to_reader(), batch)

    assert empty.ask("SELECT count(*) FROM readings") == [(2_001,)]
    assert empty.ask("SELECT count(*) FROM readings WHERE sensor_id = 'bad'") == [(0,)]
    [(collection, row, reason)] = empty.ask('SELECT collection, "row", reason FROM readings_dead_letters')
    assert (collection, json.loads(row)["sensor_id"]) == ("readings", "bad")
    assert code in reason
    assert "PostgreSQL refused 1 rows, which are in readings_dead_letters" in caplog.text


def test_a_key_that_no_index_can_hold_is_a_dead_letter(empty: Server) -> None:
    key = "".join(random.Random(1).choices(string.ascii_letters, k=100_000))  # not to be compressed into 2,704 bytes

    a_writer(empty).write(readings((key, NOON, 1.0), ("b", NOON, 2.0)).to_reader(), 0)

    assert empty.ask("SELECT sensor_id FROM readings") == [("b",)]
    [(characters, reason)] = empty.ask("SELECT characters, reason FROM readings_dead_letters")
    assert characters > 100_000
    assert "54000" in reason


def test_a_row_without_its_key_is_a_dead_letter(empty: Server) -> None:
    a_writer(empty).write(readings((None, NOON, 1.0), ("b", NOON, 2.0)).to_reader(), 0)

    assert empty.ask("SELECT sensor_id FROM readings") == [("b",)]
    assert empty.ask("SELECT count(*) FROM readings_dead_letters") == [(1,)]


WRONG = [
    ("vigie:wrong", "postgres", "password authentication failed", "user and the password in VIGIE_POSTGRES"),
    ("stranger:wrong", "postgres", "authentication failed", "user and the password in VIGIE_POSTGRES"),
    ("vigie:a-secret", "nowhere", 'database "nowhere" does not exist', "Create that database"),
    ("reader:a-secret", "postgres", "permission denied", "Grant the user of VIGIE_POSTGRES"),
]


@pytest.mark.parametrize(("login", "database", "said", "do"), WRONG)
def test_a_wrong_setting_ends_the_run_and_says_what_to_set(
    empty: Server, login: str, database: str, said: str, do: str
) -> None:
    empty.ask("DROP ROLE IF EXISTS reader")
    empty.ask("CREATE ROLE reader LOGIN PASSWORD 'a-secret'")
    empty.ask("ALTER ROLE vigie PASSWORD 'a-secret'")
    address = empty.address.replace("vigie:a-secret", login).replace("/postgres", f"/{database}")
    writer = Postgres("public.readings", id="sensor_id").opened(Surroundings(Settings(postgres=SecretStr(address))))

    with empty.asking_for_passwords(), pytest.raises(Refused, match=said) as refusal:
        writer.write(readings(("a", NOON, 1.0)).to_reader(), 0)

    assert do in refusal.value.do
    assert "secret" not in str(refusal.value) and "wrong" not in str(refusal.value)


def test_a_schema_that_is_not_there_ends_the_run(empty: Server) -> None:
    with pytest.raises(Refused, match="Create that schema"):
        a_writer(empty, Postgres("nowhere.readings", id="sensor_id")).write(readings(("a", NOON, 1.0)).to_reader(), 0)


def test_names_that_postgresql_would_cut_are_refused() -> None:
    assert list(Postgres("t", id="k").problems()) == []
    assert list(Postgres("t" * 50, id="k", dead_letters="letters").problems()) == []
    assert "dead_letters=" in next(Postgres("t" * 51, id="k").problems())


@pytest.mark.parametrize(
    ("table", "remedy"),
    [
        ("(sensor_id text, at timestamptz, c float)", "ALTER TABLE readings ADD UNIQUE \\(sensor_id, at\\)"),
        ("(sensor_id text, at timestamptz, PRIMARY KEY (sensor_id, at))", "has other columns"),
        ("(sensor_id int, at timestamptz, c float, PRIMARY KEY (sensor_id, at))", "has other columns"),
        ("(sensor_id text, at timestamptz, c float, n int NOT NULL, UNIQUE (sensor_id, at))", "has other columns"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_what_to_do(empty: Server, table: str, remedy: str) -> None:
    empty.ask(f"CREATE TABLE readings {table}")

    with pytest.raises(Refused, match=remedy):
        a_writer(empty).write(readings(("a", NOON, 1.0)).to_reader(), 0)


def test_a_server_that_goes_away_and_comes_back_has_every_batch_once(empty: Server) -> None:
    step, writer = Step("readings-to-postgres-0", threading.Event()), a_writer(empty)
    step(a_batch(writer, readings(("a", NOON, 1.0)), 0))
    empty.stop()
    with pytest.raises(NotNow, match="PostgreSQL is away") as setback:
        a_writer(empty).write(readings(("b", NOON, 2.0)).to_reader(), 1)
    back = threading.Timer(1.0, empty.start)
    back.start()

    step(a_batch(writer, readings(("b", NOON, 2.0)), 1))

    back.join()
    assert empty.ask("SELECT sensor_id FROM readings ORDER BY sensor_id") == [("a",), ("b",)]
    assert "secret" not in str(setback.value)


def test_a_connection_that_is_cut_in_the_middle_of_a_batch_leaves_nothing_of_it(empty: Server) -> None:
    writer = a_writer(empty)
    writer.write(readings(("a", NOON, 1.0)).to_reader(), 0)
    empty.ask("CREATE FUNCTION cut() RETURNS trigger AS "
              "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END' LANGUAGE plpgsql")  # fmt: skip
    empty.ask("CREATE TRIGGER cut AFTER INSERT ON readings EXECUTE FUNCTION cut()")

    with pytest.raises(NotNow):
        writer.write(readings(("b", NOON, 2.0)).to_reader(), 1)
    empty.ask("DROP TRIGGER cut ON readings")
    writer.write(readings(("b", NOON, 2.0)).to_reader(), 1)

    assert empty.ask("SELECT sensor_id FROM readings ORDER BY sensor_id") == [("a",), ("b",)]


def test_an_address_that_is_none_is_refused_without_being_shown() -> None:
    around = Surroundings(Settings(postgres=SecretStr("postgres a-secret")))

    with pytest.raises(BadSetting, match="it is not an address of PostgreSQL") as refusal:
        Postgres("t", id="k").opened(around)
    assert "a-secret" not in f"{refusal.value} {refusal.value.__cause__}"
