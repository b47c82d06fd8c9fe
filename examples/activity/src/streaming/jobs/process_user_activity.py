"""The activity pipeline, with its newest minutes on the screen, and its events and changes in BigQuery.

    python examples/activity/src/streaming/jobs/process_user_activity.py --from user_activity=kafka://localhost:9092/user-activity
    python examples/activity/src/streaming/jobs/process_user_activity.py --once            # what is in the lake's inbox

It does what `vigie run examples/activity/src/streaming/jobs/process_user_activity.py` does, and takes the same flags.
What is read, the watermark of ten minutes and the windows of one are in src/vigie/activity/pipeline.py. BigQuery is
off until VIGIE_BIGQUERY_PROJECT names a project.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vigie.activity.pipeline import activity, activity_per_minute, edits_per_minute, recent_changes, user_activity
from vigie.sinks.bigquery import BigQuery
from vigie.sinks.console import Console

activity.deliver(activity_per_minute, to=Console(rows=10))
activity.deliver(edits_per_minute, to=Console(rows=10))
activity.deliver(
    user_activity,
    to=BigQuery("user_activity", id="event_id", partition_by="event_timestamp", cluster_by=("user_id", "action")),
)
activity.deliver(
    recent_changes, to=BigQuery("recent_changes", id="event_id", partition_by="event_timestamp", cluster_by="wiki")
)

if __name__ == "__main__":
    os.execv(Path(sys.executable).with_name("vigie"), ["vigie", "run", __file__, *sys.argv[1:]])
