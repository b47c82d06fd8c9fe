"""Each day, once it is over and late events are in: its statistics, its marts, and upkeep of the lake.

Every task is a command that a person may type, run by the program that Airflow's environment names:

    VIGIE_BIN   the folder of `python` and `vigie`      DBT_BIN   the folder of `dbt`
    VIGIE_LAKE  the lake                                VIGIE_MONGO  where to count, if not in silver
    VIGIE_DAILY_SINCE    the first day there is: Airflow passes over those before it without a word
    VIGIE_DAILY_RETRIES  how often a task that failed is tried again; 3

A day that runs again replaces what it wrote. One that the pipeline has not read to its end fails at `statistics`,
and is tried again: half a day is never written.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

PROJECT = str(Path(__file__).resolve().parents[1] / "dbt")

with DAG(
    "daily_statistics",
    description="Statistics and marts of one day of activity",
    # From midnight to midnight, so that a span of days is written as days, and the last of them is among them.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime.fromisoformat(os.environ.get("VIGIE_DAILY_SINCE", "2026-11-01")).replace(tzinfo=UTC),
    catchup=True,
    max_active_runs=1,  # the warehouse is one file, which one process writes
    default_args={
        "retries": int(os.environ.get("VIGIE_DAILY_RETRIES", "3")),
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "execution_timeout": timedelta(hours=2),
    },
    doc_md=__doc__,
    tags=["vigie"],
):
    late_events = TimeDeltaSensor(
        task_id="late_events",
        delta=timedelta(hours=1),  # after the day's end: they are late by ten minutes at most
        mode="reschedule",
        poke_interval=300,
    )
    statistics = BashOperator(
        task_id="statistics",
        bash_command='"$VIGIE_BIN/python" -m vigie.activity.daily {{ ds }}',
    )
    marts = BashOperator(
        task_id="marts",
        bash_command='"$DBT_BIN/dbt" build --target-path "$VIGIE_LAKE/warehouse/target" --vars "{day: {{ ds }}}"',
        env={"DBT_PROJECT_DIR": PROJECT, "DBT_PROFILES_DIR": PROJECT},
        append_env=True,
    )
    maintain = BashOperator(
        task_id="maintain",
        bash_command='"$VIGIE_BIN/vigie" maintain',
    )

    late_events >> statistics >> marts >> maintain
