"""The page of flights: what it says is what Polars finds in the same rows, and each of its states is a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.lakes import (
    ANOMALIES,
    PHASE_COUNTS,
    POSITIONS,
    a_lake,
    a_position,
    anomalies,
    phase_counts,
    positions,
    write,
)
from vigie.dashboard.look import each_minute
from vigie.dashboard.view import View
from vigie.flights import page as flights
from vigie.flights.live_map import PHASE_COLOURS, figure, map_style
from vigie.lake import Lake

ROWS = positions(40, 12)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return a_lake(tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def reports() -> pl.DataFrame:
    """The same rows, as Polars has them."""
    rows = pl.from_arrow(pa.Table.from_pylist(ROWS, POSITIONS))
    assert isinstance(rows, pl.DataFrame)
    return rows.with_columns(
        is_anomaly=~pl.col("altitude_meters").is_between(-100, 12_000).fill_null(True)
        | ~pl.col("velocity_kmh").is_between(0, 1_000).fill_null(True)
    )


def minute(reports: pl.DataFrame, ago: int) -> pl.DataFrame:
    """The reports of the last minute, or of one before it."""
    newest = reports["event_timestamp"].max()
    assert isinstance(newest, datetime)
    end, start = newest - timedelta(minutes=ago), newest - timedelta(minutes=ago + 1)
    return reports.filter((pl.col("event_timestamp") > start) & (pl.col("event_timestamp") <= end))


def test_the_tiles_say_what_polars_finds_in_the_last_minute_and_the_one_before(
    lake: Lake, reports: pl.DataFrame
) -> None:
    found = flights.last_minute(View(lake))

    for row, expected in zip(found, (minute(reports, 0), minute(reports, 1)), strict=True):
        aloft = expected.filter(~pl.col("on_ground") & ~pl.col("is_anomaly"))
        assert row["aircraft"] == expected["icao24"].n_unique()
        assert row["altitude_m"] == pytest.approx(aloft["altitude_meters"].mean())
        assert row["speed_kmh"] == pytest.approx(aloft["velocity_kmh"].mean())
        assert row["anomalies_pct"] == pytest.approx(100 * expected["is_anomaly"].sum() / len(expected))


def test_the_map_has_the_newest_report_of_each_aircraft_of_the_last_minute(lake: Lake, reports: pl.DataFrame) -> None:
    expected = minute(reports, 0).sort("event_timestamp").group_by("icao24").last().sort("icao24")

    found = View(lake).ask(flights.NOW, positions=flights.POSITIONS)

    assert found["icao24"].tolist() == expected["icao24"].to_list()
    assert found["longitude"].tolist() == expected["longitude"].to_list()
    assert found["flight_phase"].value_counts().to_dict() == dict(expected["flight_phase"].value_counts().iter_rows())


def test_countries_are_those_with_the_most_reports_that_are_impossible_each_counted_once(lake: Lake) -> None:
    windows = pl.from_dicts(anomalies(90)).filter(pl.col("window_start").dt.minute() % 5 == 0)
    counted = windows.with_columns(wrong=(pl.col("anomaly_rate") * pl.col("total_observations")).round())
    expected = counted.group_by("origin_country").agg(pl.col("wrong").sum()).filter(pl.col("wrong") > 0)

    found = flights.most_anomalies(View(lake))

    assert dict(found.itertuples(index=False)) == dict(expected.iter_rows())
    assert found["anomalies"].is_monotonic_decreasing


def test_hours_are_those_of_the_clock_that_the_viewer_chose(lake: Lake) -> None:
    zone = ZoneInfo("Asia/Kolkata")  # half an hour off, so that hours of UTC would be cut otherwise
    windows = pl.from_dicts(anomalies(90)).filter(pl.col("window_start").dt.minute() % 5 == 0)
    local = pl.col("window_start").dt.convert_time_zone(zone.key).dt.replace_time_zone(None)
    expected = (
        windows.with_columns(
            hour=local.dt.truncate("1h"), wrong=(pl.col("anomaly_rate") * pl.col("total_observations")).round()
        )
        .group_by("origin_country", "hour")
        .agg(pl.col("wrong").sum())
    )

    found = flights.by_hour(View(lake, zone=zone))

    assert {(row.origin_country, row.hour.to_pydatetime()): row.anomalies for row in found.itertuples()} == {
        (country, hour): wrong for country, hour, wrong in expected.iter_rows()
    }


def test_critical_windows_are_those_in_which_more_than_a_tenth_is_impossible(lake: Lake) -> None:
    expected = pl.from_dicts(anomalies(90)).filter(pl.col("anomaly_rate") > 0.1)

    found = flights.critical_windows(View(lake))

    assert len(found) == min(100, len(expected)) > 0
    assert found["window_end"].max() == expected["window_end"].max()
    assert (found["anomaly_rate"] > 0.1).all()


def test_the_map_turns_each_aircraft_where_it_heads_in_the_colour_of_its_phase(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    climbing = a_position(icao24="a", heading_deg=270.0, flight_phase="CLIMB")
    unknown = a_position(icao24="b", heading_deg=None, flight_phase="GROUND", callsign=None)
    write(lake.silver("flights_ml"), [climbing, unknown], POSITIONS)
    view = View(lake)
    aircraft = view.ask(flights.NOW, positions=flights.POSITIONS)
    trails = view.ask(flights.TRAILS, positions=flights.POSITIONS)

    drawn = figure(aircraft, trails, "a", map_style(False, "http://127.0.0.1:8501/flights"))

    arrows = {trace.name: trace for trace in drawn.data if trace.name}
    assert list(arrows["Climb"].marker.angle) == [270.0]
    assert arrows["Climb"].marker.color == PHASE_COLOURS["CLIMB"]
    assert list(arrows["Ground"].marker.angle) == [0.0]
    assert arrows["Climb"].customdata[0][0] == "a"


@pytest.mark.parametrize("dark", [False, True])
def test_the_map_asks_only_the_server_that_gave_the_page(dark: bool) -> None:
    style = map_style(dark, "http://127.0.0.1:8501/flights")

    assert style["sprite"] == "http://127.0.0.1:8501/app/static/arrows"
    assert style["sources"]["land"]["data"] == "http://127.0.0.1:8501/app/static/land.json"
    assert "glyphs" not in style


def shown(root: str, module: str = "vigie.flights.page") -> None:
    """What AppTest runs as a script: it is read as text, so that all it needs is in it."""
    import importlib

    from vigie.dashboard.view import View
    from vigie.lake import Lake

    importlib.import_module(module).page(View(Lake.at(root)))


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error, app.success, app.code, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def run(root: Path) -> AppTest:
    return AppTest.from_function(shown, kwargs={"root": str(root)}, default_timeout=30).run()


def test_a_lake_that_is_not_there_is_a_sentence_with_the_command_that_makes_it(tmp_path: Path) -> None:
    app = run(tmp_path / "lake")

    assert not app.exception
    assert "has no table `silver/flights_ml`" in texts(app)
    assert f"vigie demo flights --lake {tmp_path / 'lake'}" in texts(app)


def test_a_full_lake_is_shown_with_its_figures_and_their_units(lake: Lake) -> None:
    app = run(lake.root)

    tiles = {metric.label: metric.value for metric in app.metric}
    [last, _] = flights.last_minute(View(lake))
    assert not app.exception
    assert not app.error
    assert tiles["Active flights"] == f"{last['aircraft']:,}"
    assert tiles["Mean altitude"] == f"{last['altitude_m']:,.0f} m"
    assert tiles["Mean speed"] == f"{last['speed_kmh']:,.0f} km/h"
    assert tiles["Anomaly rate"] == f"{last['anomalies_pct']:.2f} %"
    assert all("in a minute" in metric.delta for metric in app.metric)
    assert "Windows closed up to 2026-11-21 12:00 UTC." in texts(app)


def test_data_that_is_old_is_called_stale_and_says_what_to_start(lake: Lake) -> None:
    assert f"If the feed or the run has stopped: `vigie run flights --lake {lake}`" in texts(run(lake.root))


def test_data_that_is_new_is_not_called_stale(tmp_path: Path) -> None:
    a_lake(tmp_path, until=datetime.now(UTC), aircraft=3)

    said = texts(run(tmp_path))

    assert "Last data" in said
    assert "has stopped" not in said


def test_windows_that_are_not_there_yet_leave_the_rest_of_the_page_as_it_is(tmp_path: Path) -> None:
    write(Lake.at(tmp_path).silver("flights_ml"), positions(3, 2), POSITIONS)

    app = run(tmp_path)

    assert not app.exception
    assert [metric.label for metric in app.metric][0] == "Active flights"
    assert "There is no table gold/streaming_aggregations/anomaly_alerts yet." in texts(app)


def test_windows_that_appear_later_are_shown(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write(lake.silver("flights_ml"), positions(3, 2), POSITIONS)
    app = run(tmp_path)
    assert "There is no table gold/streaming_aggregations/flight_phase_counts yet." in texts(app)

    write(lake.gold("streaming_aggregations/flight_phase_counts"), phase_counts(3), PHASE_COUNTS)
    write(lake.gold("streaming_aggregations/anomaly_alerts"), anomalies(3), ANOMALIES)

    assert "There is no table" not in texts(app.run())


def test_a_table_that_cannot_be_read_is_a_sentence_and_no_trace(tmp_path: Path) -> None:
    lake = a_lake(tmp_path, aircraft=3)
    for file in lake.silver("flights_ml").glob("*.parquet"):
        file.unlink()

    app = run(tmp_path)

    assert not app.exception
    assert "A file of the table is gone" in texts(app)
    assert "Traceback" not in texts(app)


def test_a_choice_of_aircraft_tells_all_about_it(lake: Lake) -> None:
    app = run(lake.root)
    [chosen] = app.selectbox

    said = texts(chosen.select("000001").run())

    for word in ("Country", "Altitude", "Vertical rate", "m/s", "Heading", "°", "Class", "Heard"):
        assert word in said


def test_an_image_in_a_report_is_shown_letter_by_letter(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    write(lake.silver("flights_ml"), [a_position(origin_country="![](https://elsewhere.example/x.png)")], POSITIONS)

    app = run(lake.root)
    [chosen] = app.selectbox
    said = texts(chosen.select("3944ef").run())

    assert r"\!\[\](https\://elsewhere.example/x.png)" in said


def test_a_minute_without_aircraft_is_drawn_as_none(lake: Lake) -> None:
    noon = pd.Timestamp("2025-06-01 12:00", tz="UTC")
    counted = pd.DataFrame({"CRUISE": [5, 7]}, index=[noon, noon + timedelta(minutes=3)])

    assert list(each_minute(counted)["CRUISE"]) == [5, 0, 0, 7]
