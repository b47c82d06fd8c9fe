"""The marts, as `make dbt` builds them; its environment comes from the registry of packages, once.

Each run of dbt takes about six seconds, most of which goes into reading the project: so most tests share one build.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import polars as pl
import pytest
import sqlglot

from tests.activity import days
from tests.activity.warehouse import HOUSE, MARTS, all_same, expected, in_order, make, marts
from vigie.lake import Lake

PROJECT = HOUSE / "src/vigie/activity/dbt"
DAYS = 6
ACTIVITY, WIKIS = days.random_events(4_000, DAYS, seed=1), days.random_changes(3_000, DAYS, seed=1)
NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def dbt() -> Path:
    """The program, in an environment that is made where there is none for this lock."""
    made = make("environment-dbt")
    assert made.returncode == 0, made.stderr
    return HOUSE / ".venv-dbt/bin/dbt"


def build(lake: Lake, day: object = "") -> subprocess.CompletedProcess[str]:
    """`make dbt` on a machine that reaches no other."""
    home = lake.root.parent / "home"
    home.mkdir(exist_ok=True)
    built = make("dbt", f"LAKE={lake}", f"DAY={day}", HOME=str(home), TZ="Asia/Tokyo", **NOWHERE)
    assert not list(home.iterdir()), "nothing was fetched, and nothing noted in the home folder"
    return built


def built(lake: Lake, day: object = "") -> None:
    answer = build(lake, day)
    assert answer.returncode == 0, answer.stdout
    assert "WARN=0" in answer.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose days were all built."""
    lake = days.kept(Lake.at(tmp_path_factory.mktemp("whole") / "lake"), ACTIVITY, WIKIS)
    built(lake)
    return lake


def a_copy(lake: Lake, folder: Path) -> Lake:
    return Lake.at(shutil.copytree(lake.root, folder / "lake"))


def test_marts_are_what_polars_makes_of_the_rows(whole: Lake) -> None:
    all_same(marts(whole), expected(ACTIVITY, WIKIS))


def test_a_day_is_built_with_two_before_it_and_a_second_build_changes_nothing(whole: Lake, tmp_path: Path) -> None:
    lake = a_copy(whole, tmp_path)
    since, more_wikis = days.random_events(1_000, DAYS, seed=3), days.random_changes(500, DAYS, seed=3)
    days.kept(lake, since, more_wikis)

    built(lake, days.day(4))
    first = marts(lake)
    built(lake, days.day(4))

    rebuilt = pl.col("event_timestamp").dt.date().is_between(days.day(2), days.day(4))
    known = pl.concat([ACTIVITY, since.filter(rebuilt)]), pl.concat([WIKIS, more_wikis.filter(rebuilt)])
    all_same(first, expected(*known))
    all_same(marts(lake), first)


def test_tables_without_rows_give_marts_without_rows(tmp_path: Path) -> None:
    lake = days.kept(Lake.at(tmp_path / "lake"), days.events(), days.changes())

    built(lake)

    assert {name: rows.height for name, rows in marts(lake).items()} == dict.fromkeys(MARTS, 0)


def test_broken_rows_are_named_by_the_test_that_they_break(tmp_path: Path) -> None:
    broken = days.events(
        days.an_event(),
        days.an_event(page="/again"),
        days.an_event(event_id="e-2", user_id=None),
    )
    lake = days.kept(Lake.at(tmp_path / "lake"), broken, days.changes(days.a_change()))

    answer = build(lake)

    assert answer.returncode != 0
    failed = set(re.findall(r"Failure in test (\w+)", answer.stdout))
    assert failed == {
        "unique_stg_user_activity_event_id",
        "not_null_stg_user_activity_user_id",
    }


def test_a_word_that_is_new_is_a_warning_and_its_day_is_built(tmp_path: Path) -> None:
    activity = days.events(
        days.an_event(),
        days.an_event(event_id="e-2", device="toaster"),
        days.an_event(event_id="e-3", action="yodel"),
        days.an_event(event_id="e-4", schema_version=3),
    )
    wikis = days.changes(days.a_change(), days.a_change(event_id="c-2", type="abuse", user="Eve"))
    lake = days.kept(Lake.at(tmp_path / "lake"), activity, wikis)

    answer = build(lake)

    assert answer.returncode == 0, answer.stdout
    warned = set(re.findall(r"Warning in test accepted_values_stg_(\w+?)__", answer.stdout))
    assert warned == {
        "user_activity_device",
        "user_activity_action",
        "user_activity_schema_version",
        "recent_changes_change_type",
    }
    all_same(marts(lake), expected(activity, wikis))


def test_a_mart_that_lost_rows_is_found_out(whole: Lake, tmp_path: Path, dbt: Path) -> None:
    lake = a_copy(whole, tmp_path)
    with duckdb.connect(lake.root / "warehouse/activity.duckdb") as warehouse:
        warehouse.execute("DELETE FROM marts.fct_daily_page_metrics WHERE page = '/'")
        warehouse.execute("DELETE FROM marts.dim_users WHERE user_id = 'user_7'")

    answer = called(dbt, "test", lake)

    assert answer.returncode != 0
    failed = re.findall(r"Failure in test (\w+)", answer.stdout)
    assert len(failed) == 2
    assert {name.partition("_fct")[0] for name in failed} == {"every_event_is_in_its_mart", "relationships"}


def test_a_lake_without_the_tables_says_which_command_makes_them(tmp_path: Path) -> None:
    nothing = Lake.at(tmp_path / "nothing")
    empty = Lake.at(tmp_path / "lake")
    empty.root.mkdir()

    no_lake, no_table = build(nothing), build(empty)

    assert no_lake.returncode != 0
    assert no_table.returncode != 0
    assert f"there is no lake ({nothing})" in no_lake.stdout
    assert not nothing.root.exists()
    assert f"there is no table user_activity yet ({empty.silver('user_activity')})" in no_table.stdout
    for answer in (no_lake, no_table):
        assert "Make it: vigie feed activity" in answer.stdout


def test_what_is_compiled_for_bigquery_comes_to_the_same(whole: Lake, dbt: Path) -> None:
    """Compiled without a network, read as BigQuery's SQL, and asked of DuckDB. BigQuery itself is not run."""
    answer = called(dbt, "compile", whole, "--target", "bigquery", "--no-introspect", "--no-populate-cache",
                    "--vars", f"{{day: {days.day(DAYS - 1)}, days_back: {DAYS}}}")  # fmt: skip

    assert answer.returncode == 0, answer.stdout
    compiled = whole.root / "warehouse/target/compiled/vigie_activity/models/marts"
    with duckdb.connect() as warehouse:
        warehouse.execute("SET TimeZone = 'UTC'; ATTACH ':memory:' AS \"a-project\"; USE \"a-project\"")
        warehouse.execute("CREATE SCHEMA monitoring_datalake; CREATE SCHEMA monitoring_marts")
        warehouse.execute("CREATE TABLE monitoring_datalake.user_activity AS FROM ACTIVITY")
        warehouse.execute("CREATE TABLE monitoring_datalake.recent_changes AS FROM WIKIS")
        for name in reversed(MARTS):
            [sql] = sqlglot.transpile((compiled / f"{name}.sql").read_text(), read="bigquery", write="duckdb")
            warehouse.execute(f"CREATE TABLE monitoring_marts.{name} AS {sql}")
        found = {name: in_order(warehouse.sql(f"FROM monitoring_marts.{name}").pl()) for name in MARTS}
    all_same(found, expected(ACTIVITY, WIKIS))


def test_a_build_sees_one_version_of_a_table_that_is_being_written(tmp_path: Path, dbt: Path) -> None:
    lake = days.kept(Lake.at(tmp_path), days.events(days.an_event()), days.changes())
    counts = subprocess.run([dbt.with_name("python"), "-c", OPENED_TWICE, lake.silver("user_activity")],
                            cwd=PROJECT / "plugins", capture_output=True, text=True, check=True)  # fmt: skip

    assert counts.stdout.split() == ["1", "1", "2"]


OPENED_TWICE = """
import sys
from dbt.adapters.duckdb.utils import SourceConfig
from deltalake import DeltaTable, write_deltalake
from lake_tables import Plugin

def rows(plugin):
    meta = {"delta_table_path": sys.argv[1]}
    return plugin.load(SourceConfig("silver", "user_activity", "silver", "activity", meta, [])).count_rows()

build = Plugin("lake_tables", {})
print(rows(build))
write_deltalake(sys.argv[1], DeltaTable(sys.argv[1]).to_pyarrow_table(), mode="append")
print(rows(build), rows(Plugin("lake_tables", {})))
"""


def called(dbt: Path, verb: str, lake: Lake, *flags: str) -> subprocess.CompletedProcess[str]:
    """dbt itself, as the Makefile calls it."""
    place = {"VIGIE_LAKE": str(lake.root), "DBT_TARGET_PATH": str(lake.root / "warehouse/target")}
    place |= dict.fromkeys(("DBT_PROJECT_DIR", "DBT_PROFILES_DIR"), str(PROJECT))
    own = os.environ | place | NOWHERE
    return subprocess.run([dbt, verb, *flags], env=own, capture_output=True, text=True, check=False)
