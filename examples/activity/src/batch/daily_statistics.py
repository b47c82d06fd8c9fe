"""The statistics of one day, counted from accepted events: in MongoDB where VIGIE_MONGO names one, else in silver.

    python src/batch/daily_statistics.py 2026-11-20 --lake ./lake

The day's row in gold/activity/daily_statistics is replaced, so the day may be run again. Airflow does it each night
(dags/daily_statistics.py).
"""

from __future__ import annotations

import sys

from vigie.activity.daily import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
