"""A dashboard of Kibana over what Elasticsearch holds of flights, as the objects that Kibana imports.

`python -m vigie.flights.kibana > config/kibana/flights.ndjson` writes them down. They have the form of Kibana 7.10,
which Kibana 8 takes and OpenSearch Dashboards, which came from it, has still.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

PHASES, ANOMALIES = "flight-phases", "flight-anomalies"
TIME = "window_start"
CRITICAL = 0.1  # of the reports of a country, within five minutes
MIGRATED = {"index-pattern": "7.6.0", "visualization": "7.10.0", "search": "7.9.3", "dashboard": "7.9.3"}
SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
FORMATS: Json = {
    "anomaly_rate": {"id": "percent", "params": {"pattern": "0.0%"}},
    "avg_altitude": {"id": "number", "params": {"pattern": "0,0"}},
    "avg_velocity": {"id": "number", "params": {"pattern": "0,0"}},
}


@dataclass(frozen=True, slots=True)
class Panel:
    """What stands on the dashboard and where, in its 48 columns."""

    kind: str
    name: str
    x: int
    y: int
    width: int
    height: int


PANELS = (
    Panel("visualization", "most-aircraft", 0, 0, 12, 8),
    Panel("visualization", "phases-over-time", 12, 0, 36, 16),
    Panel("visualization", "highest-anomaly-rate", 0, 8, 12, 8),
    Panel("visualization", "anomaly-rate-by-country", 0, 16, 24, 18),
    Panel("search", "critical-alerts", 24, 16, 24, 18),
)


def objects() -> Iterator[Json]:
    """Every object, those that others refer to first."""
    yield data_view(PHASES)
    yield data_view(ANOMALIES)
    yield phases_over_time()
    yield anomaly_rate_by_country()
    yield metric("most-aircraft", PHASES, "flight_count", "Most aircraft in one phase, in a minute")
    yield metric("highest-anomaly-rate", ANOMALIES, "anomaly_rate", "Highest anomaly rate of a country, in 5 minutes")
    yield critical_alerts()
    yield dashboard()


def data_view(index: str) -> Json:
    """The months of one index."""
    attributes = {"title": f"{index}-*", "timeFieldName": TIME, "fieldFormatMap": json.dumps(FORMATS)}
    return saved("index-pattern", index, attributes)


def phases_over_time() -> Json:
    counted = aggregation("avg", "metric", field="flight_count", customLabel="Aircraft a minute, mean")
    minutes = aggregation("date_histogram", "segment", 2, field=TIME, interval="auto", min_doc_count=1,
                          useNormalizedEsInterval=True, drop_partials=False, extended_bounds={},
                          customLabel="Time")  # fmt: skip
    phases = aggregation("terms", "group", 3, field="flight_phase", size=10, order="desc", orderBy="1")
    chart = axes("area", "Aircraft a minute, mean", mode="stacked", along="bottom")
    return visualization("phases-over-time", PHASES, "Phases of flight over time", chart, [counted, minutes, phases])


def anomaly_rate_by_country() -> Json:
    rate = aggregation("avg", "metric", field="anomaly_rate", customLabel="Anomaly rate, mean of the windows")
    countries = aggregation("terms", "segment", 2, field="origin_country", size=10, order="desc", orderBy="1",
                            customLabel="Country")  # fmt: skip
    chart = axes("horizontal_bar", "Anomaly rate, mean of the windows", mode="normal", along="left")
    return visualization("anomaly-rate-by-country", ANOMALIES, "Anomaly rate by country", chart, [rate, countries])


def metric(name: str, index: str, field: str, label: str) -> Json:
    """The largest value of a field, as one number."""
    style = {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 40}
    shown = {
        "percentageMode": False,
        "useRanges": False,
        "colorSchema": "Green to Red",
        "metricColorMode": "None",
        "colorsRange": [{"from": 0, "to": 10_000}],
        "labels": {"show": True},
        "invertColors": False,
        "style": style,
    }
    chart = {"type": "metric", "addTooltip": True, "addLegend": False, "metric": shown}
    return visualization(name, index, label, chart, [aggregation("max", "metric", field=field, customLabel=label)])


def critical_alerts() -> Json:
    """Windows in which more than a tenth of a country's reports cannot be, newest first."""
    columns = ["origin_country", "anomaly_rate", "total_observations", "altitude_anomalies", "velocity_anomalies"]
    attributes = {
        "title": f"Critical alerts (anomaly rate over {CRITICAL:.0%})",
        "description": "",
        "hits": 0,
        "columns": columns,
        "sort": [[TIME, "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": source(f"anomaly_rate > {CRITICAL}"),
    }
    return saved("search", "critical-alerts", attributes, [reference(SOURCE, "index-pattern", ANOMALIES)])


def dashboard() -> Json:
    panels, references = [], []
    for number, panel in enumerate(PANELS):
        name = f"panel_{number}"
        place = {"x": panel.x, "y": panel.y, "w": panel.width, "h": panel.height, "i": str(number)}
        panels.append(
            {
                "version": MIGRATED["visualization"],
                "gridData": place,
                "panelIndex": str(number),
                "embeddableConfig": {},
                "panelRefName": name,
            }
        )
        references.append(reference(name, panel.kind, panel.name))
    attributes = {
        "title": "Flights",
        "description": "Traffic by phase of flight, and anomalies by country",
        "hits": 0,
        "panelsJSON": json.dumps(panels),
        "optionsJSON": json.dumps({"useMargins": True, "hidePanelTitles": False}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": "now-1h",
        "timeTo": "now",
        "refreshInterval": {"pause": False, "value": 10_000},
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({"query": kql(""), "filter": []})},
    }
    return saved("dashboard", "flights", attributes, references)


def visualization(name: str, index: str, title: str, chart: Json, aggregations: list[Json]) -> Json:
    state = {"title": title, "type": chart["type"], "aggs": aggregations, "params": chart}
    attributes = {
        "title": title,
        "description": "",
        "version": 1,
        "visState": json.dumps(state),
        "uiStateJSON": "{}",
        "kibanaSavedObjectMeta": source(""),
    }
    return saved("visualization", name, attributes, [reference(SOURCE, "index-pattern", index)])


def axes(form: str, label: str, *, mode: str, along: str) -> Json:
    """A chart with two axes; `along` is the side of the one that has no numbers."""
    across = "left" if along == "bottom" else "bottom"
    series = {
        "show": True,
        "type": "area" if form == "area" else "histogram",
        "mode": mode,
        "data": {"label": label, "id": "1"},
        "drawLinesBetweenPoints": True,
        "lineWidth": 2,
        "showCircles": True,
        "interpolate": "linear",
        "valueAxis": "ValueAxis-1",
    }
    named = {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": along,
        "show": True,
        "scale": {"type": "linear"},
        "labels": {"show": True, "filter": True, "truncate": 200},
        "title": {},
        "style": {},
    }
    numbered = {
        "id": "ValueAxis-1",
        "name": f"{across.capitalize()}Axis-1",
        "type": "value",
        "position": across,
        "show": True,
        "scale": {"type": "linear", "mode": "normal"},
        "labels": {"show": True, "rotate": 0, "filter": True, "truncate": 100},
        "title": {"text": label},
        "style": {},
    }
    return {
        "type": form,
        "grid": {"categoryLines": False},
        "categoryAxes": [named],
        "valueAxes": [numbered],
        "seriesParams": [series],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


def aggregation(kind: str, schema: str, number: int = 1, **params: Any) -> Json:
    return {"id": str(number), "enabled": True, "type": kind, "schema": schema, "params": params}


def source(query: str) -> Json:
    told = {"query": kql(query), "filter": [], "indexRefName": SOURCE}
    return {"searchSourceJSON": json.dumps(told)}


def kql(query: str) -> Json:
    return {"query": query, "language": "kuery"}


def reference(name: str, kind: str, wanted: str) -> Json:
    return {"name": name, "type": kind, "id": f"vigie-{wanted}"}


def saved(kind: str, name: str, attributes: Json, references: list[Json] | None = None) -> Json:
    return {
        "id": f"vigie-{name}",
        "type": kind,
        "attributes": attributes,
        "references": references or [],
        "migrationVersion": {kind: MIGRATED[kind]},
    }


def written() -> str:
    """The objects, one a line."""
    return "".join(f"{json.dumps(each)}\n" for each in objects())


if __name__ == "__main__":
    sys.stdout.write(written())
