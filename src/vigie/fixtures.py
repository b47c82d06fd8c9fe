"""What tests of a pipeline share, for pytest. In conftest.py: `pytest_plugins = ["vigie.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from vigie.extras import need_embedded

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

    from vigie.engines.embedded.engine import Embedded


@pytest.fixture(scope="session")
def vigie_engine() -> Iterator[Embedded]:
    """The embedded engine: it starts in a second, and once for all tests."""
    need_embedded()
    from vigie.engines.embedded.engine import Embedded

    engine = Embedded()
    yield engine
    engine.close()


@pytest.fixture
def spark(vigie_engine: Embedded) -> Iterator[SparkSession]:
    """A Spark session without Java, in which declared functions can be called with rows of a test's own."""
    from vigie.engines.connected import connected

    session = vigie_engine.own_session()
    with connected(session):
        yield session
    session.stop()
