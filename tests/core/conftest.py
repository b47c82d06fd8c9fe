from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from vigie.core.engine import Engine
from vigie.engines.embedded.engine import Embedded
from vigie.engines.spark.engine import Spark
from vigie.engines.spark.server import Server
from vigie.settings import Settings


@pytest.fixture(scope="module" if os.environ.get("VIGIE_TESTS_ENGINE") != "spark" else "session")
def engine() -> Iterator[Engine]:
    """The embedded engine, for the tests of a module; or Spark, for all of them: VIGIE_TESTS_ENGINE=spark."""
    running = Spark(Server(Settings())) if os.environ.get("VIGIE_TESTS_ENGINE") == "spark" else Embedded()
    yield running
    running.close()
