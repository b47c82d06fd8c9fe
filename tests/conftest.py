"""One Spark for all tests that need one, set as the engine sets it."""

from __future__ import annotations

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
