"""One Spark for all tests that need one, set as the engine sets it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from vigie.engine.session import BRIEF

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A test's Java lives for seconds: its second compiler would cost more than it gives. Runs in processes inherit it.
os.environ.setdefault("SPARK_SUBMIT_OPTS", BRIEF)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    from vigie.engine import session
    from vigie.settings import Settings

    started = session.start(Settings(), "tests")
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _the_log_as_it_was() -> Iterator[None]:
    """A command sets up the log of its process, which tests share."""
    log = logging.getLogger("vigie")
    before = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.level, log.propagate = before
