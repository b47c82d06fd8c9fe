"""The daily DAG that ships with Vigie, for an Airflow whose dags folder is this one.

It is src/vigie/activity/dags/daily_statistics.py of the repository, run as it stands; that file says what the worker's
environment needs. `make airflow` runs it without any of this.
"""

import runpy
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[3] / "src/vigie/activity/dags/daily_statistics.py"

runpy.run_path(str(SHIPPED))  # Airflow takes note of a DAG as it is made, also when no name is bound to it
