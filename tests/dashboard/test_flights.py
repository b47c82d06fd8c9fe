"""The page of flights: what it says is what Polars finds in the same rows, and each of its states is a sentence."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.lakes import (
    ANOMALIES,
    NOON,
    PHASE_COUNTS,
    POSITIONS,
    a_lake,
    a_position,
    anomalies,
    phase_counts,
    positions,
    write,
)
from vigie.dashboard import serving
from vigie.dashboard.look import each_minute, whole_minutes
from vigie.dashboard.view import View
from vigie.flights import page as flights
from vigie.flights.live_map import FOLDER, MODULES, look, snapshot
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
    newest = newest_of(reports)
    since = reports.filter(pl.col("event_timestamp") > newest - timedelta(minutes=ago + 1))
    return since.filter(pl.col("event_timestamp") <= newest - timedelta(minutes=ago)) if ago else since


def newest_of(reports: pl.DataFrame) -> datetime:
    """When nine of ten aircraft were last heard."""
    heard = reports.group_by("icao24").agg(pl.col("event_timestamp").max())["event_timestamp"].sort()
    newest = heard[-(-9 * len(heard) // 10) - 1]
    assert isinstance(newest, datetime)
    return newest


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


def test_an_aircraft_whose_clock_is_ahead_makes_no_others_old(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    ahead = a_position(icao24="ahead", event_timestamp=NOON + timedelta(seconds=59))
    write(lake.silver("flights_ml"), [*positions(40, 3), ahead], POSITIONS)

    [last, before] = flights.last_minute(View(lake))

    assert (last["aircraft"], before["aircraft"]) == (41, 40)
    assert last["newest"] <= NOON
    assert len(told(lake)["aircraft"]["icao24"]) == 41
    assert told(lake)["newest"] <= NOON.timestamp()


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


def told(lake: Lake, chosen: str | None = None, dark: bool = False) -> dict[str, Any]:
    """What the page hands over to the map."""
    seen = flights.sight(View(lake), chosen)
    return snapshot(seen, NOON, zone="UTC", dark=dark, page="http://127.0.0.1:8501/flights")


def column(text: str, kind: str) -> Any:
    """Numbers as the browser reads them."""
    return np.frombuffer(base64.b64decode(text), kind)


def words(said: dict[str, Any]) -> list[str | None]:
    return [said["names"][code] for code in column(said["codes"], "<u2")]


def test_the_map_is_told_the_newest_report_of_each_aircraft(lake: Lake, reports: pl.DataFrame) -> None:
    expected = minute(reports, 0).sort("event_timestamp").group_by("icao24").last().sort("icao24")

    said = told(lake)

    aircraft = said["aircraft"]
    assert aircraft["icao24"] == expected["icao24"].to_list()
    assert aircraft["callsign"] == expected["callsign"].to_list()
    for name, kind, unit, column_name in (
        ("lon", "<i4", 1e-5, "longitude"),
        ("lat", "<i4", 1e-5, "latitude"),
        ("altitude", "<f4", 1, "altitude_meters"),
        ("speed", "<f4", 1, "velocity_kmh"),
        ("climb", "<f4", 1, "vertical_rate_ms"),
        ("heading", "<f4", 1, "heading_deg"),
    ):
        numbers = expected[column_name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        np.testing.assert_allclose(column(aircraft[name], kind) * unit, numbers, rtol=1e-6, atol=unit / 2)
    for name, column_name in (("country", "origin_country"), ("phase", "flight_phase"), ("class", "aircraft_class")):
        assert words(aircraft[name]) == expected[column_name].to_list()
    heard = said["newest"] - column(aircraft["heard"], "<f4")
    last = expected["event_timestamp"].clip(upper_bound=newest_of(expected)).dt.epoch("us").to_numpy() / 1e6
    np.testing.assert_allclose(heard, last, atol=1e-3)


def test_a_trail_is_the_way_of_the_last_ninety_seconds(lake: Lake, reports: pl.DataFrame) -> None:
    since = reports.filter(pl.col("event_timestamp") > newest_of(reports) - timedelta(seconds=90)).sort(
        "event_timestamp"
    )

    said = told(lake)

    ends = np.cumsum(column(said["trails"]["lengths"], "<u2"))
    for name, column_name in (("lon", "longitude"), ("lat", "latitude")):
        trails = np.split(column(said["trails"][name], "<i2") * 5e-5, ends[:-1])
        starts = column(said["aircraft"][name], "<i4") * 1e-5
        for icao24, start, trail in zip(said["aircraft"]["icao24"], starts, trails, strict=True):
            expected = since.filter(pl.col("icao24") == icao24)[column_name].to_numpy()
            np.testing.assert_allclose(start + trail, expected, atol=3.1e-5)


def test_the_chosen_aircraft_has_its_whole_track(lake: Lake, reports: pl.DataFrame) -> None:
    newest = reports["event_timestamp"].max()
    assert isinstance(newest, datetime)
    own = reports.filter(pl.col("icao24") == "000001", pl.col("event_timestamp") > newest - timedelta(minutes=10))

    said = told(lake, "000001")

    assert said["chosen"] == said["track"]["icao24"] == "000001"
    lats = column(said["track"]["lat"], "<i4") * 1e-5
    np.testing.assert_allclose(lats, own.sort("event_timestamp")["latitude"].to_numpy(), atol=1e-5)
    assert told(lake)["track"] is None


def test_a_lake_without_reports_is_told_as_no_aircraft(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write(lake.silver("flights_ml"), [], POSITIONS)

    said = told(lake, "000001")

    assert said["aircraft"]["icao24"] == []
    assert said["newest"] is None
    assert json.dumps(said, allow_nan=False)


def test_a_trail_does_not_reach_to_a_place_that_is_far_off(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    far = a_position(icao24="a", longitude=40.0, event_timestamp=NOON - timedelta(seconds=20))
    near = a_position(icao24="a", longitude=2.39, event_timestamp=NOON - timedelta(seconds=10))
    write(lake.silver("flights_ml"), [far, near, a_position(icao24="a")], POSITIONS)

    said = told(lake)

    assert list(column(said["trails"]["lengths"], "<u2")) == [2]
    assert list(column(said["trails"]["lon"], "<i2")) == [-200, 0]


@pytest.mark.parametrize("dark", [False, True])
def test_the_map_asks_only_the_server_that_gave_the_page(lake: Lake, dark: bool) -> None:
    said = told(lake, dark=dark)

    static = Path(serving.APP).with_name("static")
    assert {address.rsplit("/", 1)[0] for address in said["files"].values()} == {"http://127.0.0.1:8501/app/static"}
    assert all((static / address.rsplit("/", 1)[1]).is_file() for address in said["files"].values())


def test_the_colours_of_the_map_stand_out_from_sea_and_land() -> None:
    for dark in (False, True):
        colours = look(dark)
        for colour in (*colours["phases"].values(), *colours["altitudes"]["colours"], colours["accent"]):
            for behind in ("sea", "land"):
                assert contrast(colour, colours[behind]) >= 2.4, (colour, behind, dark)
        for ink in ("ink", "quiet"):
            assert contrast(colours[ink], colours["paper"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_modules_of_the_map_are_short_and_each_is_in_the_script() -> None:
    files = {file.stem: file.read_text() for file in FOLDER.glob("*.js")}

    assert set(files) == set(MODULES)
    assert all(len(text.splitlines()) < 200 for text in files.values())
    names = re.findall(r"^(?:export )?(?:const|let|function|class) (\w+)", "\n".join(files.values()), re.MULTILINE)
    assert len(names) == len(set(names)), "two modules give one name to two things, and they are joined in one script"


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
    assert "has no rows in `silver/flights_ml`" in texts(app)
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


def figures(app: AppTest) -> dict[str, list[dict[str, Any]]]:
    """The traces of each chart of a page, as the browser is given them."""
    charts = [element.proto for element in app.get("bidi_component") if "figure" in json.loads(element.proto.json)]
    return {
        each.id.split("-", 1)[1].split("-", 1)[1]: json.loads(json.loads(each.json)["figure"])["data"]
        for each in charts
    }


def numbers(column: Any) -> list[float]:
    """A column of a trace: Plotly packs those that are long."""
    if isinstance(column, dict):
        return np.frombuffer(base64.b64decode(column["bdata"]), column["dtype"]).tolist()  # type: ignore[no-any-return]
    return [float(value) for value in column]


def test_pie_and_bars_have_every_phase_those_on_the_ground_among_them(lake: Lake, reports: pl.DataFrame) -> None:
    newest = minute(reports, 0).sort("event_timestamp").group_by("icao24").last()
    expected = {phase.capitalize(): count for phase, count in newest["flight_phase"].value_counts().iter_rows()}

    drawn = figures(run(lake.root))

    [pie], [bars] = drawn["flights-shares"], drawn["flights-bars"]
    assert pie["type"] == "pie" and bars["type"] == "bar"
    assert pie["automargin"], "the label of a small share stands outside, and has its room there"
    assert dict(zip(pie["labels"], numbers(pie["values"]), strict=True)) == expected
    assert dict(zip(bars["y"], numbers(bars["x"]), strict=True)) == expected
    assert expected.keys() == {"Ground", "Takeoff", "Climb", "Cruise", "Descent"}


def test_phases_over_time_are_areas_that_stand_on_one_another(lake: Lake) -> None:
    areas = figures(run(lake.root))["flights-area"]

    assert {area["stackgroup"] for area in areas} == {areas[0]["stackgroup"]}
    whole = pl.from_dicts(phase_counts(20)).filter(pl.col("window_start") > NOON - timedelta(minutes=20))
    counted = whole.group_by("flight_phase").agg(pl.col("flight_count").sum())
    expected = {phase.capitalize(): float(count) for phase, count in counted.iter_rows()}
    assert {area["name"]: sum(numbers(area["y"])) for area in areas} == expected


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


def chosen(root: str, icao24: str) -> None:
    """The page's part about one aircraft, as AppTest runs it."""
    from vigie.dashboard.view import View
    from vigie.flights import page
    from vigie.lake import Lake

    view = View(Lake.at(root))
    page.altitudes(view, page.sight(view, icao24))


def run_chosen(root: Path, icao24: str) -> AppTest:
    return AppTest.from_function(chosen, kwargs={"root": str(root), "icao24": icao24}, default_timeout=30).run()


def test_the_chosen_aircraft_has_a_chart_of_its_altitude(lake: Lake) -> None:
    app = run_chosen(lake.root, "000001")

    assert not app.exception
    assert "**Altitude of VIG1 in the last ten minutes**" in texts(app)


def test_a_chosen_aircraft_that_is_gone_is_a_sentence(lake: Lake) -> None:
    assert "Nothing was heard of gone in the last ten minutes." in texts(run_chosen(lake.root, "gone"))


@pytest.mark.parametrize(
    ("on_ground", "said"),
    [
        (True, "AFR12 is on the ground, and reported no altitude in the last ten minutes."),
        (False, "AFR12 reported no altitude in the last ten minutes."),
        (None, "AFR12 reported no altitude in the last ten minutes."),
    ],
)
def test_a_chosen_aircraft_without_an_altitude_is_a_sentence(tmp_path: Path, on_ground: bool | None, said: str) -> None:
    lake = Lake.at(tmp_path)
    write(lake.silver("flights_ml"), [a_position(altitude_meters=None, on_ground=on_ground)], POSITIONS)

    app = run_chosen(lake.root, "3944ef")

    assert said in texts(app)
    assert figures(app) == {}


def test_an_aircraft_that_has_landed_has_its_last_altitude_as_a_point_and_a_sentence(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    landed = a_position(altitude_meters=None, on_ground=True)
    earlier = a_position(event_timestamp=NOON - timedelta(minutes=9), altitude_meters=380.0)
    write(lake.silver("flights_ml"), [earlier, landed], POSITIONS)

    app = run_chosen(lake.root, "3944ef")

    [line] = figures(app)["flights-one"]
    assert line["mode"] == "lines+markers"
    assert "AFR12 is on the ground now, and reports no altitude there." in texts(app)


def test_an_image_in_a_report_is_shown_letter_by_letter(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    write(lake.silver("flights_ml"), [a_position(callsign="![](https://elsewhere.example/x.png)")], POSITIONS)

    said = texts(run_chosen(lake.root, "3944ef"))

    assert r"\!\[\](https\://elsewhere.example/x.png)" in said


def test_a_minute_without_aircraft_is_drawn_as_none(lake: Lake) -> None:
    noon = pd.Timestamp("2025-06-01 12:00", tz="UTC")
    counted = pd.DataFrame({"CRUISE": [5, 7]}, index=[noon, noon + timedelta(minutes=3)])

    assert list(each_minute(counted)["CRUISE"]) == [5, 0, 0, 7]


def test_a_chart_begins_with_the_first_whole_minute() -> None:
    noon = pd.Timestamp("2025-06-01 12:00", tz="UTC")
    ago = {0: 1, 2: 900, 3: 2_000, 4: 2_100, 6: 1_900}  # a row that was late, the minute in which the feed began, ...
    counted = pd.DataFrame({"CRUISE": ago.values()}, index=[noon + timedelta(minutes=each) for each in ago])

    assert list(whole_minutes(counted)["CRUISE"]) == [2_000, 2_100, 0, 1_900]


def test_until_two_minutes_are_whole_a_sentence_says_that_the_chart_begins_then(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write(lake.silver("flights_ml"), positions(3, 2), POSITIONS)
    write(lake.gold("streaming_aggregations/flight_phase_counts"), phase_counts(2), PHASE_COUNTS)

    app = run(tmp_path)

    assert "The chart begins once two whole minutes are there." in texts(app)
    assert "flights-area" not in figures(app)


def test_what_cannot_be_on_the_map_is_left_out_of_it(tmp_path: Path) -> None:
    nowhere: list[dict[str, Any]] = [
        {"icao24": None},
        {"icao24": "a", "latitude": None},
        {"icao24": "b", "longitude": float("nan")},
        {"icao24": "c", "latitude": 1e9},
        {"icao24": "d", "longitude": -540.0},
        {"icao24": "e", "latitude": float("inf")},
    ]
    lake = Lake.at(tmp_path)
    write(lake.silver("flights_ml"), [a_position(), *(a_position(**fields) for fields in nowhere)], POSITIONS)

    shown_ones = flights.sight(View(lake), "3944ef")

    assert list(shown_ones.aircraft["icao24"]) == list(shown_ones.trails["icao24"]) == ["3944ef"]
    assert shown_ones.track is not None
    assert len(shown_ones.track) == 1
