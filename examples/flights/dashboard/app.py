"""The page of flights in a browser: KPIs, a live map, phases, anomalies by country and hour.

    python examples/flights/dashboard/app.py --lake ./lake        # beside `vigie run flights`; Ctrl-C ends it

It is `vigie dashboard flights`; the page itself is src/vigie/flights/page.py.
"""

from __future__ import annotations

import argparse
import sys

from vigie import VigieError
from vigie.dashboard.serving import HOST, PORT, Door, address, check, serve
from vigie.lake import Lake


def main() -> None:
    parser = argparse.ArgumentParser(description="The page of flights in a browser; Ctrl-C ends it.")
    parser.add_argument("--lake", default="./lake", help="./lake")
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT}")
    asked = parser.parse_args()
    try:
        check(HOST, asked.port)
        sys.stderr.write(f"The dashboard is at {address(HOST, asked.port)}\n")
        serve(Lake.at(asked.lake), "flights", Door(port=asked.port))
    except VigieError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
