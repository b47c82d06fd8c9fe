"""Recent changes of Wikimedia's wikis to Kafka, as Avro by a Schema Registry, until Ctrl-C.

    VIGIE_CONTACT=you@example.org python src/ingestion/wikimedia_producer.py
    python src/ingestion/wikimedia_producer.py --simulated         # no internet needed

It does what `vigie feed activity recent_changes --live --to kafka://localhost:9092/recent-changes` does, in the open.
The broker is that of VIGIE_KAFKA, and the registry that of VIGIE_REGISTRY (http://localhost:8081), unless said.
"""

from __future__ import annotations

import argparse
import logging
import sys

from vigie import VigieError
from vigie.activity.pipeline import changes
from vigie.address import parse_address
from vigie.feed import Pace, feed
from vigie.feeding import Wish, framed, live, positive, simulated
from vigie.settings import Settings, read_settings
from vigie.terminal import meter, stop_when_asked

REGISTRY, SERVERS, TOPIC = "http://localhost:8081", "localhost:9092", "recent-changes"


def produce(to: str, settings: Settings, is_simulated: bool, rows: int | None) -> int:
    """Bring changes there until Ctrl-C, or so many; how many have arrived."""
    positive(rows=rows)
    stop, address = stop_when_asked(), parse_address(to)
    ticks = simulated(changes, Wish(), rows) if is_simulated else live(changes, Wish(), stop)
    pace = Pace(real_time=not is_simulated or rows is None)
    return feed(framed(changes, ticks, address, settings), address, pace=pace, stop=stop, progress=meter(), rows=rows)


def here() -> Settings:
    """The settings, with the registry's usual address where none is named."""
    settings = read_settings()
    return settings if settings.registry else settings.model_copy(update={"registry": REGISTRY})


def main() -> None:
    parser = argparse.ArgumentParser(description="Changes of wikis to Kafka, until Ctrl-C.")
    parser.add_argument("--to", help=f"kafka://{SERVERS}/{TOPIC}, inbox:FOLDER or tcp://host:port to listen on")
    parser.add_argument("--simulated", action="store_true", help="simulated changes instead of Wikimedia's")
    parser.add_argument("--rows", type=int, help="stop after so many changes")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        settings = here()
        to = asked.to or f"kafka://{settings.kafka or SERVERS}/{TOPIC}"
        sent = produce(to, settings, asked.simulated, asked.rows)
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)
    logging.info("%s changes are in %s", f"{sent:,}", to)


if __name__ == "__main__":
    main()
