"""The pages for Grafana that ship: `python -m vigie.monitoring.pages FOLDER` writes them.

The engine's page asks Prometheus alone. The sensors' page asks PostgreSQL too, for the windows that examples/sensors
delivers there: a sensor is no label, because there may be a hundred thousand of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vigie.monitoring.grafana import POSTGRES, PROMETHEUS, Page, Panel, choice, source

OURS = 'pipeline=~"$pipeline"'
SECOND = "[$__rate_interval]"
READINGS = 'pipeline="sensors", table="silver/sensor_readings"'
WINDOWS = "FROM readings_5m WHERE $__timeFilter(window_start)"


def _share(outcome: str, tables: str) -> str:
    """Of the rows that were read for each table, those of one outcome."""
    part = f'rate(vigie_rows_total{{{OURS}, table=~"{tables}", outcome="{outcome}"}}{SECOND})'
    whole = f'rate(vigie_rows_read_total{{{OURS}, table=~"{tables}"}}{SECOND})'
    return f"sum by (pipeline, table) ({part}) / sum by (pipeline, table) ({whole})"


def _by_table(metric: str) -> str:
    return f"max by (pipeline, table) ({metric}{{{OURS}}})"


AT_A_GLANCE = (
    Panel("Runs that answer", "Targets of the job `vigie` that answer.", "none", 'sum(up{job="vigie"})',
          kind="stat", width=4),
    Panel("Rows read", "Messages a second that are read from all sources.", "rowsps",
          f'sum(rate(vigie_rows_read_total{{{OURS}, table=~"bronze/.+"}}{SECOND}))', kind="stat", width=5),
    Panel("Lag of silver", "How old the newest event is, of the silver table that is furthest behind.", "s",
          f'max(vigie_lag_seconds{{{OURS}, table=~"silver/.+"}})', kind="stat", width=5, limits=(30, 60)),
    Panel("Rows that are not accounted for", "Rows read, less those that have an outcome, since each run began. It is "
          "0.", "short", f'sum(vigie_rows_read_total{{{OURS}, table!~"gold/.+"}}) - '
          f'sum(vigie_rows_total{{{OURS}, table!~"gold/.+"}})', kind="stat", width=5, limits=(1, 1)),
    Panel("Open alerts", "Alerts that are open, of all rules.", "short", f"sum(vigie_open_alerts{{{OURS}}})",
          kind="stat", width=5, limits=(1, 10)),
)  # fmt: skip

ROWS = (
    Panel("Rows by outcome", "What became of the rows that were read for silver tables, each second.", "rowsps",
          f'sum by (outcome) (rate(vigie_rows_total{{{OURS}, table=~"silver/.+"}}{SECOND}))', "{{outcome}}",
          stacked=True),
    Panel("Share in quarantine", "Of the rows that were read for a silver table, those that break a rule.",
          "percentunit", _share("quarantined", "silver/.+"), "{{table}}"),
    Panel("Share that is late", "Of the rows that were read for a table, those that came too late for it.",
          "percentunit", _share("late", ".+"), "{{table}}"),
    Panel("Rows of each table", "How many rows the tables have.", "short", _by_table("vigie_table_rows"), "{{table}}",
          width=24),
)  # fmt: skip

PACE = (
    Panel("How long a batch takes", "The time within which 95 of 100 batches of a query were done.", "s",
          f"histogram_quantile(0.95, sum by (le, pipeline, query) "
          f"(rate(vigie_batch_duration_seconds_bucket{{{OURS}}}{SECOND})))", "{{query}}"),
    Panel("Lag", "How old the newest event of a table is. A table of windows is behind by its late_by at least.", "s",
          _by_table("vigie_lag_seconds"), "{{table}}"),
    Panel("Age of the watermark", "How long ago the instant is before which rows count as late.", "s",
          _by_table("vigie_watermark_age_seconds"), "{{table}}"),
    Panel("Time since the last batch", "A query that has nothing to do writes no batch.", "s",
          f"time() - vigie_last_batch_timestamp_seconds{{{OURS}}}", "{{query}}"),
)  # fmt: skip

AROUND = (
    Panel("Deliveries", "How often in a second a sink takes something.", "ops",
          f"rate(vigie_deliveries_total{{{OURS}}}{SECOND})", "{{delivery}}"),
    Panel("Deliveries tried again", "In the last ten minutes. Nothing is lost: it waits in the lake.", "short",
          f"increase(vigie_delivery_retries_total{{{OURS}}}[10m])", "{{delivery}}"),
    Panel("Notifications that wait", "At sinks of alerts, at this moment.", "short",
          f"vigie_notifications_waiting{{{OURS}}}", "{{delivery}}"),
    Panel("The oldest that waits", "How long ago the first of them was found.", "s",
          f"vigie_oldest_notification_seconds{{{OURS}}}", "{{delivery}}"),
    Panel("Notifications refused for good", "All that the lake has, in vigie.NAME_dead_letters.", "short",
          f"vigie_dead_letters_total{{{OURS}}}", "{{delivery}}"),
    Panel("Memory of Vigie's own process", "Python alone: Java stands beside it, and the machine's own monitoring "
          "sees it.", "bytes", 'process_resident_memory_bytes{job="vigie"}', "{{instance}}"),
)  # fmt: skip

ALERTS = (
    Panel("Open alerts by rule", "Alerts that are open at this moment.", "short",
          'sum by (rule) (vigie_open_alerts{pipeline="sensors"}) > 0', "{{rule}}", kind="bargauge", limits=(1, 10)),
    Panel("Open alerts by severity", "How many there were at each moment.", "short",
          'sum by (severity) (vigie_open_alerts{pipeline="sensors"})', "{{severity}}", stacked=True),
    Panel("Alerts that opened", "In the five minutes before, by rule.", "short",
          'sum by (rule) (increase(vigie_alert_turns_total{pipeline="sensors", turn="opened"}[5m]))', "{{rule}}",
          stacked=True),
)  # fmt: skip

TAKEN_IN = (
    Panel("Readings taken in", "Good readings a second.", "rowsps",
          f'sum(rate(vigie_rows_total{{{READINGS}, outcome="accepted"}}{SECOND}))', "accepted"),
    Panel("Readings that break a rule", "Of those that were read.", "percentunit",
          f'sum(rate(vigie_rows_total{{{READINGS}, outcome="quarantined"}}{SECOND})) / '
          f"sum(rate(vigie_rows_read_total{{{READINGS}}}{SECOND}))", "in quarantine"),
    Panel("Lag", "How old the newest reading is.", "s", f"vigie_lag_seconds{{{READINGS}}}", "{{table}}"),
)  # fmt: skip

TEMPERATURES = (
    Panel("All sensors", "The coldest and the warmest reading, and the mean of all.", "celsius",
          'SELECT window_start AS time, min(min_c) AS "lowest", sum(mean_c * readings) / sum(readings) AS "mean", '
          f'max(max_c) AS "highest" {WINDOWS} GROUP BY 1 ORDER BY 1', width=12, is_sql=True),
    Panel("One sensor", "The one that is chosen above: its mean, and what 95 of 100 of its readings were below.",
          "celsius", 'SELECT window_start AS time, max(mean_c) AS "mean", max(p95_c) AS "95 of 100 below" '
          f"{WINDOWS} AND sensor_id = ${{sensor:sqlstring}} GROUP BY 1 ORDER BY 1", width=12, is_sql=True),
    Panel("The warmest sensors", "By their highest reading in the time that is shown.", "celsius",
          f"SELECT sensor_id, max(max_c) AS highest, max(p99_c) AS p99, avg(mean_c) AS mean {WINDOWS} "
          "GROUP BY sensor_id ORDER BY highest DESC LIMIT 20", kind="table", width=12, is_sql=True),
    Panel("The least steady sensors", "By the largest standard deviation within five minutes, in kelvins.", "none",
          f"SELECT sensor_id, max(stddev_c) AS deviation_k, sum(readings) AS readings {WINDOWS} "
          "GROUP BY sensor_id ORDER BY deviation_k DESC NULLS LAST LIMIT 20", kind="table", width=12, is_sql=True),
)  # fmt: skip

THE_PROMETHEUS = source("prometheus", "Prometheus", "prometheus")
PIPELINES = choice(
    "pipeline",
    "Pipeline",
    PROMETHEUS,
    {"query": "label_values(vigie_rows_read_total, pipeline)", "refId": "pipelines"},
    multi=True,
    includeAll=True,
    allValue=".+",
    current={"text": ["All"], "value": ["$__all"]},
)

ENGINE = Page(
    "vigie-engine",
    "Vigie: the engine",
    "Whether what comes in is taken in, how quickly, and what became of each row.",
    (("At a glance", AT_A_GLANCE), ("Rows", ROWS), ("Pace", PACE), ("Sinks and the process", AROUND)),
    (THE_PROMETHEUS, PIPELINES),
)
SENSORS = Page(
    "vigie-sensors",
    "Vigie: sensors",
    "What sensors measure, and what should not be.",
    (
        ("Alerts", ALERTS),
        ("Readings", TAKEN_IN),
        ("Temperatures, of closed windows of five minutes (PostgreSQL)", TEMPERATURES),
    ),
    (
        THE_PROMETHEUS,
        source("postgres", "PostgreSQL", POSTGRES["type"]),
        choice("sensor", "Sensor", POSTGRES, "SELECT DISTINCT sensor_id FROM readings_5m ORDER BY 1"),
    ),
)
PAGES = (ENGINE, SENSORS)


def written(page: Page) -> str:
    """The page as Grafana takes it."""
    return json.dumps(page.drawn(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in PAGES:
        (Path(sys.argv[1]) / f"{each.uid}.json").write_text(written(each))
