"""`python -m bench [speed|alerts|latency|...]`, all listed by --help: exit code 1 when a limit is not kept."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.workload import Workload

ROWS_TO_SCALE = 4_000_000  # at 100,000 sensors twenty minutes: the first window closes after fifteen


def main() -> int:
    asked = _parser().parse_args()
    if asked.what in {"learning", "predicting", "scoring"}:
        return _judged(asked)
    if asked.what == "delivered":
        from bench.activity.workload import delivered

        return delivered(asked.rows)
    if asked.what in {"pixel", "dashboard"}:
        return _screen(asked)
    if asked.what == "mongo":
        from bench.mongo import mongo

        return mongo(asked.documents, asked.rounds)
    if asked.what in {"latency", "soak"}:
        from bench.flights.workload import FLIGHTS_LIVE
        from bench.latency import latency
        from bench.sensors.workload import SENSORS_LIVE

        live = SENSORS_LIVE if asked.workload == "sensors" else FLIGHTS_LIVE
        return latency(live, asked.minutes, asked.what == "soak", asked.engine)
    return _speed(asked)


def _judged(asked: argparse.Namespace) -> int:
    if asked.what == "scoring":
        from bench.scoring import scoring

        return scoring(asked.seed, asked.interval, asked.hours, asked.look)
    from bench.learning import cost, learning

    if asked.what == "predicting":
        return cost(asked.rows, asked.rounds)
    return learning(asked.aircraft, asked.hours, asked.interval, asked.rounds)


def _screen(asked: argparse.Namespace) -> int:
    if asked.what == "pixel":
        from bench.pixel import pixel

        return pixel(asked.minutes)
    from bench.dashboard import dashboard

    return dashboard(asked.rows)


def _speed(asked: argparse.Namespace) -> int:
    from bench.sensors.messages import SENSORS
    from bench.sensors.workload import workload
    from bench.speed import Wish, speed

    if asked.what == "alerts":
        from bench.alerts import alerts

        return alerts(workload(), asked.rows or workload().rows, asked.rounds)
    if asked.sensors not in {None, SENSORS}:
        from bench.scale import scale

        return scale(workload(), workload(asked.sensors), asked.rows or ROWS_TO_SCALE, asked.rounds)
    usual = _usual(asked.workload)
    return speed(usual, Wish(asked.rows or usual.rows, asked.rounds, asked.only, asked.write))


def _usual(name: str) -> Workload:
    if name == "activity":
        from bench.activity.workload import ACTIVITY

        return ACTIVITY
    if name == "sensors":
        from bench.sensors.workload import workload

        return workload()
    from bench.flights.workload import FLIGHTS

    return FLIGHTS


def _names(said: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in said.split(",") if name.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Vigie on this machine.")
    parser.set_defaults(workload="flights", sensors=None, only=(), write=False)
    commands = parser.add_subparsers(dest="what")
    speed = commands.add_parser("speed", help="beside programs by hand and other frameworks")
    alerts = commands.add_parser("alerts", help="the rules of the sensors alone, beside Spark's stateful operator")
    for each in (parser, speed, alerts):
        each.add_argument("--rows", type=int, help="messages; 2,000,000 of flights, else 1,000,000")
        each.add_argument("--rounds", type=int, default=3, help="runs of each program; 3")
    live = commands.add_parser("latency", help="live, from event to silver or to an alert in Kafka")
    for each, also in ((speed, ("activity",)), (live, ())):
        each.add_argument("workload", nargs="?", choices=("flights", "sensors", *also), default="flights")
    speed.add_argument("--sensors", type=int, help="Vigie alone with so many sensors, beside 10,000")
    speed.add_argument(
        "--only", type=_names, default=(), help="programs to run, as vigie,polars; all that are installed"
    )
    speed.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md, with a picture")
    soak = commands.add_parser("soak", help="flights live for an hour and a half: memory must stay flat")
    for each, minutes in ((live, 5.0), (soak, 90.0)):
        each.add_argument("--minutes", type=float, default=minutes, help=f"how long; {minutes:.0f}")
        each.add_argument("--engine", choices=("embedded", "spark"), default="embedded", help="which; embedded")
    lake = commands.add_parser("mongo", help="the sink for MongoDB beside a bare loop of pymongo")
    lake.add_argument("--documents", type=int, default=200_000, help="how many; 200,000")
    lake.add_argument("--rounds", type=int, default=3, help="turns; 3")
    whole = commands.add_parser("delivered", help="activity from Kafka to its tables and MongoDB, held to DuckDB")
    whole.add_argument("--rows", type=int, default=1_000_000, help="messages; 1,000,000")
    eye = commands.add_parser("pixel", help="the demo and its dashboard in a browser: from event to map and tiles")
    eye.add_argument("--minutes", type=float, default=5.0, help="how long; 5")
    screen = commands.add_parser("dashboard", help="a refresh of the live page at so many rows of silver")
    screen.add_argument("--rows", type=int, default=10_000_000, help="how many; 10,000,000")
    scores = commands.add_parser("scoring", help="how well the rules of the sensors see a day of labelled faults")
    scores.add_argument("--seed", type=int, default=21, help="of the simulation; 21, on which no setting was chosen")
    scores.add_argument("--interval", type=float, default=30.0, help="seconds between two readings of a sensor; 30")
    scores.add_argument("--hours", type=float, default=24.0, help="how much is simulated; 24")
    scores.add_argument("--look", type=float, default=900.0, help="seconds of readings that are judged at once; 900")
    model = commands.add_parser("learning", help="how well aircraft of types that were held out are told apart")
    model.add_argument("--aircraft", type=int, default=3_000, help="how many; 3,000")
    model.add_argument("--hours", type=float, default=24.0, help="how much is simulated; 24")
    model.add_argument("--interval", type=float, default=60.0, help="seconds between two reports of one; 60")
    model.add_argument("--rounds", type=int, default=1, help="choices of the types that are held out; 1")
    price = commands.add_parser("predicting", help="what it costs the stream of flights that a model predicts")
    price.add_argument("--rows", type=int, default=500_000, help="messages; 500,000")
    price.add_argument("--rounds", type=int, default=3, help="turns; 3")
    return parser


if __name__ == "__main__":
    sys.exit(main())
