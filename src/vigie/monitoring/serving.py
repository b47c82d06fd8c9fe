"""The page that Prometheus reads: `http://127.0.0.1:PORT/metrics`, for as long as a run lasts."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from vigie.errors import BadSetting
from vigie.extras import install_extra
from vigie.graph import Graph
from vigie.lake import Lake
from vigie.listening import must_be_named, nowhere

if TYPE_CHECKING:
    from vigie.monitoring.metrics import Metrics

LOOPBACK = "127.0.0.1"


@contextmanager
def served(graph: Graph, lake: Lake, port: int, host: str = LOOPBACK) -> Iterator[Metrics]:
    """What is to be told of the run, served while in here; BadSetting before anything else when it cannot be."""
    if find_spec("prometheus_client") is None:
        raise BadSetting(
            "metrics are asked for, but the library 'prometheus_client' is not installed",
            where="--metrics-port",
            do=install_extra("metrics", "prometheus_client"),
        )
    must_be_named(host, "--metrics-host")
    from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

    from vigie.monitoring.gauges import Gauges
    from vigie.monitoring.metrics import Metrics

    metrics = Metrics(graph)
    # Without what the library registers by itself: of Python's memory Vigie has little, and Java's is beside it.
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(metrics)
    registry.register(Gauges(graph, lake))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as problem:
        raise _refused(problem, port, host) from problem
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _refused(problem: OSError, port: int, host: str) -> BadSetting:
    if problem.errno == errno.EADDRINUSE:
        return BadSetting(
            f"port {port} of {host} is taken",
            where="--metrics-port",
            do=f"Take another one, or stop who listens there: ss -ltnp 'sport = :{port}' tells who.",
        )
    if isinstance(problem, socket.gaierror):
        return nowhere(host, "--metrics-host", problem)
    return BadSetting(
        f"metrics cannot be served at {host}:{port}: {problem.strerror or problem}",
        where="--metrics-port",
        do="Take a port over 1023, and an address of this machine.",
    )
