"""The pages for Grafana: they are what the code builds, and ask only for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp

from vigie.lake import Lake
from vigie.monitoring.gauges import Gauges
from vigie.monitoring.grafana import Page
from vigie.monitoring.metrics import Metrics
from vigie.monitoring.pages import PAGES, written
from vigie.pipeline import load

GRAFANA = Path(__file__).parents[2] / "config/grafana"
SHOWN = sorted((GRAFANA / "dashboards").glob("*.json"))
# Of Grafana's own list of units.
UNITS = {"none", "short", "s", "bytes", "percentunit", "celsius", "rowsps", "ops"}
OF_PROMETHEUS = {"up", "process_resident_memory_bytes"}
WINDOWS = {"window_start", "sensor_id", "readings", "mean_c", "min_c", "max_c", "stddev_c", "p95_c", "p99_c"}

Json = dict[str, Any]


def exported(folder: Path) -> set[str]:
    """Every name that a scrape of Vigie may hold."""
    graph = load("sensors").graph()
    names = set()
    for collector in (Metrics(graph), Gauges(graph, Lake(folder))):
        for family in collector.collect():
            names |= {
                "counter": {f"{family.name}_total"},
                "histogram": {f"{family.name}_{part}" for part in ("bucket", "sum", "count")},
            }.get(family.type, {family.name})
    return names


def panels(page: Json) -> list[Json]:
    found: list[Json] = page["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def pages() -> list[Any]:
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in SHOWN]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_a_page_that_ships_is_what_the_code_builds(page: Page) -> None:
    path = GRAFANA / "dashboards" / f"{page.uid}.json"

    assert path.read_text() == written(page), "python -m vigie.monitoring.pages config/grafana/dashboards"
    assert len(SHOWN) == len(PAGES)


@pytest.mark.parametrize("page", pages())
def test_each_panel_says_what_it_shows_and_in_which_unit(page: Json) -> None:
    for panel in panels(page):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


@pytest.mark.parametrize("page", pages())
def test_panels_have_ids_of_their_own_and_lie_beside_each_other(page: Json) -> None:
    numbers = [panel["id"] for panel in page["panels"]]
    cells = [
        (x, y)
        for panel in page["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(numbers) == len(set(numbers))
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23


@pytest.mark.parametrize("page", pages())
def test_a_data_source_is_always_one_that_a_person_chooses(page: Json) -> None:
    variables = page["templating"]["list"]
    chosen = {f"${{{each['name']}}}": each["query"] for each in variables if each["type"] == "datasource"}

    used = [each["datasource"] for each in variables if each["type"] == "query"]
    used += [panel["datasource"] for panel in panels(page)]
    used += [target["datasource"] for panel in panels(page) for target in panel["targets"]]

    assert chosen
    assert [source for source in used if chosen.get(source["uid"]) != source["type"]] == []


@pytest.mark.parametrize("page", pages())
def test_a_page_asks_prometheus_only_for_what_vigie_exports(page: Json, tmp_path: Path) -> None:
    asked = [target["expr"] for panel in panels(page) for target in panel["targets"] if "expr" in target]
    asked += [each["query"]["query"] for each in page["templating"]["list"] if isinstance(each["query"], dict)]

    named = {name for text in asked for name in re.findall(r"\b(?:vigie|process)_\w+|\bup\b", text)}

    assert len(named) > 3
    assert named - OF_PROMETHEUS <= exported(tmp_path)


def test_what_is_measured_is_on_the_engines_page(tmp_path: Path) -> None:
    text = (GRAFANA / "dashboards/vigie-engine.json").read_text()
    shown_elsewhere = {"vigie_alert_turns_total", "vigie_lake_read_failures_total"}

    hidden = {name for name in exported(tmp_path) if name not in text and not name.endswith(("_sum", "_count"))}

    assert hidden == shown_elsewhere


@pytest.mark.parametrize("page", pages())
def test_sql_asks_for_columns_that_the_windows_have(page: Json) -> None:
    asked = [target["rawSql"] for panel in panels(page) for target in panel["targets"] if "rawSql" in target]

    for sql in asked:
        plain = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 IS NOT NULL", sql).replace("${sensor:sqlstring}", "'a'")
        tree = sqlglot.parse_one(plain, dialect="postgres")
        given = {alias.alias for alias in tree.find_all(exp.Alias)}
        assert {column.name for column in tree.find_all(exp.Column)} - given <= WINDOWS, sql


def test_the_provisioning_files_name_what_the_pages_ask_and_hold_no_secret() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/vigie.yml").read_text())
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/vigie.yml").read_text())
    wanted = {
        each["query"]
        for path in SHOWN
        for each in json.loads(path.read_text())["templating"]["list"]
        if each["type"] == "datasource"
    }

    assert {source["type"] for source in sources["datasources"]} == wanted
    assert len({source["uid"] for source in sources["datasources"]}) == len(sources["datasources"])
    secrets = [text for source in sources["datasources"] for text in source.get("secureJsonData", {}).values()]
    assert [text for text in secrets if not re.fullmatch(r"\$\{\w+\}", text)] == []
    assert [provider["type"] for provider in providers["providers"]] == ["file"]
