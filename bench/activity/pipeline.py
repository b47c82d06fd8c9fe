"""Activity as it ships, less the wikis and the watches.

Run as `python -m bench.activity.pipeline SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.looped import once
from bench.part import part_of
from vigie.activity import pipeline as shipped
from vigie.sinks.mongo import Mongo

COLLECTION = "bench_user_activity"
bench = part_of(shipped.activity, shipped.user_events.name)
bench.deliver(shipped.user_activity, to=Mongo(COLLECTION, id="event_id"))  # where VIGIE_MONGO names a server


if __name__ == "__main__":
    once(bench, shipped.user_events.name, sys.argv[1], sys.argv[2], Path(sys.argv[3]))
