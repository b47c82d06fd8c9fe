"""The objects that Kibana imports: whole, and about fields that are there. Kibana itself is not run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.core.gold.windows import flat
from vigie.flights import kibana
from vigie.flights.pipeline import FLIGHTS_ML, anomaly_alerts, flight_phase_counts
from vigie.sinks.elastic_templates import fields

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

SHIPPED = Path(__file__).parents[2] / "config/kibana/flights.ndjson"
OBJECTS = list(kibana.objects())
SUMS = {"avg", "max"}


def inner(saved: dict[str, Any], name: str) -> Any:
    """What is kept as text within an object."""
    return json.loads(saved["attributes"][name])


def source(saved: dict[str, Any]) -> Any:
    return json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])


def asked(saved: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields that an object asks for, and for what."""
    if saved["type"] == "visualization":
        for each in inner(saved, "visState")["aggs"]:
            yield each["params"]["field"], each["type"]
    if saved["type"] == "search":
        yield from ((name, "shown") for name in saved["attributes"]["columns"])
        yield from ((name, "shown") for name, _ in saved["attributes"]["sort"])
        yield source(saved)["query"]["query"].split()[0], "avg"


def test_the_file_that_ships_is_what_the_code_writes() -> None:
    assert SHIPPED.read_text() == kibana.written(), "python -m vigie.flights.kibana > config/kibana/flights.ndjson"


def test_every_object_has_an_id_of_its_own_and_says_which_version_wrote_it() -> None:
    ids = [(saved["type"], saved["id"]) for saved in OBJECTS]

    assert len(set(ids)) == len(ids)
    assert all(list(saved["migrationVersion"]) == [saved["type"]] for saved in OBJECTS)


def test_whatever_an_object_refers_to_comes_before_it_and_each_reference_is_used_once() -> None:
    before: set[tuple[str, str]] = set()
    for saved in OBJECTS:
        names = [each["name"] for each in saved["references"]]
        used = [source(saved)["indexRefName"]] if saved["type"] in {"visualization", "search"} else []
        if saved["type"] == "dashboard":
            used = [panel["panelRefName"] for panel in inner(saved, "panelsJSON")]

        assert {(each["type"], each["id"]) for each in saved["references"]} <= before
        assert names == used
        before.add((saved["type"], saved["id"]))


def test_every_object_but_the_views_of_data_is_on_the_dashboard_and_no_two_overlap() -> None:
    [dashboard] = [saved for saved in OBJECTS if saved["type"] == "dashboard"]
    places = [panel["gridData"] for panel in inner(dashboard, "panelsJSON")]
    covered = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    shown = {(each["type"], each["id"]) for each in dashboard["references"]}
    assert shown == {(s["type"], s["id"]) for s in OBJECTS if s["type"] in {"visualization", "search"}}
    assert len(set(covered)) == len(covered)
    assert max(x for x, _ in covered) < 48


def test_every_chart_stands_on_axes_and_metrics_that_it_has() -> None:
    for saved in OBJECTS:
        if saved["type"] != "visualization":
            continue
        state = inner(saved, "visState")
        metrics = [each["id"] for each in state["aggs"] if each["schema"] == "metric"]
        axes = [axis["id"] for axis in state["params"].get("valueAxes", [])]

        assert (saved["attributes"]["title"], state["type"]) == (state["title"], state["params"]["type"])
        assert all(series["data"]["id"] in metrics for series in state["params"].get("seriesParams", []))
        assert all(series["valueAxis"] in axes for series in state["params"].get("seriesParams", []))
        assert all(each["params"].get("orderBy", "1") in metrics for each in state["aggs"])


def test_every_field_is_one_of_its_index_and_of_a_kind_that_can_be_asked_so(sail: SparkSession) -> None:
    reports = sail.createDataFrame([], FLIGHTS_ML)
    made = {
        f"vigie-{kibana.PHASES}": fields(flat(flight_phase_counts(reports)).toArrow().schema),
        f"vigie-{kibana.ANOMALIES}": fields(flat(anomaly_alerts(reports)).toArrow().schema),
    }
    kinds = {"terms": {"keyword"}, "date_histogram": {"date"}, **dict.fromkeys(SUMS, {"long", "double"})}

    seen = 0
    for saved in OBJECTS:
        for name, use in asked(saved):
            [view] = saved["references"]
            kind = made[view["id"]][name]["type"]
            assert use == "shown" or kind in kinds[use], f"{use} of {name}, a {kind}, in {saved['id']}"
            seen += 1
        if saved["type"] == "index-pattern":
            assert made[saved["id"]][saved["attributes"]["timeFieldName"]] == {"type": "date"}
            assert saved["attributes"]["title"] == f"{saved['id'].removeprefix('vigie-')}-*"
    assert seen > 10
