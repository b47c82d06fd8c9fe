"""Simulated users of a site to Kafka, as Avro by a Schema Registry, until Ctrl-C.

    python src/ingestion/main.py                                  # the topic user-activity on localhost:9092
    python src/ingestion/main.py --to inbox:users --rows 50000     # JSON, and no server

It does what `vigie feed activity user_activity --to kafka://localhost:9092/user-activity` does, in the open. The broker
is that of VIGIE_KAFKA, and the registry that of VIGIE_REGISTRY (http://localhost:8081), unless said.
"""

from __future__ import annotations

import argparse
import logging
import sys

from vigie import VigieError
from vigie.activity.pipeline import user_events
from vigie.address import parse_address
from vigie.feed import Pace, feed
from vigie.feeding import Wish, framed, positive, simulated
from vigie.settings import Settings, read_settings
from vigie.terminal import meter, stop_when_asked

REGISTRY, SERVERS, TOPIC = "http://localhost:8081", "localhost:9092", "user-activity"


def ingest(to: str, settings: Settings, wish: Wish, rows: int | None) -> int:
    """Bring events there: `rows` of them at once, or as they are made until Ctrl-C; how many have arrived."""
    positive(rows=rows)
    stop, address = stop_when_asked(), parse_address(to)
    ticks = framed(user_events, simulated(user_events, wish, rows), address, settings)
    return feed(ticks, address, pace=Pace(real_time=rows is None), stop=stop, progress=meter(), rows=rows)


def here() -> Settings:
    """The settings, with the registry's usual address where none is named."""
    settings = read_settings()
    return settings if settings.registry else settings.model_copy(update={"registry": REGISTRY})


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated users to Kafka, until Ctrl-C.")
    parser.add_argument("--to", help=f"kafka://{SERVERS}/{TOPIC}, inbox:FOLDER or tcp://host:port to listen on")
    parser.add_argument("--rows", type=int, help="stop after so many events, sent at once")
    parser.add_argument("--users", type=int, default=2_000, help="2000")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two events of a user; 10")
    parser.add_argument("--faults", type=float, default=0.0, help="share of events that are broken, 0 to 1; 0")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        settings = here()
        to = asked.to or f"kafka://{settings.kafka or SERVERS}/{TOPIC}"
        sent = ingest(to, settings, Wish(keys=asked.users, interval=asked.interval, faults=asked.faults), asked.rows)
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)
    logging.info("%s events are in %s", f"{sent:,}", to)


if __name__ == "__main__":
    main()
