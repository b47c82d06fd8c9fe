"""`python -m bench [speed|latency|soak]`: exit code 1 when a limit is not kept."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Vigie on this machine.")
    commands = parser.add_subparsers(dest="what")
    speed = commands.add_parser("speed", help="beside PySpark written by hand")
    for each in (parser, speed):
        each.add_argument("--rows", type=int, default=2_000_000, help="messages; 2,000,000")
        each.add_argument("--rounds", type=int, default=3, help="runs of each program; 3")
    for name, minutes, about in (
        ("latency", 5.0, "live, from event to silver"),
        ("soak", 30.0, "live for half an hour: memory must stay flat"),
    ):
        live = commands.add_parser(name, help=about)
        live.add_argument("--minutes", type=float, default=minutes, help=f"how long; {minutes:.0f}")
    asked = parser.parse_args()
    if asked.what in {None, "speed"}:
        from bench.speed import speed as run_speed

        return run_speed(asked.rows, asked.rounds)
    from bench.latency import latency

    return latency(asked.minutes, soak=asked.what == "soak")


if __name__ == "__main__":
    sys.exit(main())
