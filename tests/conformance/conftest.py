"""A session to each engine, in one process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vigie.core.engine import Engine
from vigie.engines.embedded.engine import Embedded
from vigie.engines.spark.engine import Spark
from vigie.engines.spark.server import Server
from vigie.settings import read_settings


@pytest.fixture(scope="module")
def embedded() -> Iterator[Engine]:
    running = Embedded()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Which begins when it is first asked."""
    running = Server(read_settings())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def spark(server: Server) -> Engine:
    return Spark(server, few=0)
