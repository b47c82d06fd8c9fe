"""A page of Grafana: panels, each with a question and a unit, and the JSON that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = 39  # of Grafana 10.4 and later
WIDTH = 24  # columns that a page has
HEIGHTS = {"stat": 4, "timeseries": 8, "table": 8, "bargauge": 8}  # in lines of a page
PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "${postgres}"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """A piece of a page: what it shows, in which unit, the question (PromQL, or SQL for PostgreSQL), what each line
    of the answer is called, and how wide it is. From `limits` on it is yellow, and red."""

    title: str
    about: str
    unit: str
    query: str
    legend: str = ""
    kind: str = "timeseries"
    width: int = 8
    limits: tuple[float, ...] = ()
    stacked: bool = False
    is_sql: bool = False

    @property
    def height(self) -> int:
        return HEIGHTS[self.kind]

    def drawn(self, number: int, x: int, y: int) -> Json:
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": POSTGRES if self.is_sql else PROMETHEUS,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": self._options(),
            "targets": [self._sql() if self.is_sql else self._promql()],
        }

    def _promql(self) -> Json:
        at_once = self.kind == "bargauge"
        asked: Json = {"refId": "A", "datasource": PROMETHEUS, "expr": self.query, "legendFormat": self.legend}
        return {**asked, "instant": at_once, "range": not at_once, "editorMode": "code"}

    def _sql(self) -> Json:
        form = "table" if self.kind == "table" else "time_series"
        asked: Json = {"refId": "A", "datasource": POSTGRES, "rawSql": self.query, "format": form}
        return {**asked, "rawQuery": True, "editorMode": "code"}

    def _defaults(self) -> Json:
        steps: list[Json] = [{"color": "green", "value": None}]
        steps += [{"color": color, "value": at} for color, at in zip(("yellow", "red"), self.limits, strict=False)]
        defaults: Json = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.kind != "timeseries":
            return defaults
        stacking = {"mode": "normal" if self.stacked else "none"}
        drawing = {"fillOpacity": 20 if self.stacked else 5, "stacking": stacking, "showPoints": "never"}
        return {**defaults, "custom": drawing} if self.is_sql else {**defaults, "custom": drawing, "min": 0}

    def _options(self) -> Json:
        reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        options: dict[str, Json] = {
            "timeseries": {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
            "stat": {"reduceOptions": reduced, "colorMode": "value", "graphMode": "area"},
            "bargauge": {"reduceOptions": reduced, "displayMode": "basic", "orientation": "horizontal"},
            "table": {"showHeader": True},
        }
        return options[self.kind]


Row = tuple[str, tuple[Panel, ...]]  # a heading, and what stands under it


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard: rows of panels, from top to bottom, and what a person chooses above them."""

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    variables: tuple[Json, ...]

    def drawn(self) -> Json:
        panels: list[Json] = []
        y = 0
        for heading, row in self.rows:
            panels.append(_heading(heading, len(panels) + 1, y))
            y = _place(row, panels, y + 1)
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["vigie"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "utc",
            "templating": {"list": list(self.variables)},
            "annotations": {"list": []},
            "links": [],
            "panels": panels,
        }


def _heading(title: str, number: int, y: int) -> Json:
    place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _place(row: Sequence[Panel], panels: list[Json], y: int) -> int:
    """Put panels side by side, on as many lines as they need; where the next line begins."""
    x = tallest = 0
    for panel in row:
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        panels.append(panel.drawn(len(panels) + 1, x, y))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return y + tallest


def source(name: str, label: str, kind: str) -> Json:
    """A choice among the data sources of a kind."""
    return {"name": name, "label": label, "type": "datasource", "query": kind, "multi": False, "includeAll": False}


def choice(name: str, label: str, datasource: Json, query: Json | str, **more: Any) -> Json:
    """A choice among what a query gives, asked again when the page is loaded or its time changes."""
    asked = {"name": name, "label": label, "type": "query", "datasource": datasource, "query": query, "refresh": 2}
    return {**asked, "multi": False, "includeAll": False, "sort": 1, **more}
