"""Simulated sensors to Kafka, to a folder of files or to a socket, until Ctrl-C.

    python data_generator.py                                   # as config/kafka_config.properties says
    python data_generator.py --to tcp://localhost:9999         # in the place of `nc -lk 9999`
    python data_generator.py --to inbox:inbox --rows 50000     # so many, at once

It does what `vigie feed sensors --faults 0.02 --to kafka://localhost:9092/iot-sensors` does, in the open.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from vigie import VigieError
from vigie.address import parse_address
from vigie.feed import Pace, feed
from vigie.feeding import Wish, simulated
from vigie.sensors.pipeline import iot_sensors
from vigie.terminal import meter, stop_when_asked


def properties(file: Path) -> dict[str, str]:
    """What a file of `name=value` says."""
    lines = (line.partition("=") for line in file.read_text().splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in lines if equals}


CONFIG = properties(Path(__file__).parent / "config/kafka_config.properties")
TOPIC = f"kafka://{CONFIG['bootstrap.servers']}/{CONFIG['topic']}"


def generate(to: str, wish: Wish, rows: int | None) -> int:
    """Bring readings there: `rows` of them at once, or as they are made until Ctrl-C; how many have arrived."""
    stop, ticks = stop_when_asked(), simulated(iot_sensors, wish, rows)
    pace = Pace(real_time=rows is None)
    return feed(ticks, parse_address(to), pace=pace, stop=stop, progress=meter(), rows=rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated sensors, until Ctrl-C.")
    parser.add_argument("--to", default=TOPIC, help=f"{TOPIC}, inbox:FOLDER or tcp://host:port to listen on")
    parser.add_argument("--rows", type=int, help="stop after so many readings, sent at once")
    parser.add_argument("--sensors", type=int, default=100, help="100")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between two readings of a sensor; 10")
    parser.add_argument("--faults", type=float, default=0.02, help="share of readings with a fault, 0 to 1; 0.02")
    parser.add_argument("--labels", help="a file that is told of each fault, to score alerts by")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        wish = Wish(keys=asked.sensors, interval=asked.interval, faults=asked.faults, labels=asked.labels)
        sent = generate(asked.to, wish, asked.rows)
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)
    logging.info("%s readings are in %s", f"{sent:,}", asked.to)


if __name__ == "__main__":
    main()
