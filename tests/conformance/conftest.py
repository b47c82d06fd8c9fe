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
def spark() -> Iterator[Engine]:
    running = Spark(Server(read_settings()))
    yield running
    running.close()
