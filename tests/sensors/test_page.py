"""The page of sensors: its figures against Polars, and what a person sees when there is much, nothing, or damage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from streamlit.testing.v1 import AppTest

from vigie.alerts import ALERTS, Alert
from vigie.dashboard.view import View
from vigie.lake import Lake
from vigie.sensors import figures

if TYPE_CHECKING:
    from pandas import DataFrame

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UTC_US = pl.Datetime("us", "UTC")
READING = pl.Schema(
    {
        "sensor_id": pl.String(),
        "event_timestamp": UTC_US,
        "temperature_c": pl.Float64(),
        "humidity_pct": pl.Float64(),
        "pressure_hpa": pl.Float64(),
        "location": pl.String(),
        "building": pl.String(),
        "floor": pl.Int32(),
        "is_alert": pl.Boolean(),
        "severity": pl.String(),
    }
)
PLACES = [("A", 1), ("A", 2), ("A", None), ("B", 1), (None, None)]
SILENT = "SENSOR_OLD"


def readings(count: int = 4_000, sensors: int = 25) -> pl.DataFrame:
    """Fifty minutes of sensors up to NOON; one of them has been silent for 20."""
    rng = np.random.default_rng(5)
    who = rng.integers(0, sensors, count)
    ago = rng.integers(0, 50 * 60_000_000, count)
    ago[0] = 0
    ago = np.where(who == 3, ago % (30 * 60_000_000) + 20 * 60_000_000, ago)
    places = [PLACES[each % len(PLACES)] for each in who]
    ends = int(NOON.timestamp() * 1e6)
    return pl.DataFrame(
        {
            "sensor_id": [f"SENSOR_{each:03}" for each in who],
            "event_timestamp": pl.Series(ends - ago).cast(UTC_US),
            "temperature_c": rng.normal(21, 4, count).round(2),
            "humidity_pct": rng.uniform(30, 95, count).round(1),
            "pressure_hpa": rng.uniform(980, 1030, count).round(1),
            "location": [f"Building {building} - Floor {floor}" for building, floor in places],
            "building": [building for building, _ in places],
            "floor": [floor for _, floor in places],
            "is_alert": False,
            "severity": "normal",
        },
        READING,
    )


def an_alert(key: str, rule: str = "HIGH_TEMP", opened: float = -5, **fields: Any) -> dict[str, Any]:
    """An alert that opened so many minutes from NOON."""
    said: dict[str, Any] = {"alert_id": f"{rule}-{key}-{opened}".lower(), "severity": "warning", "value": 31.0,
        "threshold": 30.0, "message": f"{rule} at {key}", "evidence": "{}"}  # fmt: skip
    at = NOON + timedelta(minutes=opened)
    return Alert(**{"rule": rule, "key": key, "opened_at": at, "raised_at": at, **said, **fields}).row()


RAISED = [
    an_alert("SENSOR_000"),
    an_alert("SENSOR_000", "RISING", -20, severity="info"),
    an_alert("SENSOR_001", closed_at=NOON - MINUTE),
    an_alert("SENSOR_001", "OUTLIER", -500, closed_at=NOON - 480 * MINUTE),
    an_alert("SENSOR_002", suppressed_by="the lift is inspected"),
    an_alert(SILENT, "SILENT", -600, severity="critical"),
]


def windows(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The closed windows of five minutes, as gold has them."""
    start = pl.col("event_timestamp").dt.truncate("5m").alias("window_start")
    value = pl.col("temperature_c")
    figures_of = value.mean().alias("mean_c"), value.min().alias("min_c"), value.max().alias("max_c")
    made = rows.group_by(start, *by).agg(*figures_of, (value > 30).sum().cast(pl.Int64).alias("alerts"))
    made = made.with_columns((pl.col("window_start") + pl.duration(minutes=5)).alias("window_end"))
    return made.filter(pl.col("window_end") <= NOON - timedelta(minutes=10))


def filled(root: Path, rows: pl.DataFrame, alerts: Sequence[dict[str, Any]] = RAISED) -> Lake:
    """The tables that a run leaves; silver in three commits."""
    lake = Lake.at(root)
    in_order = rows.sort("event_timestamp")
    for part in range(3):
        share = in_order.slice(part * len(rows) // 3, (part + 1) * len(rows) // 3 - part * len(rows) // 3)
        write_deltalake(lake.silver("sensor_readings"), share.to_arrow(), mode="append")
    old = rows.head(1).with_columns(
        pl.lit(SILENT).alias("sensor_id"), pl.lit(NOON - timedelta(hours=9)).cast(UTC_US).alias("event_timestamp")
    )
    last = pl.concat([in_order.filter(pl.col("event_timestamp") < NOON - MINUTE), old])
    last = last.group_by("sensor_id").agg(pl.all().last())
    beyond = windows(rows).filter(pl.col("alerts") > 0).with_columns(pl.lit("HIGH_TEMP").alias("alert_type"))
    for name, frame in (
        ("last_values", last),
        ("readings_5m", windows(rows, "sensor_id")),
        ("location_extremes", windows(rows, "location")),
        ("alerts_by_type", beyond),
    ):
        write_deltalake(lake.gold(f"sensors/{name}"), frame.to_arrow())
    write_deltalake(lake.alerts("sensors"), pa.Table.from_pylist(list(alerts), ALERTS))
    return lake


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return readings()


@pytest.fixture(scope="module")
def lake(rows: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return filled(tmp_path_factory.mktemp("lake"), rows)


@pytest.fixture(scope="module")
def view(lake: Lake) -> View:
    return View(lake)


def newest_of(rows: pl.DataFrame) -> pl.DataFrame:
    """What is known of each sensor, as the page counts it."""
    known = rows.group_by("sensor_id").agg(pl.all().sort_by("event_timestamp").last())
    old = pl.DataFrame({**rows.row(0, named=True), "sensor_id": SILENT, "event_timestamp": NOON - timedelta(hours=9)},
                       READING)  # fmt: skip
    return pl.concat([known, old.select(known.columns)]).with_columns(
        heard=pl.col("event_timestamp") > NOON - 10 * MINUTE, wrong=pl.col("sensor_id").is_in(["SENSOR_000", SILENT])
    )


def places_of(rows: pl.DataFrame, by: str) -> dict[Any, tuple[Any, ...]]:
    heard = pl.col("temperature_c").filter(pl.col("heard")).mean()
    counted = newest_of(rows).group_by(by).agg(
        pl.len(), pl.col("wrong").sum(), (~pl.col("heard")).sum().alias("silent"), heard
    )  # fmt: skip
    return {row[0]: row[1:] for row in counted.iter_rows()}


def said(found: DataFrame, by: str) -> dict[Any, tuple[Any, ...]]:
    columns = pl.from_pandas(found[[by, "sensors", "in_alert", "silent", "mean_c"]], nan_to_null=True)
    return {row[0]: row[1:] for row in columns.iter_rows()}


def same(one: dict[Any, tuple[Any, ...]], other: dict[Any, tuple[Any, ...]]) -> bool:
    return one.keys() == other.keys() and all(one[key] == pytest.approx(other[key]) for key in one)


def test_buildings_floors_and_sensors_are_what_polars_counts(view: View, rows: pl.DataFrame) -> None:
    buildings, floors = figures.buildings(view), figures.floors(view, "A")
    nowhere, sensors = figures.floors(view, None), figures.sensors(view, "A")

    in_a = rows.filter(pl.col("building") == "A")
    of_a = {key: row for key, row in places_of(rows, "sensor_id").items() if key in set(in_a["sensor_id"])}
    of_a |= {} if rows.row(0, named=True)["building"] != "A" else {SILENT: places_of(rows, "sensor_id")[SILENT]}
    assert same(said(buildings, "building"), places_of(rows, "building"))
    assert same(said(sensors, "sensor_id"), of_a)
    assert floors["sensors"].sum() == len(of_a) == buildings.set_index("building").loc["A", "sensors"]
    assert set(said(floors, "floor")) == {1, 2, None}
    assert list(nowhere["sensors"]) == [places_of(rows, "building")[None][0]]
    assert list(buildings["in_alert"]) == sorted(buildings["in_alert"], reverse=True)


def test_the_small_lines_have_the_mean_of_each_of_the_last_30_minutes(view: View, rows: pl.DataFrame) -> None:
    [line] = figures.buildings(view).query("building == 'B'")["means_c"]

    recent = rows.filter(pl.col("building") == "B", pl.col("event_timestamp") > NOON - 30 * MINUTE)
    minute = (pl.lit(NOON) - pl.col("event_timestamp")).dt.total_microseconds() // 60_000_000
    means = dict(recent.group_by(minute).agg(pl.col("temperature_c").mean()).iter_rows())
    assert line == pytest.approx([means.get(29 - at) for at in range(30)])


def test_pace_open_alerts_and_windows_are_what_polars_counts(view: View, rows: pl.DataFrame) -> None:
    [pace] = figures.pace(view).to_dict("records")
    alerts = figures.open_alerts(view).to_dict("records")
    beyond = figures.beyond_limits(view)

    last = rows.filter(pl.col("event_timestamp") > NOON - MINUTE)
    before = rows.filter(pl.col("event_timestamp").is_between(NOON - 2 * MINUTE, NOON - MINUTE, closed="right"))
    assert pace == {"newest": NOON, "a_second": len(last) / 60, "a_second_before": len(before) / 60}
    assert {(row["rule"], row["severity"], row["alerts"]) for row in alerts} == {
        ("HIGH_TEMP", "warning", 1), ("RISING", "info", 1), ("SILENT", "critical", 1),
    }  # fmt: skip
    expected = windows(rows).filter(pl.col("alerts") > 0).sort("window_start")
    assert len(expected) > 3
    assert list(beyond["alerts"]) == expected["alerts"].to_list()
    assert figures.closed_until(view) == windows(rows)["window_end"].max()


def test_the_history_of_a_sensor_is_what_polars_finds(view: View, rows: pl.DataFrame) -> None:
    of_it = rows.filter(pl.col("sensor_id") == "SENSOR_001").sort("event_timestamp")

    measured = figures.readings_of(view, "SENSOR_001")
    closed = figures.windows_of(view, "SENSOR_001")
    alerts = figures.alerts_of(view, "SENSOR_001", NOON - timedelta(hours=6))

    recent = of_it.filter(pl.col("event_timestamp") > NOON - 30 * MINUTE)
    assert len(recent) > 50
    assert list(measured["temperature_c"]) == recent["temperature_c"].to_list()
    assert list(measured["event_timestamp"]) == recent["event_timestamp"].to_list()
    expected = windows(of_it, "sensor_id").sort("window_start")
    assert list(closed["mean_c"]) == pytest.approx(expected["mean_c"].to_list())
    assert list(closed["max_c"]) == expected["max_c"].to_list()
    assert list(alerts["rule"]) == ["HIGH_TEMP"]


def test_latency_is_from_a_reading_to_its_commit_and_putting_files_together_changes_nothing(tmp_path: Path) -> None:
    rows = readings(300)
    path = filled(tmp_path, rows).silver("sensor_readings")
    commits = sorted(DeltaTable(path).history(), key=lambda commit: int(commit["version"]))
    at = [datetime.fromtimestamp(commit["timestamp"] / 1_000, UTC) for commit in commits]

    found = figures.latency(Lake.at(tmp_path))
    DeltaTable(path).optimize.compact()

    stood = pl.Series([at[row // 100] for row in range(300)]).cast(UTC_US)
    late = (stood - rows.sort("event_timestamp")["event_timestamp"]).dt.total_microseconds() / 1e6
    assert found == pytest.approx((300, late.median(), late.quantile(0.95, "linear"), True))
    assert figures.latency(Lake.at(tmp_path)) == found
    DeltaTable(path).vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert figures.latency(Lake.at(tmp_path)) == (0, None, None, False)


@pytest.mark.parametrize(("minutes", "is_backlog"), [(10, True), (1, False)])
def test_a_latency_says_whether_it_is_of_a_backlog(tmp_path: Path, minutes: int, is_backlog: bool) -> None:
    rows = readings(300).with_columns(
        (NOON - pl.duration(seconds=pl.int_range(300) * (minutes / 5))).cast(UTC_US).alias("event_timestamp")
    )
    app = seen(filled(tmp_path, rows))

    [late] = [tile for tile in app.metric if tile.label == "Latency to silver"]

    assert (late.delta == "catching up with a backlog") is is_backlog
    assert ("Some had waited for the run to read them." in late.help) is is_backlog


def seen(lake: Lake, seconds: float = 30) -> AppTest:
    """The page as a person meets it."""

    def draw(root: str) -> None:
        from vigie.dashboard.view import View
        from vigie.lake import Lake
        from vigie.sensors.page import page

        page(View(Lake.at(root)))

    return AppTest.from_function(draw, kwargs={"root": str(lake.root)}, default_timeout=seconds).run()


def test_the_page_shows_the_figures_and_says_that_they_are_old(lake: Lake, rows: pl.DataFrame) -> None:
    page = seen(lake)

    assert not page.exception and not page.error
    shown = {tile.label: tile.value for tile in page.metric}
    last_minute = len(rows.filter(pl.col("event_timestamp") > NOON - MINUTE))
    assert shown["Readings"] == f"{last_minute / 60:,.1f} a second"
    assert shown["Open alerts"] == "3"
    known = newest_of(rows)
    assert shown["Sensors heard"] == str(known["heard"].sum())
    assert shown["Mean temperature"] == f"{known.filter('heard')['temperature_c'].to_numpy().mean():.1f} °C"
    assert "Last data" in page.warning[0].value and "vigie run sensors" in page.warning[0].value
    assert any("Windows closed up to 2026-11-21 11:50 UTC" in caption.value for caption in page.caption)


def test_another_building_and_sensor_are_chosen_from_lists_and_stay_chosen(rows: pl.DataFrame, tmp_path: Path) -> None:
    lake = filled(tmp_path, rows)
    page = seen(lake)

    page.selectbox(key="sensors-building").select("not known").run()
    assert page.selectbox(key="sensors-one").options[0] == "SENSOR_004"
    page.selectbox(key="sensors-building").select("A").run()
    page.selectbox(key="sensors-one").select("SENSOR_001").run()
    others = [an_alert(f"SENSOR_{number:03}", "STUCK") for number in (2, 3, 7, 8)]
    write_deltalake(lake.alerts("sensors"), pa.Table.from_pylist(others, ALERTS), mode="append")
    page.run()

    assert not page.exception and not page.error
    assert {tile.label: tile.value for tile in page.metric}["Open alerts"] == "7"
    assert page.selectbox(key="sensors-building").value == "A"
    assert page.selectbox(key="sensors-one").value == "SENSOR_001"
    [alerts] = [table.value for table in page.dataframe if "opened_at" in table.value]
    assert list(alerts["rule"]) == ["HIGH_TEMP"]


def test_a_lake_that_is_not_there_is_a_sentence_with_the_command_that_makes_it(tmp_path: Path) -> None:
    page = seen(Lake.at(tmp_path / "none"))

    assert not page.exception and not page.error
    assert page.header[0].value == "Nothing to see yet"
    assert page.code[0].value == f"vigie demo sensors --lake {tmp_path / 'none'}"


def test_silver_alone_is_shown_and_what_is_missing_is_said(tmp_path: Path) -> None:
    write_deltalake(Lake.at(tmp_path).silver("sensor_readings"), readings(200).to_arrow())

    page = seen(Lake.at(tmp_path))

    assert not page.exception and not page.error
    assert {"No alert has been looked for yet. They come with the run: " f"`vigie run sensors --lake {tmp_path}`",
            "No window has closed yet: five minutes close ten minutes after they are over."} <= {
        info.value for info in page.info}  # fmt: skip


def test_a_table_without_rows_is_no_damage(tmp_path: Path) -> None:
    write_deltalake(Lake.at(tmp_path).silver("sensor_readings"), readings(10).clear().to_arrow())

    page = seen(Lake.at(tmp_path))

    assert not page.exception and not page.error
    assert page.header[0].value == "Nothing to see yet"


def test_a_damaged_table_is_a_sentence_and_never_a_stack_trace(tmp_path: Path) -> None:
    path = filled(tmp_path, readings(300)).silver("sensor_readings")
    for file in path.glob("*.parquet"):
        file.write_bytes(b"no parquet")

    page = seen(Lake.at(tmp_path))

    assert not page.exception
    assert page.error
    assert all("The table cannot be read" in error.value and "copy of the lake" in error.value for error in page.error)
