from __future__ import annotations

from collections.abc import Iterator

import pytest

from vigie.engines.embedded.engine import Embedded


@pytest.fixture(scope="module")
def engine() -> Iterator[Embedded]:
    """The embedded engine, for the tests of a module."""
    running = Embedded()
    yield running
    running.close()
