"""Finding a lake's tables and asking about them, without Spark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from vigie.errors import BadAddress, LakeDamaged, RequestError
from vigie.lake import Lake, opened, rows
from vigie.maintenance import maintain
from vigie.sql import _distinct, query

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_lake(folder: Path) -> Lake:
    lake = Lake.at(folder)
    flights = pa.table({
        "icao24": ["a", "b"],
        "event_timestamp": pa.array([NOON, NOON], pa.timestamp("us", "UTC")),
    })  # fmt: skip
    write_deltalake(lake.silver("flights_ml"), flights)
    write_deltalake(lake.gold("streaming_aggregations/flight_phase_counts"), pa.table({"flight_count": [7]}))
    write_deltalake(lake.quarantine("flights"), pa.table({"value": [b"\xff"]}))
    write_deltalake(lake.ledger("flights"), pa.table({"read": [3]}))
    return lake


def test_tables_are_where_the_design_says(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)

    assert lake.gold("a/b") == tmp_path / "gold" / "a" / "b"
    assert lake.late("flights") == tmp_path / "late" / "flights"
    assert lake.alerts("flights") == tmp_path / "_vigie" / "flights" / "alerts"
    assert lake.checkpoint("flights", "q") == tmp_path / "_vigie" / "flights" / "checkpoints" / "q"
    assert lake.inbox("flights_raw") == tmp_path / "_inbox" / "flights_raw"
    assert lake.path("silver/flights_ml") == lake.silver("flights_ml")


def test_every_table_is_found_with_its_layer_and_name(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    (lake.checkpoint("flights", "flights_raw")).mkdir(parents=True)
    (lake.silver("unfinished") / "_delta_log").mkdir(parents=True)

    assert sorted(map(str, lake.tables())) == [
        "gold/streaming_aggregations/flight_phase_counts",
        "quarantine/flights",
        "silver/flights_ml",
        "vigie/flights_ledger",
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT flight_count FROM gold.flight_phase_counts",
        'SELECT flight_count FROM gold."streaming_aggregations/flight_phase_counts"',
        'SELECT flight_count FROM "gold/streaming_aggregations/flight_phase_counts"',
        "FROM GOLD.Flight_Phase_Counts",
        "WITH x AS (TABLE gold.flight_phase_counts) SELECT * FROM x",
    ],
)
def test_a_nested_table_is_asked_by_its_last_or_its_whole_name(tmp_path: Path, sql: str) -> None:
    answer = query(a_lake(tmp_path), sql)

    assert (answer.columns, list(answer.rows)) == (("flight_count",), [(7,)])


def test_two_tables_with_one_last_name_are_told_apart_by_their_whole_names(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write_deltalake(lake.gold("one/counts"), pa.table({"n": [1]}))
    write_deltalake(lake.gold("two/counts"), pa.table({"n": [2]}))

    assert list(query(lake, 'FROM gold."two/counts"').rows) == [(2,)]
    with pytest.raises(RequestError, match="no table"):
        query(lake, "FROM gold.counts")


def test_a_table_within_another_is_found_and_a_partition_is_not_taken_for_one(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write_deltalake(lake.gold("traffic"), pa.table({"n": [1], "day": ["monday"]}), partition_by=["day"])
    write_deltalake(lake.gold("traffic/by_hour"), pa.table({"n": [2]}))

    assert list(map(str, lake.tables())) == ["gold/traffic", "gold/traffic/by_hour"]
    assert list(query(lake, "SELECT n FROM gold.traffic UNION ALL SELECT n FROM gold.by_hour ORDER BY n").rows) == [
        (1,), (2,)
    ]  # fmt: skip


def without_its_first_commit(table: Path) -> None:
    write_deltalake(table, pa.table({"read": [4]}), mode="append")
    (table / "_delta_log" / f"{0:020}.json").unlink()


def with_a_commit_of_garbage(table: Path) -> None:
    (table / "_delta_log" / f"{0:020}.json").write_text("not a commit")


def with_a_file_cut_short(table: Path) -> None:
    [file] = table.glob("*.parquet")
    file.write_bytes(file.read_bytes()[:50])


def with_a_file_emptied(table: Path) -> None:
    [file] = table.glob("*.parquet")
    file.write_bytes(b"")


def with_a_file_gone(table: Path) -> None:
    [file] = table.glob("*.parquet")
    file.unlink()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without_its_first_commit, "No table metadata"),
        (with_a_commit_of_garbage, "Json error"),
        (with_a_file_cut_short, "part-.*parquet.*magic bytes"),
        (with_a_file_emptied, "0 bytes long"),
        (with_a_file_gone, "part-.*parquet not found"),
    ],
)
def test_a_damaged_table_is_named_with_what_is_wrong_and_what_to_do(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    lake = a_lake(tmp_path)

    damage(lake.ledger("flights"))

    for read in (lambda: rows(lake.ledger("flights")), lambda: list(query(lake, "FROM vigie.flights_ledger").rows)):
        with pytest.raises(LakeDamaged, match=says) as problem:
            read()
        assert problem.value.where == str(lake.ledger("flights"))
        assert "copy of the lake" in problem.value.do
        assert len(problem.value.what.splitlines()) == 1


def test_vigies_own_tables_can_be_asked(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)

    assert list(query(lake, "SELECT read FROM vigie.flights_ledger").rows) == [(3,)]
    assert rows(lake.ledger("flights")) == [{"read": 3}]


def test_instants_are_in_utc_whatever_the_machine_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")

    [row] = query(a_lake(tmp_path), "SELECT DISTINCT hour(event_timestamp) FROM silver.flights_ml").rows

    assert row == (12,)


@pytest.mark.parametrize("sql", ["SHOW ALL TABLES", "show tables;"])
def test_each_table_is_shown_once_by_the_name_that_it_is_asked_by(tmp_path: Path, sql: str) -> None:
    lake = a_lake(tmp_path)
    for name in ("counts/by_minute", "one/rows", "other/rows"):
        write_deltalake(lake.gold(name), pa.table({"n": [1]}), mode="append")

    shown = [f"{schema}.{name}" for schema, name, *_ in query(lake, sql).rows]

    assert {"silver.flights_ml", "gold.by_minute", "gold.one/rows", "gold.other/rows"} <= set(shown)
    assert len(shown) == len(lake.tables())
    for name in shown:
        layer, _, table = name.partition(".")
        assert list(query(lake, f'SELECT count(*) FROM {layer}."{table}"').rows)


@pytest.mark.parametrize("sql", ["DESCRIBE silver.flights_ml", "SHOW ALL TABLES",
                                 "SUMMARIZE silver.flights_ml", "EXPLAIN SELECT 1"])  # fmt: skip
def test_whatever_reads_is_allowed(tmp_path: Path, sql: str) -> None:
    assert list(query(a_lake(tmp_path), sql).rows)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x AS SELECT 1",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'",
        "SET threads = 1",
        "INSERT INTO silver.flights_ml VALUES (1)",
        "DROP VIEW silver.flights_ml",
        "SELECT 1; SELECT 2",
        "INSTALL httpfs",
        "",
    ],
)
def test_whatever_else_is_refused(tmp_path: Path, sql: str) -> None:
    with pytest.raises(RequestError, match="reads|statements|empty"):
        query(a_lake(tmp_path), sql)


@pytest.mark.parametrize("function", ["read_csv", "read_text", "read_parquet", "glob"])
def test_nothing_outside_the_lake_can_be_read(tmp_path: Path, function: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")

    with pytest.raises(RequestError, match="file system operations are disabled"):
        query(a_lake(tmp_path / "lake"), f"SELECT * FROM {function}('{secret}')")


def test_an_unknown_table_is_answered_with_the_nearest_and_all_there_are(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)

    for wrong in ("silver.flights_m", "flights_ml", "silvr.flights_ml"):
        with pytest.raises(RequestError, match="no table") as problem:
            query(lake, f"SELECT * FROM {wrong}")
        assert "Did you mean silver.flights_ml?" in problem.value.do
        assert "gold.flight_phase_counts" in problem.value.do


def test_an_empty_lake_says_what_fills_it(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no table in the lake.*yet"):
        query(Lake.at(tmp_path), "FROM silver.flights_ml")
    with pytest.raises(BadAddress, match="no lake.*nowhere"):
        query(Lake.at(tmp_path / "nowhere"), "SELECT 1")


def test_broken_sql_is_explained_in_duckdbs_words(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)

    with pytest.raises(RequestError, match="syntax error"):
        query(lake, "SELEC 1")
    with pytest.raises(RequestError, match='"nope" not found'):
        query(lake, "SELECT nope FROM silver.flights_ml")


def test_a_query_that_fails_after_many_rows_fails_in_plain_words_too(tmp_path: Path) -> None:
    sql = "SELECT CASE WHEN i < 500000 THEN '1' ELSE 'x' END::INT FROM range(500001) t(i)"

    with pytest.raises(RequestError, match="Could not convert"):
        list(query(a_lake(tmp_path), sql).rows)


def test_a_lake_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadAddress, match="later version"):
        Lake.at("s3a://bucket/lake")
    with pytest.raises(BadAddress, match="not a place"):
        Lake.at("http://host/lake")
    with pytest.raises(BadAddress, match="is a file"):
        Lake.at(tmp_path / "file")
    with pytest.raises(BadAddress, match="File name too long"):
        Lake.at(tmp_path / ("y" * 300))


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_3"])))
def test_columns_are_given_names_that_differ(names: list[str]) -> None:
    distinct = _distinct(names)

    assert len(set(distinct)) == len(names)
    assert all(new.startswith(old) for new, old in zip(distinct, names, strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "p%20q",
        "a%2Fb",
        "a\\b",
        "a[b",
        "a]b",
        "a|b",
        "a^b",
        "a#b",
        "a?b",
        "a\nb",
        "a\rb",
        "a\x00b",
        "\udcff",
        "\u202ea",
        "\x85",
    ],
)
def test_a_path_that_would_be_read_as_another_is_refused(tmp_path: Path, name: str) -> None:
    for path in (f"{tmp_path}/{name}", f"{tmp_path}/{name}/lake"):
        with pytest.raises(BadAddress, match="must not hold") as problem:
            Lake.at(path)
        assert problem.value.exit_code == 2
        assert len(problem.value.where.splitlines()) == 1


def test_a_folder_above_the_lake_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p%20q" / "lake").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "p%20q")
    monkeypatch.chdir(tmp_path / "p%20q")

    for path in ("lake", tmp_path / "link" / "lake"):
        with pytest.raises(BadAddress, match="'%20'"):
            Lake.at(path)


@pytest.mark.parametrize(
    "name",
    ["100%", "it's", 'say "so"', "b l a n k", "é漢😀", "e\u0301", "a:b", "{x}*", "a&b=c+d,e;f", "$HOME", "<a>", "(`)~"],
)
def test_a_lake_in_a_folder_of_any_other_name_is_the_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    lake = a_lake(tmp_path / name)

    assert [folder.name for folder in tmp_path.iterdir()] == [name]
    assert list(query(Lake.at(name), "SELECT read FROM vigie.flights_ledger").rows) == [(3,)]
    assert len(opened(lake.ledger("flights")).history()) == 1
    assert all(upkeep.files_after == 1 for upkeep in maintain(lake, timedelta(days=7)))


def test_a_home_of_nobody_is_no_place_for_a_lake() -> None:
    assert Lake.at("./~nobody-of-that-name").root == Path("~nobody-of-that-name")
    assert Lake.at("~/lake").root == Path.home() / "lake"
    with pytest.raises(BadAddress, match="nobody of that name"):
        Lake.at("~nobody-of-that-name/lake")
