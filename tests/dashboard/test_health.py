"""The page of health: the ledger's own sums, and quarantine by rule with the messages themselves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from streamlit.testing.v1 import AppTest

from tests.dashboard.lakes import INSTANT, LEDGER, NOON, QUARANTINE, a_lake, broken, ledger, write
from tests.dashboard.test_flights import figures, numbers, shown, texts
from vigie.dashboard import health
from vigie.dashboard.view import View
from vigie.lake import Lake
from vigie.pipeline import load

OUTCOMES = ("accepted", "quarantined", "duplicate", "late")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return a_lake(tmp_path_factory.mktemp("health"), aircraft=3)


def run(root: Path) -> AppTest:
    given = {"root": str(root), "module": "vigie.dashboard.health"}
    return AppTest.from_function(shown, kwargs=given, default_timeout=30).run()


def test_the_flow_has_the_ledgers_sums(lake: Lake) -> None:
    silver = pl.from_dicts(ledger(30)).filter(pl.col("table") == "silver/flights_ml")
    tables = View(lake).ask(health.BY_TABLE, entries=health.ledger("flights"))

    drawn = health.sankey(tables[tables["table"] == "silver/flights_ml"])

    [flow] = drawn.data
    sums = {name: silver[name].sum() for name in OUTCOMES}
    assert list(flow.link.value) == list(sums.values())
    assert list(flow.node.label) == ["silver/flights_ml, read: 3,000", *(f"{name}: {n:,}" for name, n in sums.items())]


def test_rules_are_counted_as_often_as_they_were_broken(lake: Lake) -> None:
    expected = Counter(rule for row in broken(12) for rule in row["rules"])

    found = View(lake).ask(health.BY_RULE, broken=health.quarantine("flights"))

    assert dict(zip(found["rule"], found["rows"], strict=True)) == expected


def test_a_rule_is_shown_with_its_newest_messages_as_they_came(lake: Lake) -> None:
    own = [row for row in broken(12) if "is valid JSON" in row["rules"]]
    expected = [row["value"] for row in sorted(own, key=lambda row: row["received_at"], reverse=True)[:3]]

    found = View(lake).ask(health.OF_A_RULE, "is valid JSON", broken=health.messages("flights"))

    assert [bytes(value) for value in found["value"]] == expected


def test_the_page_says_what_became_of_each_row(lake: Lake) -> None:
    app = run(lake.root)

    tiles = {metric.label: metric.value for metric in app.metric}
    assert not app.exception
    assert not app.error
    assert tiles == {
        "Rows read": "3,000",
        "Rows a minute": "3,000",
        "Rows quarantined": "120",
        "Rows not accounted for": "0",
    }
    assert '{"icao24": "3944ef", "number": 9}' in texts(app)


def a_message(root: Path, value: bytes) -> str:
    """What the page says of a message in quarantine."""
    lake = Lake.at(root)
    write(lake.ledger("flights"), ledger(2), LEDGER)
    write(lake.quarantine("flights"), [broken(1)[0] | {"value": value}], QUARANTINE)
    return texts(run(root))


def test_a_message_that_broke_a_rule_is_shown_to_its_end(tmp_path: Path) -> None:
    said = a_message(tmp_path, b'{"a": "%s", "time": "yesterday"}' % (b"x" * 3_900))

    assert '"time": "yesterday"}' in said
    assert "Cut off" not in said


def test_a_huge_message_says_that_it_is_cut_off_and_where_the_rest_is(tmp_path: Path) -> None:
    said = a_message(tmp_path, b"x" * 1_000_000)

    assert "x" * health.SHOWN_BYTES in said
    assert "x" * (health.SHOWN_BYTES + 1) not in said
    assert f"Cut off here, after 4,000 bytes. In full: `vigie quarantine flights --lake {tmp_path} --json`" in said


def test_a_message_cannot_turn_round_what_stands_beside_it(tmp_path: Path) -> None:
    assert r"a\u202eb" in a_message(tmp_path, "a\u202eb".encode())


def test_how_far_behind_is_drawn_in_a_unit_that_fits(tmp_path: Path) -> None:
    lake = a_lake(tmp_path, aircraft=3, until=datetime.now(UTC) - timedelta(hours=9))

    [bars] = figures(run(lake.root))["health-lag-flights"]

    assert bars["text"] == ["9 h"] * len(bars["y"]) and len(bars["y"]) > 1
    assert numbers(bars["x"]) == pytest.approx([9] * len(bars["y"]), abs=0.3)


def test_how_often_each_rule_was_broken_is_there_before_one_is_opened(lake: Lake) -> None:
    app = run(lake.root)

    [counts] = [frame.value for frame in app.dataframe if "rule" in frame.value.columns]
    expected = Counter(rule for row in broken(12) for rule in row["rules"])
    assert dict(zip(counts["rule"], counts["rows"], strict=True)) == expected


def test_a_delivery_has_its_last_batch_beside_those_of_the_tables(tmp_path: Path) -> None:
    lake = a_lake(tmp_path, aircraft=3)
    done = lake.notes("flights") / "flights_ml-to-elastic-0" / "done"
    done.parent.mkdir(parents=True)
    done.write_text("10")

    app = run(lake.root)

    [found] = [frame.value for frame in app.dataframe if "Writes" in frame.value.columns]
    [sent] = found[found["Query"] == "flights_ml-to-elastic-0"].to_dict("records")
    assert (sent["Writes"], sent["Batch"]) == ("outside the lake", 10)
    assert "silver/flights_ml" in set(found["Writes"])


def test_context_that_need_not_be_new_is_not_behind(tmp_path: Path) -> None:
    graph = load("sensors").graph()
    lake = Lake.at(tmp_path)
    for silver in graph.silver:
        rows = pa.table({str(silver.event_time): pa.array([NOON], INSTANT)})
        write_deltalake(str(lake.silver(silver.name)), rows)

    seen = {table for table, _ in health._glances(str(lake.root), "sensors", graph)}

    assert "silver/sensor_readings" in seen
    assert not seen & {"silver/weather", "silver/maintenance"}


def test_a_lake_that_nobody_filled_is_a_sentence_with_the_command_that_does(tmp_path: Path) -> None:
    app = run(tmp_path)

    assert not app.exception
    assert f"vigie demo flights --lake {tmp_path}" in texts(app)


def test_a_lake_without_quarantine_says_so(tmp_path: Path) -> None:
    write(Lake.at(tmp_path).ledger("flights"), ledger(2), LEDGER)

    app = run(tmp_path)

    assert not app.exception
    assert "Nothing is in quarantine." in texts(app)
    assert "No table has a row yet." in texts(app)


def test_a_run_that_has_written_nothing_yet_is_a_sentence(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    write(lake.ledger("flights"), [], LEDGER)

    page = run(lake.root)

    assert not page.exception
    assert not page.error
    assert "No data yet." in texts(page)
    assert "No query has written a batch yet." in texts(page)
    assert not page.dataframe
