#!/bin/sh
# A real Kafka on this machine, without Docker, with a topic for readings and one for alerts. Ctrl-C stops it.
#
#     ./setup_kafka.sh
#
# It is the broker of `vigie run sensors --kafka`, where config/kafka_config.properties says. It needs what `make setup`
# installs, and keeps what it holds in kafka/ beside this file. With a Kafka of your own, name it in the properties.
set -eu
cd "$(dirname "$0")"
python=../../.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
exec "$python" - <<'PROGRAM'
import sys
from pathlib import Path

from data_generator import CONFIG
from vigie import VigieError
from vigie.engines.spark.kafka_broker import Broker
from vigie.engines.spark.jars import kafka_jars
from vigie.engines.spark.java import java_home
from vigie.settings import read_settings
from vigie.terminal import stop_when_asked


def serve():
    stop = stop_when_asked()
    cache, (host, _, port) = read_settings().cache, CONFIG["bootstrap.servers"].partition(":")
    if host not in {"localhost", "127.0.0.1"}:
        sys.exit(f"{host} is not this machine: start Kafka there, or name localhost in config/kafka_config.properties.")
    java = java_home(cache)
    with Broker(Path("kafka"), java, kafka_jars(cache, java), int(port)) as broker:
        for topic in (CONFIG["topic"], "iot-alerts"):
            broker.create_topic(topic)
            print(f"kafka://{broker.servers}/{topic}", flush=True)
        stop.wait()


try:
    serve()
except VigieError as problem:
    sys.stderr.write(f"{problem}\n")
    sys.exit(problem.exit_code)
PROGRAM
