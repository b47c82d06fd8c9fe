"""What the sensors say, as it changes: how much comes in, what is wrong, the newest readings and windows.

    python examples/sensors/dashboard/dashboard.py --lake ./lake        # beside the pipeline; Ctrl-C ends it

It asks the lake in SQL, as `vigie query` does, and needs no Spark. Another question is another line here.
"""

from __future__ import annotations

import argparse

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vigie.errors import RequestError
from vigie.lake import Lake
from vigie.listing import text_of
from vigie.sql import query
from vigie.terminal import stop_when_asked

EVERY_S = 2.0
QUESTIONS = {
    "The last minute": """SELECT coalesce(sum(read), 0) // 60 AS readings_a_second,
        coalesce(sum(quarantined), 0) AS quarantined, strftime(max("at"), '%H:%M:%S') AS newest_batch,
        (SELECT count(*) FROM vigie.sensors_alerts WHERE closed_at IS NULL) AS active_alerts
        FROM vigie.sensors_ledger WHERE "table" = 'silver/sensor_readings' AND "at" > now() - INTERVAL 1 MINUTE""",
    "Open alerts, the worst and newest first": """SELECT severity, rule, key, strftime(opened_at, '%H:%M:%S') AS since,
        value FROM vigie.sensors_alerts WHERE closed_at IS NULL
        ORDER BY list_position(['critical', 'warning', 'info'], severity), opened_at DESC LIMIT 8""",
    "The warmest sensors": """SELECT sensor_id, location, temperature_c AS "°C", humidity_pct AS "%",
        pressure_hpa AS hPa, strftime(event_timestamp, '%H:%M:%S') AS measured
        FROM gold.last_values ORDER BY temperature_c DESC LIMIT 5""",
    "The newest window": """SELECT strftime(window_end, '%H:%M') AS until, location, readings, min_c, max_c
        FROM gold.location_extremes WHERE window_end = (SELECT max(window_end) FROM gold.location_extremes)
        ORDER BY location LIMIT 5""",
}


def answered(lake: Lake, title: str, sql: str) -> Table | Text:
    """The answer as it is now; while the pipeline has not made the tables yet, that."""
    try:
        answer = query(lake, sql)
    except RequestError as problem:
        return Text(f"{title}: {problem.what}", style="dim")
    shown = Table(box=None, pad_edge=False, header_style="dim", title=title, title_justify="left", title_style="bold")
    for column in answer.columns:
        shown.add_column(column, no_wrap=True)
    for row in answer.rows:
        shown.add_row(*(Text(text_of(value)) for value in row))
    return shown


def drawn(lake: Lake) -> Group:
    return Group(*(part for title, sql in QUESTIONS.items() for part in (answered(lake, title, sql), Text())))


def main() -> None:
    parser = argparse.ArgumentParser(description="The sensors of a lake, as they change; Ctrl-C ends it.")
    parser.add_argument("--lake", default="./lake", help="./lake")
    parser.add_argument("--once", action="store_true", help="show it and end")
    asked = parser.parse_args()
    lake, stop = Lake.at(asked.lake), stop_when_asked()
    with Live(drawn(lake), auto_refresh=False) as live:
        while not asked.once and not stop.wait(EVERY_S):
            live.update(drawn(lake), refresh=True)


if __name__ == "__main__":
    main()
