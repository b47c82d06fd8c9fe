"""Aircraft to Kafka: what OpenSky sees over France, or simulated aircraft.

    python producer.py                       # OpenSky, to kafka://localhost:9092/flights-raw
    python producer.py --simulated           # no internet needed
    vigie run flights --from kafka://localhost:9092/flights-raw

It does what `vigie feed flights --live --to kafka://localhost:9092/flights-raw` does, in the open.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from vigie import VigieError
from vigie.address import parse_address
from vigie.feed import Pace, Simulation, feed
from vigie.flights import opensky, simulator
from vigie.settings import read_settings
from vigie.terminal import meter, stop_when_asked


def produce(servers: str, topic: str, is_simulated: bool) -> int:
    """Bring messages to the topic until Ctrl-C; how many the broker has acknowledged."""
    stop = stop_when_asked()
    now = Simulation(start=time.time())
    ticks = simulator.simulate(now) if is_simulated else opensky.live(read_settings(), stop)
    return feed(ticks, parse_address(f"kafka://{servers}/{topic}"), pace=Pace(), stop=stop, progress=meter())


def main() -> None:
    parser = argparse.ArgumentParser(description="Aircraft to Kafka, until Ctrl-C.")
    parser.add_argument("--servers", help="host:port of the broker; that of VIGIE_KAFKA, or localhost:9092")
    parser.add_argument("--topic", default="flights-raw", help="flights-raw")
    parser.add_argument("--simulated", action="store_true", help="simulated aircraft instead of OpenSky's")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        sent = produce(asked.servers or read_settings().kafka or "localhost:9092", asked.topic, asked.simulated)
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)
    logging.info("%s messages are in the topic %s", f"{sent:,}", asked.topic)


if __name__ == "__main__":
    main()
