"""One Spark for all tests that need one, set as the engine sets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    from vigie.engine import session
    from vigie.settings import Settings

    started = session.start(Settings(), "tests")
    yield started
    started.stop()
