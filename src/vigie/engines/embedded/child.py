"""The child process in which sail evaluates. It says where it listens, and ends when whoever started it does."""

from __future__ import annotations

import sys


def main() -> None:
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _, port = server.listening_address
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()  # which ends when the parent closes it, or is killed


if __name__ == "__main__":
    main()
