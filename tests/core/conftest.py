from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest

from vigie.core.engine import Engine
from vigie.core.ingest import batch
from vigie.engines.embedded.engine import Embedded
from vigie.engines.spark.engine import Spark
from vigie.engines.spark.server import Server
from vigie.settings import Settings

FEW = int(os.environ.get("VIGIE_SPARK_FEW", "0"))  # messages that Spark's executors are spared
ON_SPARK = os.environ.get("VIGIE_TESTS_ENGINE") == "spark"


@pytest.fixture(scope="session" if ON_SPARK else "module")
def engine() -> Iterator[Engine]:
    """The embedded engine, for the tests of a module; or Spark, for all of them: VIGIE_TESTS_ENGINE=spark."""
    running = Spark(Server(Settings()), few=FEW) if ON_SPARK else Embedded()
    with pytest.MonkeyPatch.context() as patched:
        if ON_SPARK:  # what takes a batch longer than a second may take a test longer than a minute
            patched.setattr(batch, "IDLE", timedelta(hours=1))
        yield running
    running.close()
