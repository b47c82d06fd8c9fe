"""Pictures of flights: what they draw is what is in the frame, in both languages, whatever else is in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

import duckdb
import nbformat
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, Wedge
from matplotlib.text import Text
from nbclient import NotebookClient

from tests.dashboard.lakes import positions
from vigie.flights import pictures
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH
from vigie.language import Language

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NARROW = "\u202f"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OF_ROWS: list[Callable[..., Figure]] = [
    pictures.altitudes, pictures.phases, pictures.speeds, pictures.correlations, pictures.traffic, pictures.classes,
]  # fmt: skip
CONFUSION = pd.DataFrame(
    [[90, 7, 3], [2, 40, 8], [0, 5, 15]], index=["Heavy", "Light", "Other"], columns=["Heavy", "Light", "Other"]
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Reports of 60 aircraft in 15 minutes, with nulls and impossible values among them."""
    made = pd.DataFrame(positions(60, 15))
    made["latitude"] += np.linspace(0, 1, len(made))
    made["vertical_rate_ms"] = np.sin(np.arange(len(made))) * 10
    return made


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text) if each.get_text().strip()]


def counted_by(sql: str, **frames: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What DuckDB answers about frames, in UTC."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        for name, frame in frames.items():
            database.register(name, frame)
        return database.execute(sql).fetchall()


def points(figure: Figure) -> list[float]:
    """How high the one line of a picture is, point by point."""
    [line] = figure.axes[0].lines
    return [float(value) for value in np.asarray(line.get_ydata(), dtype=float)]


def cells(figure: Figure, side: int) -> Any:
    """The values of a heatmap of so many rows and columns."""
    return np.ma.filled(np.ma.asarray(figure.axes[0].collections[0].get_array()), np.nan).reshape(side, side)


def bars(figure: Figure) -> list[Rectangle]:
    return [each for each in figure.axes[0].patches if isinstance(each, Rectangle)]


def test_the_histogram_counts_the_reports_of_each_band(rows: pd.DataFrame) -> None:
    drawn = bars(pictures.altitudes(rows))

    counted = counted_by(
        f"""SELECT floor(altitude_meters / 500) * 500 AS band, count(*) FROM rows
        WHERE altitude_meters BETWEEN {ALTITUDES_M[0]} AND {ALTITUDES_M[1]} GROUP BY band ORDER BY band""",
        rows=rows,
    )
    assert {round(bar.get_x()): bar.get_height() for bar in drawn if bar.get_height()} == dict(counted)
    assert len(pictures.altitudes(rows).axes[0].lines) == 1, "the density"


def test_the_pie_shows_the_share_of_each_phase(rows: pd.DataFrame) -> None:
    figure = pictures.phases(rows)

    shares = dict(pl.from_pandas(rows[["flight_phase"]])["flight_phase"].value_counts(normalize=True).iter_rows())
    wedges = [each for each in figure.axes[0].patches if isinstance(each, Wedge)]
    drawn = [(each.theta2 - each.theta1) / 360 for each in wedges]
    assert drawn == pytest.approx([shares[name] for name in pictures.PHASES], abs=1e-6)
    assert [each.get_facecolor()[:3] for each in wedges] == [to_rgb(colour) for colour in pictures.PHASES.values()]


def test_a_bar_is_as_long_as_the_mean_speed_of_its_country(rows: pd.DataFrame) -> None:
    figure = pictures.speeds(rows)

    means = dict(
        pl.from_pandas(rows[["origin_country", "velocity_kmh", "on_ground"]])
        .filter(~pl.col("on_ground") & pl.col("velocity_kmh").is_between(*SPEEDS_KMH))
        .group_by("origin_country")
        .agg(pl.col("velocity_kmh").mean())
        .iter_rows()
    )
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert {name: bar.get_width() for name, bar in zip(names, bars(figure), strict=True)} == pytest.approx(means)
    assert list(means[name] for name in names) == sorted(means.values(), reverse=True)


def test_of_many_countries_the_15_with_most_reports_are_drawn(rows: pd.DataFrame) -> None:
    some = rows.assign(on_ground=False, velocity_kmh=500.0)

    figure = pictures.speeds(pd.concat([some.head(3 + at).assign(origin_country=f"C{at:02}") for at in range(20)]))

    drawn = {label.get_text() for label in figure.axes[0].get_yticklabels()}
    assert drawn == {f"C{number:02}" for number in range(5, 20)}


def test_correlations_are_those_of_the_possible_values(rows: pd.DataFrame) -> None:
    figure = pictures.correlations(rows)

    [[expected]] = counted_by(
        f"""SELECT corr(altitude_meters, velocity_kmh) FROM rows
        WHERE altitude_meters BETWEEN {ALTITUDES_M[0]} AND {ALTITUDES_M[1]}
        AND velocity_kmh BETWEEN {SPEEDS_KMH[0]} AND {SPEEDS_KMH[1]}""",
        rows=rows,
    )
    drawn = cells(figure, 7)
    assert drawn[0, 1] == pytest.approx(expected)
    assert np.allclose(np.diag(drawn), 1)


def test_traffic_counts_aircraft_and_not_reports_in_each_whole_minute(rows: pd.DataFrame) -> None:
    silent = rows[~rows["event_timestamp"].between(NOON - timedelta(minutes=8), NOON - timedelta(minutes=7))]

    drawn = points(pictures.traffic(silent))

    counted = counted_by(
        """SELECT count(DISTINCT icao24) FILTER (icao24 IS NOT NULL) FROM
        range((SELECT date_trunc('minute', min(event_timestamp)) FROM silent),
            (SELECT max(event_timestamp) FROM silent), INTERVAL 1 MINUTE) AS minutes(start)
        LEFT JOIN silent ON event_timestamp >= start AND event_timestamp < start + INTERVAL 1 MINUTE
        GROUP BY start ORDER BY start""",
        silent=silent,
    )
    assert drawn == [count for (count,) in counted[1:-1]]
    assert 0 in drawn


def test_traffic_is_of_a_day_however_old_a_report_is(rows: pd.DataFrame) -> None:
    old = rows.head(1).assign(event_timestamp=datetime(1990, 1, 1, tzinfo=UTC))

    drawn = points(pictures.traffic(pd.concat([old, rows])))

    assert len(drawn) <= 15


def test_the_confusion_matrix_shows_shares_of_each_actual_class_and_counts() -> None:
    figure = pictures.confusion(CONFUSION)

    shares = cells(figure, 3)
    assert shares[1].tolist() == pytest.approx([0.04, 0.8, 0.16])
    assert "80.0%\n40" in texts(figure)


def test_classes_are_counted_with_those_that_send_none(rows: pd.DataFrame) -> None:
    figure = pictures.classes(rows)

    counts = rows["aircraft_class"].fillna("").value_counts()
    assert [bar.get_width() for bar in bars(figure)] == [counts[name] for name in pictures.CLASSES]


@pytest.mark.parametrize("draw", OF_ROWS, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_text_of_a_picture_is_cut_off(draw: Callable[..., Figure], language: str, rows: pd.DataFrame) -> None:
    long = rows.assign(origin_country=rows["origin_country"] + " and all of its territories overseas")

    assert is_whole(draw(long, language))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_text_of_a_confusion_matrix_is_cut_off(language: str) -> None:
    assert is_whole(pictures.confusion(CONFUSION * 12_345, language))


def is_whole(figure: Figure) -> bool:
    """Whether all that is drawn lies within the picture, once it has been laid out."""
    figure.canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return bool(drawn.x0 > -0.02 and drawn.y0 > -0.02 and drawn.x1 < width + 0.02 and drawn.y1 < height + 0.02)


@pytest.mark.parametrize("draw", OF_ROWS, ids=lambda draw: draw.__name__)
def test_absurd_values_and_nulls_change_nothing_but_what_is_said_of_them(
    draw: Callable[..., Figure], rows: pd.DataFrame
) -> None:
    absurd: list[dict[str, Any]] = [
        {"altitude_meters": 1e308, "velocity_kmh": math.inf, "vertical_rate_ms": -1e308, "heading_deg": math.nan},
        {"altitude_meters": 15_000.0, "velocity_kmh": -5.0, "vertical_rate_ms": None, "on_ground": None},
    ]
    same = {"icao24": rows["icao24"].iloc[0], "event_timestamp": rows["event_timestamp"].iloc[0]}
    worse = pd.concat([rows, pd.DataFrame([{**same, **each} for each in absurd]).reindex(columns=rows.columns)])

    assert limits_of(draw(worse)) == pytest.approx(limits_of(draw(rows)), rel=0.02)


def limits_of(figure: Figure) -> list[float]:
    axes = figure.axes[0]
    return [*axes.get_xlim(), *axes.get_ylim()]


@pytest.mark.parametrize("draw", OF_ROWS, ids=lambda draw: draw.__name__)
def test_a_frame_without_rows_gives_a_picture_that_says_there_is_nothing(
    draw: Callable[..., Figure], rows: pd.DataFrame
) -> None:
    assert "Nothing to draw: no row has these values." in texts(draw(rows.head(0)))
    assert "Rien à tracer : aucune ligne n’a ces valeurs." in texts(draw(rows.head(0), "fr"))


def test_a_confusion_matrix_of_nothing_says_so() -> None:
    assert "Nothing to draw: no row has these values." in texts(pictures.confusion(CONFUSION * 0))


def test_a_single_report_can_be_drawn(rows: pd.DataFrame) -> None:
    one = rows[rows["altitude_meters"].between(*ALTITUDES_M) & rows["velocity_kmh"].between(*SPEEDS_KMH)].head(1)

    assert sum(bar.get_height() for bar in bars(pictures.altitudes(one))) == 1
    assert len(bars(pictures.speeds(one.assign(on_ground=False)))) == 1


def test_labels_are_in_the_language_that_is_asked_for_with_its_decimals(rows: pd.DataFrame) -> None:
    english, french = pictures.phases(rows), pictures.phases(rows, "fr")

    is_climb = rows["flight_phase"] == "CLIMB"
    share, count = 100 * is_climb.mean(), int(is_climb.sum())
    assert f"Climb, {share:.1f}% ({count:,})" in texts(english)
    assert f"Montée, {f'{share:.1f}'.replace('.', ',')}\u202f% ({f'{count:,}'.replace(',', NARROW)})" in texts(french)
    assert "Altitude (m)" in texts(pictures.altitudes(rows, "fr"))
    assert any("hors de \u2212100 à 12\u202f000 m" in each for each in texts(pictures.altitudes(rows, "fr")))


def test_a_language_that_is_not_there_is_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="'de' is not a valid Language"):
        pictures.phases(rows, "de")


def test_a_name_from_the_data_is_no_formula(rows: pd.DataFrame) -> None:
    figure = pictures.speeds(rows.assign(origin_country="$\\frac{1}{2}$\nX", on_ground=False, velocity_kmh=500.0))

    assert is_whole(figure)
    [label] = [each.get_text() for each in figure.axes[0].get_yticklabels()]
    assert label == "\\$\\frac{1}{2}\\$\\nX"


# How colours look to those who lack one kind of cone (Machado, Oliveira, Fernandes 2009), in linear RGB.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("colours", [pictures.PHASES, pictures.CLASSES], ids=["phases", "classes"])
def test_colours_can_be_told_apart_by_the_colour_blind(kind: str, colours: dict[str, str]) -> None:
    seen = [seen_as(colour, kind) for colour in colours.values()]

    assert min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2)) > 0.08


def seen_as(colour: str, kind: str) -> Any:
    """A colour in Oklab as such a person sees it: 0.02 is a difference that is just seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(BLINDNESS[kind]) @ linear, 0, 1)
    cones = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]) @ seen
    mix = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    return np.array(mix) @ np.cbrt(cones)


def test_a_notebook_shows_a_picture_that_is_the_last_line_of_a_cell() -> None:
    source = (
        "import pandas as pd\nfrom vigie.flights import pictures\n"
        "pictures.phases(pd.DataFrame({'flight_phase': ['CLIMB', 'CRUISE']}))"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])

    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    [output] = notebook.cells[0].outputs
    assert "image/png" in output["data"]


def test_a_sample_is_bounded_and_the_same_for_the_same_seed(spark: SparkSession) -> None:
    table = spark.range(30_000)

    first, again, other = (pictures.sample(table, seed=seed)["id"].tolist() for seed in (1, 1, 2))

    assert 9_000 < len(first) <= pictures.ROWS
    assert first == again
    assert first != other
    assert max(first) > 29_000, "it is drawn from all over the table"
    assert len(pictures.sample(table, 1.0)) == pictures.ROWS
    assert len(pictures.sample(table.limit(5))) == 5


def test_numbers_are_written_as_each_language_does() -> None:
    assert Language.EN.number(-1_234.56, 1) == "\u22121,234.6"
    assert Language.FR.number(1_234_567.891, 2) == "1\u202f234\u202f567,89"
    assert Language.FR.number(-0.04, 1) == "0,0"
    assert Language.EN.percent(0.1234) == "12.3%"
    assert Language.FR.percent(0.1234) == "12,3\u202f%"
    assert Language.FR.day(datetime(2026, 8, 1, tzinfo=UTC)) == "1er août 2026"
    assert Language.EN.day(NOON) == "21 November 2026"


def test_traffic_of_one_minute_is_seen(rows: pd.DataFrame) -> None:
    figure = pictures.traffic(rows.head(1))

    assert points(figure) == [1]
    assert figure.axes[0].lines[0].get_marker() == "o"
