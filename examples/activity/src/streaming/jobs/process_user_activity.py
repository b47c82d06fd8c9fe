"""The activity pipeline, with its newest minutes on the screen; its events and changes go to BigQuery, too.

    python examples/activity/src/streaming/jobs/process_user_activity.py --from user_activity=kafka://localhost:9092/user-activity
    python examples/activity/src/streaming/jobs/process_user_activity.py --once            # what is in the lake's inbox

It does what `vigie run examples/activity/src/streaming/jobs/process_user_activity.py` does, and takes the same flags.
What is read, the watermark of ten minutes, the windows of one and what goes to BigQuery are in
src/vigie/activity/pipeline.py. BigQuery is off until VIGIE_BIGQUERY_PROJECT names a project.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vigie.activity.pipeline import activity, activity_per_minute, edits_per_minute
from vigie.sinks.console import Console

activity.deliver(activity_per_minute, to=Console(rows=10))
activity.deliver(edits_per_minute, to=Console(rows=10))

if __name__ == "__main__":
    os.execv(Path(sys.executable).with_name("vigie"), ["vigie", "run", __file__, *sys.argv[1:]])
