"""The report on flights: its numbers are the lake's, its pages are whole, and what is wrong is said in a sentence."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import json
import os
import re
import shutil
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import typst
from deltalake import DeltaTable, write_deltalake
from PIL import Image
from typer.testing import CliRunner, Result

from tests.dashboard.lakes import ANOMALIES as WINDOWS
from tests.dashboard.lakes import NOON, POSITIONS, a_lake, a_position, anomalies, phase_counts, write
from tests.flights.models import CONFUSION, add_model
from tests.requirements import wanted
from vigie import papers
from vigie.cli import app
from vigie.errors import BadSetting
from vigie.flights import pictures
from vigie.flights.limits import ALTITUDES_M, SPEEDS_KMH
from vigie.flights.report import figures as asked
from vigie.flights.report import typeset
from vigie.flights.report.content import confusion_of, content
from vigie.flights.report.figures import Figures, Reader
from vigie.flights.report.paper import images_of
from vigie.flights.report.screens import Missing
from vigie.lake import Lake
from vigie.language import Language
from vigie.settings import Settings

TEMPLATES = Path(typeset.__file__).parent
INSTANT = pa.timestamp("us", "UTC")
MOVEMENTS = pa.schema(
    [
        ("icao24", pa.string()), ("event_timestamp", INSTANT), ("seconds", pa.float64()), ("distance_m", pa.float64()),
        ("implied_speed_kmh", pa.float64()), ("is_jump", pa.bool_()),
    ]
)  # fmt: skip
PREDICTIONS = pa.schema(
    [("predicted_class", pa.string()), ("aircraft_class", pa.string()), ("probability", pa.float64())]
)
A4_MM = (210, 297)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of a whole run, with a model."""
    lake = a_lake(tmp_path_factory.mktemp("report"))
    moved = [
        {"icao24": "a", "event_timestamp": NOON, "seconds": 10.0, "distance_m": far, "implied_speed_kmh": far * 0.36,
         "is_jump": far > 5_000} for far in (1_000.0, 2_000.0, 9_000.0)
    ]  # fmt: skip
    write(lake.gold("movements"), moved, MOVEMENTS)
    predicted = [
        {"predicted_class": said, "aircraft_class": known, "probability": 0.9}
        for said, known in (("Heavy", "Heavy"), ("Heavy", "Light"), ("Light", None), ("Unsure", "Other"))
    ]
    write(lake.gold("predictions"), predicted, PREDICTIONS)
    messages = [{"value": b"{}", "file": f"part-{number % 3}.jsonl", "line": number} for number in range(9)]
    write_deltalake(str(lake.bronze("flights_raw")), pa.Table.from_pylist(messages))
    add_model(lake)
    return lake


@pytest.fixture(scope="module")
def figures(lake: Lake) -> Figures:
    return Reader(lake).figures()


@pytest.fixture(scope="module")
def images(lake: Lake, figures: Figures) -> dict[str, bytes]:
    return images_of(figures, Reader(lake).drawn(), Language.FR)


@pytest.fixture(scope="module")
def silver(lake: Lake) -> pl.DataFrame:
    found = pl.from_arrow(DeltaTable(str(lake.silver("flights_ml"))).to_pyarrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def told(figures: Figures, images: dict[str, bytes], language: Language, **more: Any) -> dict[str, Any]:
    made = content(figures, Settings(), language, NOON, "0.1.0")
    return made | {
        "pictures": {name.partition(".")[0]: name for name in images}, "screens": {},
        "missing_screens": Missing.NO_CHROMIUM,
    } | more  # fmt: skip


def test_every_number_of_silver_is_what_polars_counts(figures: Figures, silver: pl.DataFrame) -> None:
    strange_altitude = ~pl.col("altitude_meters").is_between(*ALTITUDES_M).fill_null(True)
    strange_speed = ~pl.col("velocity_kmh").is_between(*SPEEDS_KMH).fill_null(True)

    assert figures.span == {
        "reports": len(silver), "aircraft": silver["icao24"].n_unique(),
        "countries": silver["origin_country"].n_unique(),
        "first": silver["event_timestamp"].min(), "last": silver["event_timestamp"].max(),
    }  # fmt: skip
    assert figures.impossible == {
        "altitudes": len(silver.filter(strange_altitude)), "speeds": len(silver.filter(strange_speed)),
        "either": (either := len(silver.filter(strange_altitude | strange_speed))),
        "share": pytest.approx(either / len(silver)),
    }  # fmt: skip
    counts = dict(silver["flight_phase"].value_counts().iter_rows())
    assert {each["phase"]: each["reports"] for each in figures.phases} == counts
    assert sum(each["share"] for each in figures.phases) == pytest.approx(1)
    cruise = silver.filter((pl.col("flight_phase") == "CRUISE") & ~strange_altitude)
    [drawn] = [each for each in figures.phases if each["phase"] == "CRUISE"]
    assert drawn["altitude_m"] == pytest.approx(cruise["altitude_meters"].median())
    assert figures.missing["altitude"] == pytest.approx(silver["altitude_meters"].null_count() / len(silver))
    france = silver.filter((pl.col("origin_country") == "France") & ~pl.col("on_ground") & ~strange_speed)
    [shown] = [each for each in figures.countries if each["country"] == "France"]
    assert shown["speed_kmh"] == pytest.approx(france["velocity_kmh"].mean())


def test_the_ledger_quarantine_and_gold_are_counted(figures: Figures, lake: Lake) -> None:
    windows, most = anomalies(90), max(each["flight_count"] for each in phase_counts(20))

    assert figures.ledger[1] == {
        "table": "silver/flights_ml", "batches": 30, "read": 3_000, "accepted": 2_700, "quarantined": 120,
        "duplicate": 150, "late": 30,
    }  # fmt: skip
    assert figures.adds_up
    assert figures.rules == [
        {"rule": "has a position", "messages": 8},
        {"rule": "is not from the future", "messages": 4},
        {"rule": "is valid JSON", "messages": 4},
    ]
    assert figures.tumbling == {"lines": 100, "windows": 20, "closed": NOON, "most": most}
    assert figures.sliding is not None
    assert figures.sliding["critical"] == sum(each["anomaly_rate"] > 0.1 for each in windows)
    assert sum(each["windows"] for each in figures.critical) == figures.sliding["critical"]
    assert figures.movements == {
        "pairs": 3, "aircraft": 1, "seconds": 10.0, "distance_m": 2_000.0, "jumps": 1, "fastest_kmh": 720.0,
    }  # fmt: skip
    assert figures.predicted == [
        {"name": "Heavy", "reports": 2, "share": 0.5, "probability": 0.9, "right": 0.5},
        {"name": "Light", "reports": 1, "share": 0.25, "probability": 0.9, "right": None},
        {"name": "Unsure", "reports": 1, "share": 0.25, "probability": 0.9, "right": None},
    ]
    assert figures.origin == {"messages": 9, "places": 3, "kind": "files"}


def test_a_ledger_that_does_not_add_up_is_said_not_to(figures: Figures) -> None:
    wrong = [*figures.ledger[:1], figures.ledger[1] | {"late": 31}]

    assert not dataclasses.replace(figures, ledger=wrong).adds_up


def test_the_model_in_use_is_told_by_its_examination(figures: Figures) -> None:
    model = content(figures, Settings(), Language.EN, NOON, "")["model"]

    total = sum(sum(row.values()) for row in CONFUSION.values())
    assert model["accuracy"] == pytest.approx(sum(CONFUSION[name][name] for name in CONFUSION) / total)
    assert model["classes"][1]["recall"] == pytest.approx(2_205 / 2_400)
    assert [each["name"] for each in model["importances"]][0] == "velocity_kmh"
    assert figures.model is not None
    assert confusion_of(figures.model).loc["Light", "Other"] == 151


def test_a_model_that_may_be_unsure_has_a_column_for_that(tmp_path: Path) -> None:
    unsure = {name: row | {"Unsure": 7} for name, row in CONFUSION.items()}

    table = confusion_of(add_model(Lake.at(tmp_path), unsure))

    assert list(table.columns) == ["Heavy", "Light", "Other", "Unsure"]
    assert table["Unsure"].tolist() == [7, 7, 7]


def test_what_is_sampled_is_bounded_and_the_same_each_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "SAMPLE", asked.SAMPLE.replace("LIMIT 10000", "LIMIT 50"))

    first, again = Reader(lake).drawn(), Reader(lake).drawn()

    assert pictures.ROWS == 10_000
    assert len(first.sample) == 50
    assert first.sample.equals(again.sample)
    assert first.sample["icao24"].nunique() > 10, "from all over the table"


@pytest.mark.parametrize("language", list(Language))
def test_pages_are_whole_numbered_and_carry_their_fonts(
    language: Language, figures: Figures, images: dict[str, bytes]
) -> None:
    said = told(figures, images, language)

    pages = typeset.typeset(said, images, language, NOON, "png")
    [pdf] = typeset.typeset(said, images, language, NOON)

    assert 6 <= len(pages) <= 12
    assert page_count(pdf) == len(pages)
    for page in pages:
        assert edges_are_blank(page)
    texts = streams(pdf)
    fonts = set(re.findall(rb"/FontName\s*/[A-Z]{6}\+([\w-]+)", texts))
    assert {b"LibertinusSerif-Regular", b"LibertinusSerif-Bold"} <= fonts
    assert len(re.findall(rb"/FontFile[23]?\s", texts)) == len(re.findall(rb"/Type\s*/FontDescriptor", texts))
    assert re.search(rb"/Lang\s*\(%s" % language.value.encode(), texts)


def streams(pdf: bytes) -> bytes:
    """All that a PDF says, with what it has packed."""
    packed = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    unpacked = []
    for each in packed:
        opener = zlib.decompressobj()
        if each[:1] == b"x":
            unpacked.append(opener.decompress(each))
    return b"\n".join([pdf, *unpacked])


def page_count(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", streams(pdf)))


def edges_are_blank(page: bytes) -> bool:
    """Whether nothing reaches into the outer centimetre of a sheet."""
    pixels = np.asarray(Image.open(BytesIO(page)).convert("L"))
    edge = int(pixels.shape[1] / A4_MM[0] * 10)
    sides = (pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:])
    return all(int(side.min()) > 250 for side in sides)


def test_a_page_with_something_at_its_edge_is_noticed() -> None:
    page = Image.new("L", (827, 1169), 255)
    page.putpixel((820, 500), 0)
    file = BytesIO()
    page.save(file, "PNG")

    assert not edges_are_blank(file.getvalue())


@pytest.mark.parametrize("language", list(Language))
def test_a_lake_without_gold_ledger_or_model_has_a_report_too(language: Language, tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    write(lake.silver("flights_ml"), [a_position(), a_position(icao24="b", aircraft_class=None)], POSITIONS)
    figures, drawn = Reader(lake).figures(), Reader(lake).drawn()
    images = images_of(figures, drawn, language)

    pages = typeset.typeset(told(figures, images, language), images, language, NOON, "png")

    assert (figures.ledger, figures.rules, figures.tumbling, figures.movements, figures.model) == (
        [],
        [],
        None,
        None,
        None,
    )
    assert "confusion.svg" not in images
    assert len(pages) >= 5


@pytest.mark.parametrize("missing", [None, *Missing])
def test_each_reason_for_missing_screenshots_can_be_typeset(
    missing: Missing | None, figures: Figures, images: dict[str, bytes]
) -> None:
    file = BytesIO()
    Image.new("RGB", (1_000, 700), "#ddeeff").save(file, "PNG")
    shots = {"map.png": file.getvalue(), "charts.png": file.getvalue()}
    screens = {"map": "map.png", "charts": "charts.png"}

    for language in Language:
        said = told(figures, images, language, screens=screens, missing_screens=missing)
        assert len(typeset.typeset(said, images | shots, language, NOON, "png")) >= 6


HOSTILE = (
    '#panic("read as markup")',
    "$x^2$ *bold* _it_ `raw` @ref <label> \\ // [x] {y}",
    "\x1b[31m\n\u202eabc",
    "é" * 500,
)


def test_text_from_the_data_is_text_and_stays_on_the_page(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    rows = [a_position(icao24=name[:9], origin_country=name) for name in HOSTILE]
    write(lake.silver("flights_ml"), rows, POSITIONS)
    window = anomalies(1)[0]
    write(
        lake.gold("streaming_aggregations/anomaly_alerts"),
        [window | {"origin_country": name, "anomaly_rate": 0.5} for name in HOSTILE],
        WINDOWS,
    )
    figures = Reader(lake).figures()
    images = images_of(figures, Reader(lake).drawn(), Language.EN)

    pages = typeset.typeset(told(figures, images, Language.EN), images, Language.EN, NOON, "png")

    shown = {each["country"] for each in told(figures, images, Language.EN)["critical"]}
    assert HOSTILE[0] in shown
    assert "\\x1b[31m\\n\\u202eabc" in shown
    assert all(edges_are_blank(page) for page in pages)


NUMBERS = """#import "layout.typ": *
#metadata((
  number(1234567.891, digits: 2), number(-1234.5), number(none), number(7, digits: 1), number(0), percent(0.1234),
  unit(12.34, "km/h", digits: 1), counted(1, "page", "pages"), counted(0, "page", "pages"),
  counted(1200, "page", "pages"),
)) <said>"""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            Language.EN,
            ["1,234,567.89", "−1,235", "–", "7.0", "0", "12.3%", "12.3~km/h", "1~page", "0~pages", "1,200~pages"],
        ),
        (
            Language.FR,
            ["1 234 567,89", "−1 235", "–", "7,0", "0", "12,3 %", "12,3~km/h", "1~page", "0~page", "1 200~pages"],
        ),
    ],
)
def test_the_template_writes_numbers_as_the_language_does(
    language: Language, said: list[str], tmp_path: Path, figures: Figures
) -> None:
    shutil.copy(TEMPLATES / "layout.typ", tmp_path)
    (tmp_path / "data.json").write_text(json.dumps({"language": language.value}))
    (tmp_path / "numbers.typ").write_text(NUMBERS)

    found = json.loads(typst.query(tmp_path / "numbers.typ", "<said>", field="value", one=True, root=tmp_path))

    narrow = "\u202f" if language is Language.FR else " "
    assert found == [text.replace(" ", narrow).replace("~", "\u00a0") for text in said]


@pytest.mark.parametrize(("language", "begins"), [(Language.EN, "= Results"), (Language.FR, "= Résultats")])
def test_no_result_is_typed_into_a_template(language: Language, begins: str) -> None:
    _, _, results = (TEMPLATES / f"{language}.typ").read_text(encoding="utf-8").partition(begins)

    prose = re.sub(r"F1|_f1|digits: \d|\.at\(\d\)|== 0|len\(\) > 0|width: \d+%", "", results)

    assert results
    assert re.findall(r".*\d.*", prose) == []


def test_both_languages_show_the_same_tables_and_pictures() -> None:
    shown = re.compile(r"#(?:drawn|shot)\(\"\w+\"|#?\b[a-z]+\(\)|data(?:\.\w+)+")

    english, french = (
        set(shown.findall((TEMPLATES / f"{language}.typ").read_text(encoding="utf-8"))) for language in Language
    )

    assert english == french
    assert {'#drawn("altitudes"', "#ledger()", "data.span.reports"} <= english


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["report", *words])


@pytest.fixture
def without_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


@pytest.mark.usefixtures("without_chromium")
def test_a_report_replaces_the_one_that_was_there_and_says_what_is_missing(lake: Lake, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.pdf"
    out.parent.mkdir()
    out.write_text("old")

    answer = run("flights", "--lake", str(lake), "--out", str(out), "--language", "fr")

    assert answer.exit_code == 0, answer.stderr
    assert out.read_bytes().startswith(b"%PDF-")
    assert list(out.parent.iterdir()) == [out]
    assert answer.stdout == f"The report is in {out}.\n"
    assert "there is no Chromium. Install one: apt-get install chromium" in answer.stderr
    assert "Drawing pictures" in answer.stderr


def test_a_report_whose_writing_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.pdf").write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(BadSetting, match="the disk is full"):
        papers.write(tmp_path / "report.pdf", b"%PDF-")

    assert (tmp_path / "report.pdf").read_text() == "old"


def test_a_lake_that_is_not_there_is_exit_2(tmp_path: Path) -> None:
    answer = run("flights", "--lake", str(tmp_path / "none"), "--out", str(tmp_path / "x.pdf"))

    assert answer.exit_code == 2
    assert "there is no lake" in answer.stderr
    assert "vigie demo flights" in answer.stderr
    assert not list(tmp_path.iterdir())


def test_a_lake_without_silver_or_with_none_of_its_rows_is_exit_2(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    lake.root.mkdir()

    empty = run("flights", "--lake", str(lake), "--out", str(tmp_path / "x.pdf"))
    write(lake.silver("flights_ml"), [], POSITIONS)
    bare = run("flights", "--lake", str(lake), "--out", str(tmp_path / "x.pdf"))

    assert (empty.exit_code, bare.exit_code) == (2, 2)
    assert "there is nothing to report on: the lake has no silver/flights_ml" in empty.stderr
    assert "there is nothing to report on: silver/flights_ml has no rows" in bare.stderr


def test_a_pipeline_without_a_report_is_exit_2_and_says_which_has_one(tmp_path: Path) -> None:
    answer = run("sensors", "--lake", str(tmp_path))

    assert answer.exit_code == 2
    assert "pipeline 'sensors' has no report" in answer.stderr
    assert "flights" in answer.stderr


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("folder", "that is a folder"),
        ("file/report.pdf", "that is a file, and no folder"),
        ("pipe", "that is no file that could be replaced"),
    ],
)
def test_a_place_that_cannot_be_written_is_exit_2_before_anything_is_drawn(
    out: str, said: str, lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")

    answer = run("flights", "--lake", str(lake), "--out", str(tmp_path / out))

    assert answer.exit_code == 2
    assert said in answer.stderr
    assert "Drawing" not in answer.stderr


def test_a_damaged_model_is_exit_1_and_says_what_to_do(lake: Lake, tmp_path: Path) -> None:
    copy = Lake.at(shutil.copytree(lake.root, tmp_path / "lake"))
    (copy.models("flights") / "1" / "card.json").write_text("{")

    answer = run("flights", "--lake", str(copy), "--out", str(tmp_path / "x.pdf"))

    assert answer.exit_code == 1
    assert "model 1 is damaged" in answer.stderr
    assert "vigie train flights" in answer.stderr
    assert not (tmp_path / "x.pdf").exists()


def test_a_damaged_table_is_exit_1_and_keeps_the_report_that_was_there(lake: Lake, tmp_path: Path) -> None:
    copy = Lake.at(shutil.copytree(lake.root, tmp_path / "lake"))
    for file in copy.gold("movements").glob("*.parquet"):
        file.write_bytes(b"nothing")
    (tmp_path / "x.pdf").write_text("old")

    answer = run("flights", "--lake", str(copy), "--out", str(tmp_path / "x.pdf"))

    assert answer.exit_code == 1
    assert "the table cannot be read" in answer.stderr
    assert (tmp_path / "x.pdf").read_text() == "old"


def test_a_table_of_another_version_is_exit_1_and_names_it(lake: Lake, tmp_path: Path) -> None:
    copy = Lake.at(shutil.copytree(lake.root, tmp_path / "lake"))
    shutil.rmtree(copy.gold("movements"))
    write(copy.gold("movements"), [{"icao24": "a"}], pa.schema([("icao24", pa.string())]))

    answer = run("flights", "--lake", str(copy), "--out", str(tmp_path / "x.pdf"))

    assert answer.exit_code == 1
    assert "gold/movements lacks columns that the report needs" in answer.stderr


def test_without_its_packages_it_says_what_to_install(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("sys.prefix", str(tmp_path))  # an environment that no checkout made
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "typst" else find(name, *more))

    answer = run("flights", "--lake", str(lake), "--out", str(tmp_path / "x.pdf"))

    assert answer.exit_code == 2
    assert "what makes reports is not installed (typst)" in answer.stderr
    assert f"pip install {wanted('report')}" in answer.stderr
