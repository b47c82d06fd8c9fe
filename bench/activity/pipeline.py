"""Activity as it ships, less the wikis and the watches.

Run as `python -m bench.activity.pipeline SERVERS TOPIC FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.began import begin
from bench.part import part_of
from vigie.activity import pipeline as shipped
from vigie.address import Kafka
from vigie.core.request import Request
from vigie.engine.run import run
from vigie.engine.session import start
from vigie.lake import Lake
from vigie.settings import read_settings
from vigie.sinks.mongo import Mongo

COLLECTION = "bench_user_activity"
bench = part_of(shipped.activity, shipped.user_events.name)
bench.deliver(shipped.user_activity, to=Mongo(COLLECTION, id="event_id"))  # where VIGIE_MONGO names a server


def main(servers: str, topic: str, folder: Path) -> None:
    request = Request(Lake(folder), {shipped.user_events.name: Kafka(servers, topic)}, once=True)
    settings = read_settings()
    start(settings, "bench")  # which the run then finds: starting Java and Spark is in nobody's seconds
    begin(folder)
    run(bench, request, settings)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
